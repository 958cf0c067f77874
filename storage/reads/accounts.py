"""Accounts, balances, the ledger of one account, its keys."""

from __future__ import annotations

from typing import Final

from domain.shared import ledger
from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_one, fetch_page, moment, on_accounts

_DECIMALS: Final = "CASE WHEN {unit} = 'USDC' THEN 0.000001 ELSE 0.000000000000000001 END"

ACCOUNTS: Final = Listing(
    body=f"""json_build_object('id', a.id, 'name', a.name, 'role', a.role, 'email', a.email, 'disabled', a.disabled,
             'created_at', {moment("a.created_at")})""",
    source="platform.accounts a",
    key="a.id",
    extra="a.role::text AS role",
)
API_KEYS: Final = Listing(
    body=f"""json_build_object('id', k.id, 'account_id', k.account_id, 'prefix', k.prefix, 'scopes', k.scopes,
             'created_at', {moment("k.created_at")}, 'expires_at', {moment("k.expires_at")},
             'revoked_at', {moment("k.revoked_at")}, 'last_used_at', {moment("k.last_used_at")})""",
    source="platform.api_keys k",
    key="k.id",
)
LEDGER: Final = Listing(
    body=f"""json_build_object('id', p.id::text, 'transfer', t.key, 'kind', t.kind, 'ref', t.ref, 'phase', t.phase,
             'asset', p.unit, 'bucket', split_part(p.account, ':', 3),
             'amount', trim_scale(p.amount * {_DECIMALS.format(unit="p.unit")})::text,
             'created_at', {moment("t.created_at")})""",
    source="platform.postings p JOIN platform.transfers t ON t.id = p.transfer_id",
    key="p.id",
    kind="bigint",
)
_BALANCES: Final = f"""
WITH lines AS (
  SELECT unit, coalesce(sum(balance) FILTER (WHERE account = %(available)s), 0) AS available,
         coalesce(sum(balance) FILTER (WHERE account = %(held)s), 0) AS held
  FROM platform.balances WHERE account IN (%(available)s, %(held)s) GROUP BY unit
), shown AS (
  SELECT * FROM lines UNION ALL SELECT 'USDC', 0, 0 WHERE NOT EXISTS (SELECT 1 FROM lines WHERE unit = 'USDC')
)
SELECT json_build_object('items', coalesce(json_agg(json_build_object('asset', unit,
  'available', trim_scale(available * {_DECIMALS.format(unit="unit")})::text,
  'held', trim_scale(held * {_DECIMALS.format(unit="unit")})::text) ORDER BY unit), '[]'::json))::text AS body
FROM shown WHERE EXISTS (SELECT 1 FROM platform.accounts WHERE id = %(id)s::uuid)
HAVING count(*) > 0
"""


async def role_of(pool: Pool, account_id: str) -> str | None:
    """The account's role; None when there is no such account."""
    row = await fetch_one(pool, "SELECT role::text AS role FROM platform.accounts WHERE id = %s", [account_id])
    return None if row is None else str(row["role"])


async def account(pool: Pool, account_id: str) -> Row | None:
    return await fetch_item(pool, ACCOUNTS, account_id)


async def accounts(pool: Pool, *, role: str | None, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, ACCOUNTS, [("a.role = %s::platform.account_role", role)], limit=limit, after=after)


async def balances(pool: Pool, account_id: str) -> str | None:
    """JSON of what the account can spend and what is set aside, per asset; USDC is always listed. None: no account."""
    names = {"id": account_id, "available": ledger.available(account_id), "held": ledger.held(account_id)}
    row = await fetch_one(pool, _BALANCES, names)
    return None if row is None else str(row["body"])


async def ledger_lines(pool: Pool, account_id: str, *, limit: int, after: str | None) -> Found:
    """Every posting on the account's available and held balances."""
    names = [ledger.available(account_id), ledger.held(account_id)]
    filters = [("p.account = ANY(%s)", names), (on_accounts("%s"), names)]
    return await fetch_page(pool, LEDGER, filters, limit=limit, after=after)


async def api_keys(pool: Pool, account_id: str, *, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, API_KEYS, [("k.account_id = %s::uuid", account_id)], limit=limit, after=after)
