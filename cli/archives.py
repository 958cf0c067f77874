"""`holdfast backup` and `restore`: an encrypted archive made by a worker; one brought back by hand."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import context
from cli.context import DataDir
from cli.failures import Usage, principal
from cli.output import Json, Yes, agreed, out, print_json, progress, table
from domain.shared.errors import Broken, Rejected, Unavailable

if TYPE_CHECKING:
    from composition.parts import Parts
    from domain.operations.messages import Manifest
    from gateways.backup import Vault

STEPS: Final = ("write", "verify", "publish", "prune")
LOOK_EVERY_S: Final = 0.5


def backup(
    wait_s: Annotated[int, typer.Option(min=0, help="How long to wait for its end; 0: do not wait.")] = 3600,
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Have a worker write, verify and publish an encrypted archive of the books and the workflow store."""

    async def act() -> None:
        found = context.settings(data_dir)
        if not found.backup_dir or not found.backup_key.get_secret_value():
            raise Usage("BACKUP_DIR and BACKUP_KEY must be set, here and at the workers")
        if not agreed(yes, [f"write a new archive into {found.backup_dir}"], as_json=as_json):
            return
        async with context.opened(found) as parts:
            done = await _backup(parts, wait_s)
        if as_json:
            print_json(done)
        else:
            out.print(f"{done['status']}: {done['summary']}", markup=False, soft_wrap=True)

    context.run(act)


async def _backup(parts: Parts, wait_s: int) -> dict[str, Any]:
    from storage import operator
    from storage.intents.opened import mark_dispatched

    operation = await operator.open_backup(parts.pool, principal(), STEPS)
    await parts.processes.start(
        "backup",
        operation["subject_id"],
        operation["workflow_id"],
        operation["summary"],
        operation_id=operation["id"],
    )
    await mark_dispatched(parts.pool, operation["id"])
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    with progress("backup") as (bar, task):
        while True:
            now = await operator.operation_named(parts.pool, operation["id"])
            assert now is not None
            step = await operator.current_step(parts.pool, operation["id"])
            bar.update(task, description=f"backup: {step}")
            if now["status"] not in ("running", "waiting") or not wait_s:
                break
            if loop.time() > until:
                raise Unavailable("unavailable", f"operation {now['id']} still runs after {wait_s} s, at step {step}")
            await asyncio.sleep(LOOK_EVERY_S)
    if now["status"] in ("failed", "cancelled", "needs_operator"):
        raise Broken("backup_failed", now["summary"])
    return {"operation_id": now["id"], "status": now["status"], "summary": now["summary"]}


def restore(
    archive: Annotated[str, typer.Argument(help="A name in BACKUP_DIR, a path, or `newest`.")],
    target_dsn: Annotated[
        str, typer.Option(help="Database to restore into, empty unless --force. Default: DATABASE_URL.")
    ] = "",
    temporal_target: Annotated[
        str, typer.Option(help="File or DSN of the workflow store. Left out, Temporal starts empty: safer if in doubt.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace what the targets hold.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Bring an archive back while workers, API and Temporal are stopped (runbook restore_from_backup)."""
    from settings import load_file_secrets

    load_file_secrets()
    dsn = target_dsn or os.environ.get("DATABASE_URL", "")
    if not dsn:
        raise Usage("--target-dsn or DATABASE_URL must name the database to restore into")
    done = context.run(
        lambda: _restore(archive, dsn, temporal_target or None, data_dir, force=force, yes=yes, as_json=as_json)
    )
    if done is not None:
        _tell(done, as_json=as_json)


async def _restore(
    archive: str,
    dsn: str,
    temporal_target: str | None,
    data_dir: Path | None,
    *,
    force: bool,
    yes: bool,
    as_json: bool,
) -> Manifest | None:
    from activities.operations import backup as work
    from domain.operations.messages import ArchiveRef
    from storage import restored

    vault = vault_of(data_dir, dsn)
    await context.check_database(dsn)
    chosen = _named(vault, archive)
    with progress("reading the archive through"):
        manifest = (await vault.verify(ArchiveRef(name=chosen))).manifest
    if not force:
        await restored.require_empty(dsn)
    plan = [f"restore the books of {manifest.created_at} (revision {manifest.books.revision}, "
            f"{manifest.books.totals.transfers} transfers) from {chosen}"]  # fmt: skip
    plan.append(f"restore the workflow store into {_shown(temporal_target)}" if temporal_target else
                "leave the workflow store out: every process that has not ended is made anew from its row")  # fmt: skip
    plan += ["REPLACE what the targets hold"] if force else []
    if not agreed(yes, plan, as_json=as_json):
        return None
    with progress("restoring"):
        return await work.restore(
            vault,
            chosen,
            dsn,
            temporal_target,
            require_empty=restored.require_empty,
            settle=restored.settle,
            force=force,
        )


def _tell(manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        print_json({"restored": manifest.model_dump(mode="json")})
        return
    rows = [(member.name, member.size, member.sha256[:16]) for member in manifest.members]
    out.print(table(("part", "bytes", "sha256"), rows))
    out.print("restored; start Temporal, then workers and API, then `holdfast ledger check` and `holdfast doctor`")


def _shown(target: str) -> str:
    """A target without its password."""
    return target.rpartition("@")[2] if "://" in target else target


def _named(vault: Vault, archive: str) -> str:
    if archive != "newest":
        return archive
    names = vault.names()
    if not names:
        raise Rejected("not_found", "there is no archive in BACKUP_DIR")
    return names[-1]


def vault_of(data_dir: Path | None, dsn: str) -> Vault:
    """The vault, from the environment or from a data directory whose stack is stopped."""
    from importlib.metadata import version

    from gateways.backup import Vault, VaultConfig
    from gateways.pgtools import PgTools

    values = context.vault_values(data_dir)
    config = VaultConfig(
        directory=values["backup_dir"], key=values["backup_key"], app_version=version("holdfast"), database_url=dsn
    )
    return Vault(config, PgTools(values["pg_bin_dir"]))
