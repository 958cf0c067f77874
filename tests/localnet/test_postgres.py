"""The embedded Postgres: private, durable, and back after a SIGKILL."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import psycopg
import pytest

from localnet import pg_binaries
from localnet.files import InUse
from localnet.postgres import backends_of
from localnet.running import RunningPostgres, running_postgres


async def query(pg: RunningPostgres, text: str) -> str:
    async with await psycopg.AsyncConnection.connect(pg.dsn, autocommit=True) as connection:
        row = await (await connection.execute(text)).fetchone()
        return str(row[0]) if row else ""


async def test_settings_and_privacy(folder: Path) -> None:
    async with running_postgres(folder / "pg", durable=True) as pg:
        for name, value in (("fsync", "on"), ("synchronous_commit", "on"), ("max_connections", "200")):
            assert await query(pg, f"SHOW {name}") == value
        assert (
            await query(pg, "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname='holdfast'") == "UTF8"
        )
        assert (folder / "pg" / "password").stat().st_mode & 0o777 == 0o600
        with pytest.raises(psycopg.OperationalError):
            await psycopg.AsyncConnection.connect(pg.dsn.replace(pg.server.password, "guess"))
        if os.geteuid() == 0:
            assert psutil.Process(pg.pid).uids().effective != 0
        with pytest.raises(InUse):
            async with running_postgres(folder / "pg"):
                pass


async def test_a_killed_server_comes_back_with_its_commits(folder: Path) -> None:
    async with running_postgres(folder / "pg") as pg:
        async with await psycopg.AsyncConnection.connect(pg.dsn) as connection:
            await connection.execute("CREATE TABLE kept (n int)")
            await connection.execute("INSERT INTO kept VALUES (7)")
        busy = await psycopg.AsyncConnection.connect(pg.dsn)
        endless = "SELECT count(*) FROM generate_series(1, 40000) a, generate_series(1, 40000) b"
        lost = asyncio.create_task(busy.execute(endless))  # its backend does not notice that the server died
        await asyncio.sleep(0.2)
        await pg.kill()
        await pg.start()
        assert await query(pg, "SELECT n FROM kept") == "7"
        with pytest.raises(psycopg.OperationalError):
            await lost
        await busy.close()
    assert not backends_of(folder / "pg" / "data")


async def test_a_pid_file_of_another_process_does_not_keep_it_down(folder: Path) -> None:
    async with running_postgres(folder / "pg") as pg:
        await pg.kill()
        pid_file = folder / "pg" / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        await pg.start()
        assert await query(pg, "SELECT 1") == "1"


async def test_a_first_start_cut_short_is_done_again(folder: Path) -> None:
    half = folder / "pg" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with running_postgres(folder / "pg") as pg:
        assert await query(pg, "SELECT current_user") == "holdfast"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to run as")
def test_programs_another_user_cannot_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = pg_binaries._account()
    root = pg_binaries.packaged_root()
    hidden = folder / "closed" / "pginstall"
    hidden.parent.mkdir(mode=0o700)
    hidden.symlink_to(root)
    assert not pg_binaries._runs_as(account, hidden)
    shared = folder / "shared"
    folder.chmod(0o755)
    monkeypatch.setattr(pg_binaries, "SHARED", shared)
    copy = pg_binaries._copy_for_all(hidden)
    assert copy.parent == shared
    assert pg_binaries._runs_as(account, copy)
    assert pg_binaries._copy_for_all(hidden) == copy
