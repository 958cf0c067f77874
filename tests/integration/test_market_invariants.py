"""Each rule of the market notices what it is there for: the negative control of the checks that tests end with."""

from __future__ import annotations

import pytest

from domain.shared.ledger import PLATFORM_FEES, Transfer, lp_fees, move, reserve
from domain.shared.money import USDC, USDC_ONE
from tests.world.assets import book, funded_asset, trader
from tests.world.market import Asked, open_market

TAMPERED = {
    "positions: shares": ("UPDATE exchange.positions SET shares_atto = shares_atto + 1",
                          {"positions_equal_fills", "shares_equal_supply"}),
    "positions: cost": ("UPDATE exchange.positions SET cost_micros = cost_micros + 1", {"positions_equal_fills"}),
    "positions: profit": ("UPDATE exchange.positions SET realised_micros = 5", {"positions_equal_fills"}),
    "a sale's profit": ("UPDATE exchange.trades SET realised_micros = realised_micros + 1 WHERE side = 'sell'",
                        {"positions_equal_fills"}),
    "supply": ("UPDATE exchange.assets SET supply_atto = supply_atto - 1000000000000000000",
               {"shares_equal_supply", "curve_reserve_equals_integral"}),
    "curve": ("UPDATE exchange.assets SET p0_micros = p0_micros + 1", {"curve_reserve_equals_integral"}),
    "fee index": ("UPDATE exchange.assets SET fee_index = fee_index * 2", {"lp_fees_cover_what_is_owed"}),
    "an amount": ("UPDATE exchange.trades SET pool_micros = pool_micros + 1 WHERE side = 'buy'",
                  {"fills_equal_ledger"}),
    "a trader": ("UPDATE exchange.trades SET account_id = (SELECT created_by FROM exchange.assets)",
                 {"fills_equal_ledger", "positions_equal_fills"}),
    "a verdict": ("UPDATE exchange.trades SET verdict = 17 WHERE verdict = 2", {"verdicts_are_complete"}),
    "time": ("UPDATE exchange.trades SET executed_at = executed_at + interval '1 hour' WHERE verdict = 1",
             {"verdicts_are_complete"}),
    "the count of fills": ("UPDATE exchange.assets SET fills = fills + 1", {"verdicts_are_complete"}),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
async def test_a_tampered_market_breaks_its_rule(database: str, what: str) -> None:
    async with open_market(database) as market:
        asset, buyer = await funded_asset(database), await trader(database, 100 * USDC_ONE)
        await market.carry_out([Asked(asset, buyer, "buy", 20 * USDC_ONE), Asked(asset, buyer, "sell", 10**18)])
        assert await market.broken_rules() == {}
        statement, broken = TAMPERED[what]
        await market.rows(statement)
        assert set(await market.broken_rules()) == broken


async def test_a_bucket_that_was_drained_breaks_its_rule(database: str) -> None:
    async with open_market(database) as market:
        asset, buyer = await funded_asset(database), await trader(database, 100 * USDC_ONE)
        await market.carry_out([Asked(asset, buyer, "buy", 20 * USDC_ONE)])
        await book(database, Transfer(key="a", kind="test", postings=move(USDC, 1, reserve(asset), PLATFORM_FEES)))
        assert set(await market.broken_rules()) == {"curve_reserve_equals_integral"}
        await book(database, Transfer(key="b", kind="test", postings=move(USDC, 1, PLATFORM_FEES, reserve(asset))))
        fees = move(USDC, 100, lp_fees(asset), PLATFORM_FEES)
        await book(database, Transfer(key="c", kind="test", postings=fees))
        assert set(await market.broken_rules()) == {"lp_fees_cover_what_is_owed"}


async def test_a_transfer_of_a_trade_without_its_fill_breaks_its_rule(database: str) -> None:
    async with open_market(database) as market:
        asset = await funded_asset(database)
        lines = move(USDC, 1, lp_fees(asset), PLATFORM_FEES)
        buyer = await trader(database, 100 * USDC_ONE)
        await market.carry_out([Asked(asset, buyer, "buy", 20 * USDC_ONE)])
        await book(database, Transfer(key="trade:nobody", kind="trade", postings=lines))
        assert "fills_equal_ledger" in await market.broken_rules()
