"""Archives of a real database: written, read back, restored, kept, refused."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import psycopg
import pytest
import pytest_asyncio

from domain.operations.messages import ArchiveRef
from domain.shared.errors import Broken, Rejected, Unavailable
from gateways.backup import BOOKS, WORKFLOWS_FILE, Vault
from localnet.running import RunningPostgres
from storage.backup_runs import books_facts
from storage.database import transaction
from storage.operations import open_operation
from storage.restored import require_empty
from tests.backup_lab import backup, empty_database, restored, write
from tests.ops_lab import OTHER_KEY, Lab, make_vault, open_lab
from tests.patience import PATIENCE_S, until


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[Lab]:
    async with open_lab(database) as opened:
        account = await opened.account()
        for micros in (1_000_000, 2_500_000, 7):
            await opened.fund(account, micros)
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A workflow store: what Temporal's file looks like from outside, in write-ahead mode."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "temporal.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE executions (id INTEGER PRIMARY KEY, state BLOB)")
    connection.executemany("INSERT INTO executions (state) VALUES (?)", [(os.urandom(500),) for _ in range(2000)])
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def vault(lab: Lab, store: Path, tmp_path: Path) -> Vault:
    return make_vault(lab.dsn, tmp_path / "vault", temporal_db_file=str(store), data_dirs=(tmp_path / "data",), keep=2)


async def test_the_manifest_says_what_was_dumped(lab: Lab, vault: Vault) -> None:
    manifest = (await backup(lab, vault)).manifest
    assert [m.name for m in manifest.members] == [WORKFLOWS_FILE, BOOKS], "the workflow store first (CG-087)"
    assert all(m.size > 0 for m in manifest.members)
    assert (manifest.books.totals.transfers, manifest.books.totals.postings) == (3, 6)
    assert manifest.books.totals.turnover == {"USDC": "3500007"}
    assert manifest.books.revision


async def test_the_totals_are_those_of_the_dump_also_while_money_moves(lab: Lab, vault: Vault) -> None:
    account = await lab.account()
    async with vault.writing("holdfast-x.backup") as (archive, reference):
        async with lab.runs.moment() as moment:
            await lab.fund(account, 5)
            await archive.add_books(moment.snapshot)
        await archive.seal(moment.facts)
    await vault.publish(reference)
    await lab.scratch.create("holdfast_drill_20990101000000_a")
    try:
        await vault.restore_books(
            ArchiveRef(name="holdfast-x.backup"), lab.scratch.dsn_of("holdfast_drill_20990101000000_a")
        )
        found = await lab.scratch.inspect("holdfast_drill_20990101000000_a")
    finally:
        await lab.scratch.drop("holdfast_drill_20990101000000_a")
    assert found.facts == moment.facts
    assert found.facts.totals.transfers == 3
    assert all(v.ok for v in found.verdicts)


async def test_restore_brings_everything_back(
    lab: Lab, vault: Vault, store: Path, postgres: RunningPostgres, tmp_path: Path
) -> None:
    await backup(lab, vault)
    dsn = await empty_database(postgres, "restored_a")
    target = tmp_path / "new" / "temporal.db"
    manifest = await restored(vault, dsn, str(target))
    async with open_lab(dsn) as there, transaction(there.books.pool) as connection:
        assert await books_facts(connection) == manifest.books
    rows = "SELECT * FROM executions ORDER BY id"
    assert sqlite3.connect(target).execute(rows).fetchall() == sqlite3.connect(store).execute(rows).fetchall()


async def test_a_used_target_is_refused_unless_forced(
    lab: Lab, vault: Vault, postgres: RunningPostgres, tmp_path: Path
) -> None:
    await backup(lab, vault)
    dsn = await empty_database(postgres, "restored_b")
    await restored(vault, dsn, None)
    async with open_lab(dsn) as there:
        await there.fund(await there.account(), 1)
    with pytest.raises(Rejected, match="not empty"):
        await restored(vault, dsn, None)
    await restored(vault, dsn, None, force=True)
    async with open_lab(dsn) as there:
        assert (await there.one("SELECT count(*) AS n FROM platform.transfers"))["n"] == 3
    target = tmp_path / "temporal.db"
    target.write_bytes(b"in use")
    with pytest.raises(Broken, match="exists"):
        await vault.restore_workflow_store(
            ArchiveRef(name=vault.names()[-1]),
            (await vault.verify(ArchiveRef(name=vault.names()[-1]))).manifest,
            str(target),
        )
    assert target.read_bytes() == b"in use"


async def test_restored_books_go_on_where_they_are(lab: Lab, vault: Vault, postgres: RunningPostgres) -> None:
    """Open operations are started again, and what is written from now on comes after everything old."""
    admin = await lab.account("admin")
    hook = await lab.webhook(admin, "http://127.0.0.1:1/", ["deposits"])
    async with transaction(lab.books.pool) as connection:
        for kind in ("deposit", "backup"):
            await open_operation(
                connection, kind=kind, subject_id="x", workflow_id=f"{kind}:x", steps=("a",), summary="open"
            )
    await lab.rows("UPDATE platform.operations SET dispatched_at = now()")
    await lab.tell("deposits", 1)
    # the transaction numbers of a server that lived long
    await lab.rows("UPDATE platform.outbox SET xact = xact + 10^12::bigint")
    await lab.rows("UPDATE platform.webhooks SET after_xact = after_xact + 10^12::bigint")
    await backup(lab, vault)
    dsn = await empty_database(postgres, "restored_c")
    await restored(vault, dsn, None)
    async with open_lab(dsn) as there:
        waiting = [o.kind for o in await there.jobs.undispatched()]
        assert waiting == ["deposit"]
        assert (await there.one("SELECT status::text FROM platform.operations WHERE kind = 'backup'"))[
            "status"
        ] == "cancelled"
        await there.tell("deposits", 2)
        while await there.hooks.fan_out():
            pass
        assert [d["n"] for d in await there.deliveries(hook)] == [1, 2]


async def test_a_changed_archive_and_a_wrong_key_are_refused_before_anything_is_written(
    lab: Lab, vault: Vault, postgres: RunningPostgres, tmp_path: Path
) -> None:
    await backup(lab, vault)
    path = tmp_path / "vault" / vault.names()[-1]
    dsn = await empty_database(postgres, "restored_d")
    other = make_vault(lab.dsn, tmp_path / "vault", key=OTHER_KEY)
    with pytest.raises(Broken, match="another BACKUP_KEY"):
        await restored(other, dsn, None)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(Broken, match="changed or moved"):
        await restored(vault, dsn, None)
    await require_empty(dsn)


async def test_seven_are_kept_and_only_after_the_new_one_is_there(lab: Lab, tmp_path: Path) -> None:
    vault = make_vault(lab.dsn, tmp_path / "vault")
    names = [f"holdfast-202601{day:02}T000000Z-a.backup" for day in range(1, 11)]
    for name in names[:9]:
        (tmp_path / "vault").mkdir(exist_ok=True)
        (tmp_path / "vault" / name).write_bytes(b"old")
    with pytest.raises(Broken, match="nothing was removed"):
        await vault.prune(names[9])
    assert vault.names() == names[:9]
    (tmp_path / "vault" / names[9]).write_bytes(b"new")
    pruned = await vault.prune(names[9])
    assert pruned.removed == tuple(names[:3])
    assert vault.names() == names[3:]


@pytest.mark.parametrize("inside", ["data", "data/backups", "data/../data/x"])
async def test_a_vault_inside_the_data_directory_is_refused(lab: Lab, tmp_path: Path, inside: str) -> None:
    vault = make_vault(lab.dsn, tmp_path / inside, data_dirs=(tmp_path / "data",))
    with pytest.raises(Broken, match="inside the data directory"):
        await write(lab, vault, "holdfast-a.backup")
    assert not (tmp_path / "data" / "backups").exists()


async def test_archives_are_for_their_owner_only_and_hold_nothing_in_clear(
    lab: Lab, vault: Vault, tmp_path: Path
) -> None:
    await backup(lab, vault)
    path = tmp_path / "vault" / vault.names()[-1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"PGDMP" not in path.read_bytes()
    assert b"SQLite" not in path.read_bytes()


@pytest.mark.parametrize("key", ["", "c2hvcnQ="])
async def test_without_a_key_nothing_is_written(lab: Lab, tmp_path: Path, key: str) -> None:
    vault = make_vault(lab.dsn, tmp_path / "vault", key=key)
    with pytest.raises(Broken, match="BACKUP_KEY"):
        await write(lab, vault, "holdfast-a.backup")
    assert list((tmp_path / "vault").iterdir()) == []


async def test_a_database_that_is_away_is_waited_for_a_broken_one_is_not(lab: Lab, store: Path, tmp_path: Path) -> None:
    away = make_vault("postgresql://x:geheim@127.0.0.1:1/x", tmp_path / "vault", temporal_db_file=str(store))
    with pytest.raises(Unavailable) as refused:
        async with away.writing("holdfast-a.backup") as (archive, _):
            await archive.add_books("00000000-00000000-1")
    assert "geheim" not in str(refused.value)
    broken = make_vault(lab.dsn, tmp_path / "vault", temporal_db_file=str(tmp_path / "none.db"))
    with pytest.raises(Unavailable):
        async with broken.writing("holdfast-a.backup") as (archive, _):
            await archive.add_workflow_store()
    (tmp_path / "junk.db").write_bytes(b"junk" * 1000)
    junk = make_vault(lab.dsn, tmp_path / "vault", temporal_db_file=str(tmp_path / "junk.db"))
    with pytest.raises(Broken):
        async with junk.writing("holdfast-a.backup") as (archive, _):
            await archive.add_workflow_store()
    assert list((tmp_path / "vault").iterdir()) == []


async def test_cancelling_kills_pg_dump_and_leaves_no_file(lab: Lab, vault: Vault, tmp_path: Path) -> None:
    """The books are locked, so pg_dump waits; then the activity is cancelled."""
    async with await psycopg.AsyncConnection.connect(lab.dsn) as locker:
        await locker.execute("LOCK TABLE platform.sessions IN ACCESS EXCLUSIVE MODE")
        task = asyncio.create_task(write(lab, vault, "holdfast-a.backup"))
        children = await _children_named("pg_dump")
        assert children, "pg_dump runs"
        assert not any("holdfast_password" in argument or lab.dsn.split(":")[2].split("@")[0] in argument
                       for child in children for argument in child.cmdline())  # fmt: skip
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert list((tmp_path / "vault").iterdir()) == []


async def _children_named(name: str) -> list[psutil.Process]:
    async def look() -> list[psutil.Process]:
        return [p for p in psutil.Process().children(recursive=True) if p.name() == name]

    return await until(look, every=0.02)


async def test_the_workflow_store_is_copied_whole_while_it_is_written(lab: Lab, vault: Vault, store: Path) -> None:
    stop = threading.Event()

    def keep_writing() -> None:
        connection = sqlite3.connect(store, timeout=PATIENCE_S)
        while not stop.is_set():
            with connection:
                connection.executemany("INSERT INTO executions (state) VALUES (?)", [(os.urandom(500),)] * 20)
        connection.close()

    writing = asyncio.ensure_future(asyncio.to_thread(keep_writing))
    try:
        verified = await asyncio.wait_for(backup(lab, vault), PATIENCE_S)
    finally:
        stop.set()
        await writing
    names = await vault.check_workflow_store(ArchiveRef(name=vault.names()[-1]), verified.manifest)
    assert names == [WORKFLOWS_FILE]


async def test_temporals_own_postgres_databases_are_dumped_and_restored(
    lab: Lab, postgres: RunningPostgres, new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> None:
    for name in ("temporal", "temporal_visibility"):
        dsn = await empty_database(postgres, name)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(f"CREATE TABLE of_{name} AS SELECT 42 AS answer")  # type: ignore[arg-type]
    vault = make_vault(lab.dsn, tmp_path / "vault", temporal_db_dsn=postgres.dsn_of("temporal"))
    manifest = (await backup(lab, vault)).manifest
    assert [m.name for m in manifest.members] == ["temporal.pgdump", "temporal-visibility.pgdump", BOOKS]
    archive = ArchiveRef(name=vault.names()[-1])
    assert len(await vault.check_workflow_store(archive, manifest)) == 2
    for name in ("back", "back_visibility"):
        await empty_database(postgres, name)
    await vault.restore_workflow_store(archive, manifest, postgres.dsn_of("back"))
    async with await psycopg.AsyncConnection.connect(postgres.dsn_of("back_visibility")) as connection:
        row = await (await connection.execute("SELECT answer FROM of_temporal_visibility")).fetchone()
    assert row == (42,)
    with pytest.raises(Broken, match="does not fit"):
        await vault.restore_workflow_store(archive, manifest, str(tmp_path / "file.db"))
