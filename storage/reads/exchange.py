"""Custody as users see it: deposit addresses, deposits, withdrawals, and what a new withdrawal is checked against."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from domain.shared import ledger
from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_one, fetch_page, moment, usdc

DEPOSITS: Final = Listing(
    body=f"""json_build_object('id', d.id, 'account_id', d.account_id, 'chain_id', d.chain_id, 'tx_hash', d.tx_hash,
             'log_ordinal', d.log_ordinal, 'block_number', d.block_number, 'block_hash', d.block_hash,
             'token', d.token, 'amount_usdc', {usdc("d.amount")}, 'status', d.status,
             'confirmations', CASE WHEN d.status = 'orphaned' THEN 0
               ELSE greatest(0, coalesce(c.head_block, 0) - d.block_number) END,
             'required_confirmations', d.required_confirmations, 'reason', d.reason, 'operation_id', d.operation_id,
             'created_at', {moment("d.created_at")}, 'updated_at', {moment("d.updated_at")},
             'credited_at', {moment("d.credited_at")})""",
    source="exchange.deposits d LEFT JOIN exchange.chain_cursors c ON c.chain_id = d.chain_id",
    key="d.id",
    extra="d.account_id AS owner, d.from_address, d.to_address",
)
WITHDRAWALS: Final = Listing(
    body=f"""json_build_object('id', w.id, 'account_id', w.account_id, 'chain_id', w.chain_id,
             'amount_usdc', {usdc("w.amount_micros")}, 'fee_usdc', {usdc("w.fee_micros")}, 'status', w.status,
             'reason', w.reason, 'failure_code', w.failure_code, 'requested_by', w.requested_by,
             'decided_by', w.decided_by, 'tx_hash', w.tx_hash, 'tx_hashes', coalesce((
               SELECT json_agg(s.tx_hash ORDER BY s.attempt) FROM exchange.transactions t
               JOIN exchange.signed_transactions s ON s.transaction_id = t.id
               WHERE t.purpose = 'withdrawal' AND t.ref_id = w.id), '[]'::json),
             'operation_id', w.operation_id, 'created_at', {moment("w.created_at")},
             'updated_at', {moment("w.updated_at")}, 'finished_at', {moment("w.finished_at")})""",
    source="exchange.withdrawals w",
    key="w.id",
    extra="w.account_id AS owner, w.to_address, w.status::text AS status, w.requested_by, w.operation_id",
)
_HEADROOM: Final = """
SELECT coalesce((SELECT balance FROM platform.balances WHERE account = %(account)s AND unit = 'USDC'), 0) AS available,
  coalesce((SELECT enabled FROM platform.controls WHERE name = 'exchange.withdrawals'), true) AS enabled,
  EXISTS (SELECT 1 FROM exchange.deposit_addresses WHERE address = %(to)s) AS to_ourselves,
  coalesce(sum(amount_micros) FILTER (WHERE account_id = %(id)s::uuid), 0) AS account_used,
  coalesce(sum(amount_micros), 0) AS platform_used
FROM exchange.withdrawals
WHERE created_at > clock_timestamp() - interval '24 hours' AND status NOT IN ('rejected', 'cancelled', 'failed')
"""


class Headroom(BaseModel):
    """What a withdrawal is checked against before it is accepted; the worker checks again under lock."""

    model_config = ConfigDict(frozen=True)
    available: int
    enabled: bool
    to_ourselves: bool
    account_used: int
    platform_used: int


async def deposit(pool: Pool, deposit_id: str) -> Row | None:
    return await fetch_item(pool, DEPOSITS, deposit_id)


async def deposits(pool: Pool, *, account_id: str | None, status: str | None, limit: int, after: str | None) -> Found:
    filters = [("d.account_id = %s::uuid", account_id), ("d.status = %s::exchange.deposit_status", status)]
    return await fetch_page(pool, DEPOSITS, filters, limit=limit, after=after)


async def withdrawal(pool: Pool, withdrawal_id: str) -> Row | None:
    return await fetch_item(pool, WITHDRAWALS, withdrawal_id)


async def withdrawals(
    pool: Pool, *, account_id: str | None, status: str | None, limit: int, after: str | None
) -> Found:
    filters = [("w.account_id = %s::uuid", account_id), ("w.status = %s::exchange.withdrawal_status", status)]
    return await fetch_page(pool, WITHDRAWALS, filters, limit=limit, after=after)


async def headroom(pool: Pool, account_id: str, to_address: str) -> Headroom:
    """Balance, switch, limits used, and whether the destination is one of our deposit addresses, in one read."""
    names = {"account": ledger.available(account_id), "id": account_id, "to": to_address}
    return Headroom.model_validate(await fetch_one(pool, _HEADROOM, names))


async def active_address(pool: Pool, account_id: str, chain_id: int) -> Row | None:
    """The account's deposit address in use: address (lower case) and derivation_path."""
    return await fetch_one(
        pool,
        """SELECT address, derivation_path FROM exchange.deposit_addresses
           WHERE account_id = %s AND chain_id = %s AND retired_at IS NULL""",
        [account_id, chain_id],
    )
