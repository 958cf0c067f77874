"""Archives written, verified and restored by hand."""

from __future__ import annotations

import psycopg

from activities.operations.backup import restore
from domain.operations.messages import ArchiveRef, ArchiveVerified, Manifest
from gateways.backup import Vault
from localnet.running import RunningPostgres
from storage.restored import require_empty, settle
from tests.ops_lab import Lab


async def write(lab: Lab, vault: Vault, name: str) -> ArchiveRef:
    async with vault.writing(name) as (archive, reference):
        await archive.add_workflow_store()
        async with lab.runs.moment() as moment:
            await archive.add_books(moment.snapshot)
        await archive.seal(moment.facts)
    return reference


async def backup(lab: Lab, vault: Vault, name: str = "holdfast-20260101T000000Z-a.backup") -> ArchiveVerified:
    written = await write(lab, vault, name)
    verified = await vault.verify(written)
    await vault.publish(written)
    return verified


async def empty_database(postgres: RunningPostgres, name: str) -> str:
    async with await psycopg.AsyncConnection.connect(postgres.dsn_of("postgres"), autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # type: ignore[arg-type]
    return postgres.dsn_of(name)


async def restored(vault: Vault, dsn: str, store: str | None, *, force: bool = False) -> Manifest:
    return await restore(vault, vault.names()[-1], dsn, store, require_empty=require_empty, settle=settle, force=force)
