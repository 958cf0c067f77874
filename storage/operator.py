"""What operators do from the command line and nobody does over HTTP: keys across accounts, chain cursors, retries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import psycopg
from pydantic import BaseModel, ConfigDict

from domain.exchange.messages import BlockRef
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.accounts import BOOTSTRAP_NAME, add_account, add_key, new_key, revoke_key
from storage.database import Pool, transaction
from storage.events import audit, new_id, resolve_alert, resolve_alerts_about
from storage.operations import open_operation
from storage.reads.base import fetch_all, fetch_one, moment

_KEYS: Final = f"""
SELECT k.id, k.prefix, k.account_id, a.name, a.role::text AS role, k.scopes, {moment("k.created_at")} AS created_at,
  {moment("k.expires_at")} AS expires_at, {moment("k.last_used_at")} AS last_used_at,
  CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired'
       WHEN a.disabled THEN 'disabled' ELSE 'live' END AS state
FROM platform.api_keys k JOIN platform.accounts a ON a.id = k.account_id
"""


class Account(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    role: str


async def account(pool: Pool, account_id: str) -> Account:
    """Raises: Rejected not_found."""
    try:
        row = await fetch_one(
            pool, "SELECT id, name, role::text AS role FROM platform.accounts WHERE id = %s", [account_id]
        )
    except psycopg.errors.InvalidTextRepresentation:
        row = None
    if row is None:
        raise Rejected("not_found", f"account {account_id}")
    return Account.model_validate(row)


async def bootstrapped(pool: Pool) -> str | None:
    """The first administrator's account, when it has a key that works."""
    row = await fetch_one(
        pool,
        """SELECT a.id FROM platform.accounts a WHERE a.name = %s AND a.role = 'admin' AND NOT a.disabled
             AND EXISTS (SELECT 1 FROM platform.api_keys k WHERE k.account_id = a.id AND k.revoked_at IS NULL
                         AND (k.expires_at IS NULL OR k.expires_at > now())) ORDER BY a.id LIMIT 1""",
        [BOOTSTRAP_NAME],
    )
    return None if row is None else str(row["id"])


async def create_key(
    pool: Pool,
    principal: str,
    *,
    account_id: str | None,
    name: str,
    role: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> dict[str, str]:
    """Make a key, and its account when `account_id` is None, in one transaction; the secret is in the answer only."""
    api_key = new_key()
    async with transaction(pool) as connection:
        owner = account_id or await add_account(
            connection, principal=principal, name=name, role=role, email=None, password_hash=None
        )
        key_id = await add_key(
            connection, principal=principal, account_id=owner, api_key=api_key, scopes=scopes, expires_at=expires_at
        )
    return {"id": key_id, "account_id": owner, "api_key": api_key}


async def keys(pool: Pool, account_id: str | None, *, live_only: bool) -> list[dict[str, Any]]:
    """Keys with their owners, newest first."""
    return await fetch_all(
        pool,
        f"""SELECT * FROM ({_KEYS}) x WHERE (%s::text IS NULL OR account_id::text = %s)
            AND (NOT %s OR state = 'live') ORDER BY id DESC""",
        [account_id, account_id, live_only],
    )


async def key(pool: Pool, name: str) -> dict[str, Any]:
    """The one key of this id or prefix.

    Raises: Rejected not_found, conflict (the prefix fits several).
    """
    found = await fetch_all(
        pool, f"SELECT * FROM ({_KEYS}) x WHERE id::text = %s OR prefix = left(%s, length(prefix))", [name, name]
    )
    if len(found) != 1:
        raise Rejected("conflict" if found else "not_found", f"{len(found)} keys fit {name[:11]}…: give the id")
    return found[0]


async def revoke(pool: Pool, principal: str, found: dict[str, Any]) -> None:
    """Revoke the key for good."""
    async with transaction(pool) as connection:
        await revoke_key(connection, principal=principal, account_id=found["account_id"], key_id=found["id"])


_OPERATION: Final = """SELECT id, kind, subject_id, account_id, workflow_id, status::text AS status, summary,
  failure_code FROM platform.operations"""


async def operations_of(pool: Pool, workflow_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The operations of these processes, and every one that waits for an operator."""
    return await fetch_all(
        pool, f"{_OPERATION} WHERE workflow_id = ANY(%s) OR status = 'needs_operator' ORDER BY id", [list(workflow_ids)]
    )


async def operation_named(pool: Pool, name: str) -> dict[str, Any] | None:
    """The operation of this id, workflow id or subject."""
    return await fetch_one(
        pool, f"{_OPERATION} WHERE %s IN (id::text, workflow_id, subject_id) ORDER BY id DESC LIMIT 1", [name]
    )


async def delivery_named(pool: Pool, name: str) -> dict[str, Any] | None:
    """The webhook delivery of this id or workflow id, in the shape of an operation: it has none of its own."""
    return await fetch_one(
        pool,
        """SELECT NULL AS id, 'webhook_delivery' AS kind, d.id AS subject_id, w.account_id, d.status,
             'webhook-delivery:' || d.id AS workflow_id, 'Webhook: event ' || d.event_id AS summary,
             NULL AS failure_code
           FROM platform.webhook_deliveries d JOIN platform.webhooks w ON w.id = d.webhook_id
           WHERE d.id::text = %s""",
        [name.removeprefix("webhook-delivery:")],
    )


async def note_retry(pool: Pool, principal: str, workflow_id: str, *, how: str) -> None:
    """An operator let a process go on: what was said about it is over, or will be said again."""
    async with transaction(pool) as connection:
        await resolve_alerts_about(connection, workflow_id, principal)
        await audit(connection, principal, "workflow_retried", workflow_id, how=how)


class ChainState(BaseModel):
    """The scanner's cursor, and the lowest block it provably read."""

    model_config = ConfigDict(frozen=True)
    chain_id: int
    next_block: int
    head_block: int
    safe_block: int
    finalized_block: int
    halted_reason: str | None
    started_at: datetime
    updated_at: datetime
    lowest_read: int


async def chain_state(pool: Pool, chain_id: int) -> ChainState:
    """Raises: Rejected not_found when no scanner ever ran."""
    row = await fetch_one(
        pool,
        """SELECT chain_id, next_block, head_block, safe_block, finalized_block, halted_reason, updated_at,
             created_at AS started_at, least(next_block,
               (SELECT min(number) FROM exchange.chain_blocks b WHERE b.chain_id = c.chain_id),
               (SELECT min(block_number) FROM exchange.deposits d WHERE d.chain_id = c.chain_id)) AS lowest_read
           FROM exchange.chain_cursors c WHERE chain_id = %s""",
        [chain_id],
    )
    if row is None:
        raise Rejected("not_found", f"no scanner has run on chain {chain_id} yet")
    return ChainState.model_validate(row)


async def move_cursor_back(pool: Pool, principal: str, chain_id: int, block: int, cause: str) -> int:
    """Have blocks from `block` on read again; returns where the cursor stood. Observations are keyed: nothing doubles.

    Raises: Rejected conflict when the cursor is not beyond that block.
    """
    async with transaction(pool) as connection:
        cursor = await connection.execute(
            "SELECT next_block FROM exchange.chain_cursors WHERE chain_id = %s FOR UPDATE", [chain_id]
        )
        row = await cursor.fetchone()
        if row is None or row["next_block"] <= block:
            raise Rejected("conflict", f"the cursor is not beyond block {block}")
        await connection.execute(
            "UPDATE exchange.chain_cursors SET next_block = %s, updated_at = clock_timestamp() WHERE chain_id = %s",
            [block, chain_id],
        )
        stood: int = row["next_block"]
        await audit(
            connection, principal, "chain_rescan", f"chain:{chain_id}", from_block=block, stood=stood, cause=cause
        )
    return stood


async def resume_chain(
    pool: Pool, principal: str, chain_id: int, *, reason: str | None, accept: BlockRef | None = None
) -> None:
    """Clear the halt.

    Args:  accept  the newest block that we and the chain share: finality is taken back to it, so that the scanner
                   rewinds there by itself (orphans what was not credited, opens an incident for what was).
    """
    async with transaction(pool) as connection:
        await connection.execute(
            """UPDATE exchange.chain_cursors SET halted_reason = NULL, updated_at = clock_timestamp()
               WHERE chain_id = %s""",
            [chain_id],
        )
        if accept is not None:
            await connection.execute(
                "UPDATE exchange.chain_cursors SET finalized_block = least(finalized_block, %s) WHERE chain_id = %s",
                [accept.number, chain_id],
            )
            await connection.execute(
                """INSERT INTO exchange.chain_blocks (chain_id, number, hash, parent_hash) VALUES (%s, %s, %s, %s)
                   ON CONFLICT (chain_id, number) DO UPDATE SET hash = excluded.hash,
                     parent_hash = excluded.parent_hash""",
                [chain_id, accept.number, accept.hash, accept.parent_hash],
            )
        await resolve_alert(connection, "deep_reorg", f"chain:{chain_id}", principal)
        await resolve_alerts_about(connection, ids.chain_scanner(chain_id), principal)
        await audit(
            connection, principal, "chain_resumed", f"chain:{chain_id}", reason=reason,
            accepted_block=accept.number if accept else None,
        )  # fmt: skip


async def above(pool: Pool, chain_id: int, block: int) -> tuple[int, int]:
    """Deposits above a block: how many are not credited yet, how many are."""
    row = await fetch_one(
        pool,
        """SELECT count(*) FILTER (WHERE status IN ('seen', 'confirming', 'ignored')) AS pending,
             count(*) FILTER (WHERE status = 'credited') AS credited
           FROM exchange.deposits WHERE chain_id = %s AND block_number > %s""",
        [chain_id, block],
    )
    assert row is not None
    return int(row["pending"]), int(row["credited"])


async def open_backup(pool: Pool, principal: str, steps: tuple[str, ...]) -> dict[str, str]:
    """The intent to back up: an operation whose process is to be started under its own id."""
    subject_id = new_id()
    workflow_id, summary = f"backup:{subject_id}", f"Backup asked for by {principal}"
    async with transaction(pool) as connection:
        operation_id = await open_operation(
            connection, kind="backup", subject_id=subject_id, workflow_id=workflow_id, steps=steps, summary=summary
        )
        await audit(connection, principal, "backup_requested", subject_id)
    return {"id": operation_id, "subject_id": subject_id, "workflow_id": workflow_id, "summary": summary}


async def current_step(pool: Pool, operation_id: str) -> str:
    """The step an operation is at."""
    row = await fetch_one(
        pool,
        """SELECT name FROM platform.operation_steps WHERE operation_id = %s AND status <> 'pending'
           ORDER BY position DESC LIMIT 1""",
        [operation_id],
    )
    return str(row["name"]) if row is not None else "waits for a worker"
