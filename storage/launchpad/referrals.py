"""Uplines of wallets and what they earn: one row per wallet and level, the same for every token of a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.launchpad.trade_tax import split
from storage.database import Connection

_KNOWN: Final = """
SELECT referee_address, array_agg(referrer_address ORDER BY level) AS chain FROM launchpad.referrals
WHERE program_account = %s AND referee_address = ANY(%s) GROUP BY referee_address
"""
_EARN: Final = """
INSERT INTO launchpad.referrals AS r
  (program_account, referee_address, level, referrer_address, earned_lamports, transaction_count)
SELECT %s, %s, ord, upline, share, 1 FROM unnest(%s::text[], %s::bigint[]) WITH ORDINALITY AS u(upline, share, ord)
ON CONFLICT (program_account, referee_address, level) DO UPDATE SET
  earned_lamports = r.earned_lamports + excluded.earned_lamports, transaction_count = r.transaction_count + 1,
  updated_at = clock_timestamp()
"""
_TAXES: Final = """
SELECT e.tax_lamports AS tax, s.referral_bps FROM launchpad.sale_events e JOIN launchpad.sales s ON s.id = e.sale_id
WHERE e.sale_id = %s AND e.wallet = %s AND e.kind = 'Traded' AND (e.data->>'referral')::numeric > 0
"""
_UNEARN: Final = """
UPDATE launchpad.referrals r SET earned_lamports = r.earned_lamports - s.share,
  transaction_count = r.transaction_count - %s, updated_at = clock_timestamp()
FROM unnest(%s::bigint[]) WITH ORDINALITY AS s(share, level)
WHERE r.program_account = %s AND r.referee_address = %s AND r.level = s.level
"""
_SETTLE: Final = """
UPDATE launchpad.referrals r SET claimed_lamports = r.claimed_lamports + s.share, updated_at = clock_timestamp()
FROM unnest(%s::bigint[]) WITH ORDINALITY AS s(share, level)
WHERE r.program_account = %s AND r.referee_address = %s AND r.level = s.level AND s.share > 0
"""


async def known(connection: Connection, program: str, wallets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The chains of these wallets that have a row already; a chain never changes."""
    cursor = await connection.execute(_KNOWN, [program, list(wallets)])
    return {row["referee_address"]: tuple(row["chain"]) for row in await cursor.fetchall()}


async def earn(
    connection: Connection, program: str, trader: str, uplines: tuple[str, ...], tax: int, sale_id: str
) -> None:
    """Share a trade's tax among the trader's uplines, as the program did."""
    cursor = await connection.execute("SELECT referral_bps FROM launchpad.sales WHERE id = %s", [sale_id])
    row = await cursor.fetchone()
    assert row is not None
    shares = split(tax, len(uplines), row["referral_bps"]).referral
    await connection.execute(_EARN, [program, trader, list(uplines), list(shares)])


async def unearn(connection: Connection, program: str, trader: str, sale_id: str) -> None:
    """A refund gives the tax back too: what the trader's uplines had earned in this sale was never paid."""
    chain = (await known(connection, program, [trader])).get(trader, ())
    taxes = await (await connection.execute(_TAXES, [sale_id, trader])).fetchall()
    shares = [split(row["tax"], len(chain), row["referral_bps"]).referral for row in taxes]
    if chain and shares:
        sums = [sum(level) for level in zip(*shares, strict=True)]
        await connection.execute(_UNEARN, [len(taxes), sums, program, trader])


async def settle(connection: Connection, program: str, trader: str, shares: Sequence[int]) -> None:
    """What the trader's uplines had earned is in their accounts now."""
    await connection.execute(_SETTLE, [list(shares), program, trader])
