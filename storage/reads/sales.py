"""Sales and what wallets have in them, as the books know them: final on the chain, up to `read_slot`."""

from __future__ import annotations

from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_one, fetch_page, moment, sol
from storage.reads.base import tokens as whole

_SALE: Final = f"""
SELECT s.*, s.status::text AS status, s.curve_type::text AS curve_type, {moment("s.ends_at")} AS ends_at_text,
  p.transfer_fee_bps, p.symbol
FROM launchpad.sales s JOIN launchpad.projects p ON p.id = s.project_id WHERE s.id = %s
"""
_POSITION: Final = f"""
json_build_object('wallet', o.wallet, 'bought', {whole("o.bought", "s.decimals")},
  'sold', {whole("o.sold", "s.decimals")}, 'held', {whole("o.held", "s.decimals")},
  'claimed', {whole("o.claimed", "s.decimals")}, 'paid_sol', {sol("o.paid_lamports")},
  'received_sol', {sol("o.received_lamports")}, 'tax_sol', {sol("o.tax_lamports")},
  'refunded_sol', {sol("o.refunded_lamports")}, 'referrer', o.referrer, 'created_at', {moment("o.created_at")},
  'updated_at', {moment("o.updated_at")})
"""
_POSITIONS: Final = Listing(
    body=_POSITION,
    source="launchpad.sale_positions o JOIN launchpad.sales s ON s.id = o.sale_id",
    key="((to_char(o.created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') || o.wallet) COLLATE \"C\")",
    kind="text",
)
_VESTING: Final = f"""
SELECT (g.data->>'at')::bigint AS starts_at, (g.data->>'vested_lamports')::bigint AS lamports,
  (g.data->>'vested_tokens')::numeric AS tokens, coalesce(sum(c.value_lamports), 0) AS claimed_lamports,
  coalesce(sum(c.tokens), 0) AS claimed_tokens,
  {moment("to_timestamp((g.data->>'at')::bigint + s.cliff_seconds)")} AS cliff_at,
  {moment("to_timestamp((g.data->>'at')::bigint + s.vest_seconds)")} AS ends_at
FROM launchpad.sale_events g JOIN launchpad.sales s ON s.id = g.sale_id
LEFT JOIN launchpad.sale_events c ON c.sale_id = g.sale_id AND c.kind = 'VestedClaimed'
WHERE g.sale_id = %s AND g.kind = 'Graduated' GROUP BY g.id, s.id
"""


async def sale(pool: Pool, sale_id: str) -> Row | None:
    """Every column of the sale, and what its project says of the token."""
    return await fetch_one(pool, _SALE, [sale_id])


async def vesting(pool: Pool, sale_id: str) -> Row | None:
    """What the team of a graduated sale waits for, and has got; None before."""
    return await fetch_one(pool, _VESTING, [sale_id])


async def positions(pool: Pool, sale_id: str, *, wallet: str | None, limit: int, after: str | None) -> Found:
    """Of one wallet or of all, newest first; those of one look at the chain by wallet."""
    filters = [("o.sale_id = %s", sale_id), ("o.wallet = %s", wallet)]
    return await fetch_page(pool, _POSITIONS, filters, limit=limit, after=after)
