"""Checks of Postgres and of what the books say."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from cli.checks import Finding, away, broken, good, look

if TYPE_CHECKING:
    from settings import WorkerSettings
    from storage.database import Pool

OLDEST_POSTGRES: Final = 15
SKEW_S: Final = 2.0
LAG_BLOCKS: Final = 200
STANDSTILL_S: Final = 60
BACKUP_AGE_S: Final = 26 * 3600
DERIVED_AGAIN: Final = 20


async def reachable(dsn: str) -> Finding:
    """Does the server answer, and is it new enough?"""
    import psycopg

    from cli.context import check_database

    await check_database(dsn)
    async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=15) as connection:
        number = connection.info.server_version
    if number // 10_000 < OLDEST_POSTGRES:
        return broken("postgres", f"version {number // 10_000}", f"upgrade to Postgres {OLDEST_POSTGRES} or newer")
    return good("postgres", f"version {number // 10_000}.{number % 10_000} answers")


async def migrations(pool: Pool) -> Finding:
    """Is the database at the revision this code knows, or at one of a newer release?"""
    from storage.reads import system

    at, shipped = await system.revision(pool), system.shipped_revisions()
    if shipped.pending(at):
        needs = f"at revision {at or 'none'}, this version needs {shipped.newest}"
        return away("migrations", needs, "holdfast migrate --yes")
    if at != shipped.newest:
        return good("migrations", f"at revision {at} of a newer release; this version runs on it")
    return good("migrations", f"at revision {at}, the newest")


async def durability(pool: Pool) -> Finding:
    """Does a commit survive the power cut? The books rest on it."""
    from storage.reads.base import fetch_one

    row = await fetch_one(
        pool,
        """SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
             current_setting('full_page_writes') AS full_page_writes""",
    )
    assert row is not None
    wrong = [f"{name} = {value}" for name, value in row.items() if value in ("off", "local", "remote_write")]
    if wrong:
        return broken(
            "durability", f"{', '.join(wrong)}: commits can be lost", "set them on in postgresql.conf, restart"
        )
    return good("durability", "fsync, synchronous_commit and full_page_writes are on")


async def clock(pool: Pool) -> Finding:
    """Do this machine and the database agree on the time?"""
    from storage.reads.base import fetch_one

    before = time.time()
    row = await fetch_one(pool, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms")
    assert row is not None
    middle = (before + time.time()) / 2
    skew = row["ms"] / 1000 - middle
    if abs(skew) > SKEW_S:
        return look("clock and database", f"the database is {skew:+.1f} s off", "run an NTP client on both machines")
    return good("clock and database", f"agree within {abs(skew) * 1000:.0f} ms")


async def ledger(pool: Pool) -> Finding:
    """Do the books add up?"""
    from cli.ledger import verdicts

    failed = [v["name"] for v in await verdicts(pool) if not v["ok"]]
    if failed:
        return broken("ledger", ", ".join(failed), "holdfast ledger check; runbook ledger_mismatch")
    return good("ledger", "every invariant of the books holds")


async def alerts(pool: Pool) -> Finding:
    """Is an operator being called?"""
    from storage.reads.base import fetch_all

    rows = await fetch_all(
        pool,
        """SELECT code, severity, count(*) AS number FROM platform.alerts WHERE resolved_at IS NULL
           GROUP BY code, severity ORDER BY severity, code""",
    )
    if not rows:
        return good("alerts", "none is open")
    words = ", ".join(f"{row['number']} {row['code']}" for row in rows)
    fix = f"follow runbooks/{rows[0]['code']}.md, then resolve the alert"
    critical = any(row["severity"] == "critical" for row in rows)
    return broken("alerts", f"open: {words}", fix) if critical else look("alerts", f"open: {words}", fix)


async def scanner(pool: Pool, chain_id: int) -> Finding:
    """Is the chain being read?"""
    from datetime import UTC, datetime

    from domain.shared.errors import Rejected
    from storage import operator

    name = "scanner"
    try:
        state = await operator.chain_state(pool, chain_id)
    except Rejected:
        return away(name, f"has never read chain {chain_id}", "holdfast worker --queues exchange,operations")
    if state.halted_reason:
        return broken(name, f"halted: {state.halted_reason}", "runbook deep_reorg, then holdfast chain resume")
    lag = max(0, state.head_block + 1 - state.next_block)
    idle = (datetime.now(UTC) - state.updated_at).total_seconds()
    if idle > STANDSTILL_S:
        return away(name, f"its last step was {idle:.0f} s ago", "holdfast chain status; is a worker running?")
    if lag > LAG_BLOCKS:
        return look(name, f"{lag} blocks behind", "holdfast chain status; it catches up by itself")
    return good(name, f"at block {state.next_block - 1}, {lag} behind")


async def addresses(pool: Pool, found: WorkerSettings) -> Finding:
    """Do the addresses in the books come from the configured xpub? Otherwise deposits could not be swept."""
    from gateways.evm.addresses import HdAddresses
    from storage.reads.base import fetch_all

    name = "deposit addresses"
    try:
        derive = HdAddresses(found.deposit_xpub).deposit_address
    except ValueError as error:
        return broken(name, f"DEPOSIT_XPUB: {error}", "set DEPOSIT_XPUB to the account xpub m/44'/60'/0'")
    rows = await fetch_all(
        pool,
        """SELECT derivation_index, address FROM exchange.deposit_addresses WHERE chain_id = %s
           ORDER BY derivation_index LIMIT %s""",
        [found.arbitrum_chain_id, DERIVED_AGAIN],
    )
    wrong = [row["derivation_index"] for row in rows if derive(row["derivation_index"]) != row["address"]]
    if wrong:
        return broken(
            name, f"DEPOSIT_XPUB does not derive address {wrong[0]}", "restore the xpub the addresses came from"
        )
    return good(name, f"{len(rows)} derived again from DEPOSIT_XPUB, all equal")


async def backups(pool: Pool, found: WorkerSettings) -> Finding:
    """Is there a fresh, verified backup?"""
    from storage.reads.base import fetch_one

    name, fix = "backup", "holdfast backup --yes"
    if not found.backup_dir:
        return look(name, "BACKUP_DIR is not set: nothing is backed up", "set BACKUP_DIR and BACKUP_KEY")
    row = await fetch_one(
        pool,
        """SELECT extract(epoch FROM clock_timestamp() - max(created_at))::bigint AS age FROM platform.job_runs
           WHERE job = 'backup' AND ok""",
    )
    age = row["age"] if row is not None else None
    if age is None:
        return look(name, "none has been made yet", fix)
    if age > BACKUP_AGE_S:
        return look(name, f"the newest is {age // 3600} h old", fix)
    return good(name, f"the newest is {age // 3600} h {age % 3600 // 60} min old")
