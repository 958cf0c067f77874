"""Assets and money made by hand, for tests of what comes after funding: one row, its principal booked, its provider.

`funded_asset()` gives what a completed funding round leaves behind; `give()` puts USDC on an account without a chain.
"""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from domain.exchange.curve import SHARE
from domain.shared.ledger import WORLD, Transfer, available, lp_principal, move
from domain.shared.money import USDC, USDC_ONE
from storage.books import Books
from storage.database import make_pool
from storage.events import new_id

K_CENT = 10**16
"""k = 0.01 USDC per share²."""


async def book(dsn: str, *transfers: Transfer) -> None:
    """Transfers in one transaction, through the books."""
    async with make_pool(dsn, size=1, name="test-books") as pool, Books(pool).begin() as opened:
        await opened.book(*transfers)


async def give(dsn: str, account_id: str, micros: int) -> None:
    """USDC from nowhere: the books balance, custody on the chain knows nothing of it."""
    key = f"test:give:{new_id()}"
    await book(dsn, Transfer(key=key, kind="test", postings=move(USDC, micros, WORLD, available(account_id))))


async def trader(dsn: str, micros: int = 0, name: str = "trader") -> str:
    """An account, with USDC if wanted."""
    account_id = new_id()
    await _execute(dsn, "INSERT INTO platform.accounts (id, name, role) VALUES (%s, %s, 'trader')", [account_id, name])
    if micros:
        await give(dsn, account_id, micros)
    return account_id


async def funded_asset(
    dsn: str,
    *,
    p0_micros: int = USDC_ONE,
    k_atto: int = K_CENT,
    fee_bps: int = 50,
    lp_part_bps: int = 9_000,
    breaker_bps: int = 0,
    principal: int = 2_500 * USDC_ONE,
    shard: int = 0,
    status: str = "active",
    provider: str | None = None,
    symbol: str | None = None,
    soft_cap: int = 2_500 * USDC_ONE,
    hard_cap: int = 25_000 * USDC_ONE,
    deadline_in_s: int = 7 * 86_400,
) -> str:
    """An asset with `principal` micros of one provider in it (0: none); returns its id.

    `status` funding, active, halted or cancelled; the breaker is off unless asked for.
    """
    asset_id = new_id()
    owner = provider or await trader(dsn, name="provider")
    await _execute(
        dsn,
        """INSERT INTO exchange.assets (id, symbol, name, status, p0_micros, k_atto, fee_bps, lp_part_bps, breaker_bps,
             soft_cap_micros, hard_cap_micros, funding_deadline, shard, lp_shares_micros, created_by, activated_at)
           VALUES (%(id)s, %(symbol)s, %(symbol)s, %(status)s::text::exchange.asset_status,
             %(p0)s, %(k)s, %(fee)s, %(lp)s, %(breaker)s,
             %(soft)s, %(hard)s, clock_timestamp() + %(deadline)s * interval '1 second', %(shard)s, %(principal)s,
             %(owner)s, CASE WHEN %(status)s::text IN ('active', 'halted') THEN clock_timestamp() END)""",
        {
            "id": asset_id,
            "symbol": symbol or f"T{asset_id.replace('-', '')[-10:].upper()}",
            "status": status,
            "p0": p0_micros,
            "k": k_atto,
            "fee": fee_bps,
            "lp": lp_part_bps,
            "breaker": breaker_bps,
            "soft": soft_cap,
            "hard": hard_cap,
            "deadline": deadline_in_s,
            "shard": shard,
            "principal": principal,
            "owner": owner,
        },
    )
    if principal:
        await _contribute(dsn, asset_id, owner, principal)
    return asset_id


async def _contribute(dsn: str, asset_id: str, owner: str, micros: int) -> None:
    contribution = new_id()
    await _execute(
        dsn,
        """WITH c AS (
             INSERT INTO exchange.contributions (id, asset_id, account_id, amount_micros, status, accepted_at)
             VALUES (%(id)s, %(asset)s, %(owner)s, %(micros)s, 'accepted', clock_timestamp()))
           INSERT INTO exchange.lp_positions (asset_id, account_id, shares_micros, contributed_micros)
           VALUES (%(asset)s, %(owner)s, %(micros)s, %(micros)s)""",
        {"id": contribution, "asset": asset_id, "owner": owner, "micros": micros},
    )
    lines = move(USDC, micros, WORLD, lp_principal(asset_id))
    await book(dsn, Transfer(key=f"test:principal:{asset_id}", kind="test", postings=lines))


async def _execute(dsn: str, statement: LiteralString, parameters: Any) -> None:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute(statement, parameters)


def shares(count: int) -> int:
    """Whole shares in atto."""
    return count * SHARE
