"""The rules of liquidity notice what they are there for."""

from __future__ import annotations

import psycopg
import pytest

from domain.shared.ledger import WORLD, Transfer, available, lp_principal, move
from domain.shared.money import USDC as UNIT
from storage.database import make_pool
from storage.events import new_id
from storage.reads.invariants import RULES, check
from tests.world.assets import book, funded_asset, trader

USDC = 10**6
BREAKS = {
    "lp_principal_equals_shares": "UPDATE exchange.assets SET lp_shares_micros = lp_shares_micros + 1",
    "contributions_match_positions_and_ledger": "UPDATE exchange.contributions SET status = 'refunded'",
    "lp_payouts_match_ledger": "UPDATE exchange.lp_positions SET withdrawn_micros = 1",
    "lp_fee_claims_match_ledger": "UPDATE exchange.lp_positions SET fees_claimed_micros = 1",
    "lp_fees_cover_what_is_owed": "UPDATE exchange.lp_positions SET fees_owed_micros = 1",
}


async def failing(dsn: str) -> set[str]:
    async with make_pool(dsn, size=1, name="test", read_only=True) as pool:
        return {verdict.name for verdict in [await check(pool, rule) for rule in RULES] if not verdict.ok}


@pytest.mark.parametrize("name", BREAKS)
async def test_a_broken_row_is_noticed_by_its_rule(database: str, name: str) -> None:
    await funded_asset(database)
    assert await failing(database) == set()
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute(BREAKS[name])  # type: ignore[call-overload]
    assert name in await failing(database)


async def test_a_refund_booked_for_what_is_not_refunded_is_noticed(database: str) -> None:
    asset = await funded_asset(database, principal=0)
    account, lines = await trader(database), move(UNIT, USDC, WORLD, lp_principal(asset))
    await book(database, Transfer(key="test:in", kind="test", postings=lines))
    back = move(UNIT, USDC, lp_principal(asset), available(account))
    key = f"contribution:{new_id()}:refund"
    await book(database, Transfer(key=key, kind="contribution_refund", postings=back))
    assert "contributions_match_positions_and_ledger" in await failing(database)
