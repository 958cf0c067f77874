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


async def sale(pool: Pool, sale_id: str) -> Row | None:
    """Every column of the sale, and what its project says of the token."""
    return await fetch_one(pool, _SALE, [sale_id])


async def positions(pool: Pool, sale_id: str, *, wallet: str | None, limit: int, after: str | None) -> Found:
    """Of one wallet or of all, newest first; those of one look at the chain by wallet."""
    filters = [("o.sale_id = %s", sale_id), ("o.wallet = %s", wallet)]
    return await fetch_page(pool, _POSITIONS, filters, limit=limit, after=after)
