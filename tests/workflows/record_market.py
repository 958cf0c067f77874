"""The golden history of a market engine: it runs, and an order has its verdict."""

from __future__ import annotations

from domain.shared import ids
from domain.shared.money import USDC_ONE
from tests.world import World
from tests.world.assets import funded_asset, trader
from tests.world.market import MarketSide


async def market(world: World) -> dict[str, str]:
    side = MarketSide(world.dsn)
    asset, buyer = await funded_asset(world.dsn), await trader(world.dsn, 10 * USDC_ONE)
    trade_id = await side.buy(asset, buyer, USDC_ONE)
    await side.until(lambda: side.trade(trade_id), lambda row: row["status"] == "filled")
    return {"MarketEngine/running": ids.market_engine(0)}
