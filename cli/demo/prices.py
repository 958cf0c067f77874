"""What the oracle says, and what happens when the price that is shown jumps."""

from __future__ import annotations

from typing import Any, Final

import httpx

from cli.demo.board import say
from cli.demo.client import Resource, until
from cli.demo.market import Market
from cli.demo.world import Ended, World
from domain.shared import ids
from domain.shared.money import parse_usdc

NARROW: Final[dict[str, Any]] = {
    "p0_usdc": "1",
    "k_usdc": "0.000001",
    "soft_cap_usdc": "60",
    "hard_cap_usdc": "100",
    "breaker_bps": 30,
}
"""An asset on which one signal of 5 % trips the breaker: it moves the fundamental price by 1 %, what is shown by 0.5 %,
and 0.3 % is the limit."""


class Prices:
    def __init__(self, world: World, market: Market) -> None:
        self.world = world
        self.api = world.api
        self.market = market
        self.upstreams = world.endpoints["upstreams"]

    @property
    def can_be_told(self) -> bool:
        """Whether search and model are the local ones, whose mood the demo sets."""
        return "search_url" in self.upstreams and "llm_url" in self.upstreams

    async def _mood(self, asset: Resource, mood: str, delta_percent: str) -> None:
        """Local upstreams: what is in the air about this asset."""
        about = {"match": asset["name"], "mood": mood, "delta_percent": delta_percent}
        async with httpx.AsyncClient(base_url=self.upstreams["search_url"], timeout=5) as control:
            (await control.post("/control/moods", json=about)).raise_for_status()

    async def _signal(self, asset: Resource) -> Resource:
        """Good news, a fresh signal on the operator's request, and no news any more."""
        await self._mood(asset, "bullish", "5")
        path = f"/api/exchange/assets/{asset['id']}"
        operation = (await self.api.post(f"{path}/refresh-signal"))["operation_id"]

        async def look() -> Resource | None:
            items = (await self.api.get(f"{path}/signals"))["items"]
            ours = [s for s in items if s["operation_id"] == operation and s["status"] != "accepted"]
            return ours[0] if ours else None

        signal = await until(look, f"the oracle's signal about {asset['symbol']}")
        await self._mood(asset, "quiet", "0")
        assert signal["status"] == "applied", f"{signal['status']}: {signal['reason']}"
        moved = f"{signal['fundamental_before_usdc']} → {signal['fundamental_after_usdc']}"
        say(f"signal {signal['delta_percent']} % from {len(signal['source_urls'])} sources: fundamental price {moved}")
        return signal

    async def signal(self, asset: Resource) -> Ended:
        """Web search, model, judged signal: the price that is shown moves, the curve does not."""
        path = f"/api/exchange/assets/{asset['id']}"
        before = await until(lambda: self._all_shown(path), f"the last trade's tick of {asset['symbol']}")
        signal = await self._signal(asset)
        after = await self.market.asset(asset["id"])
        shown = f"{before['display_price_usdc']} → {after['display_price_usdc']}"
        assert parse_usdc(after["display_price_usdc"]) > parse_usdc(before["display_price_usdc"]), f"display {shown}"
        for name in ("spot_price_usdc", "reserve_usdc", "total_supply", "status"):
            assert before[name] == after[name], f"{name} changed from {before[name]} to {after[name]}"
        links = (
            self.world.resource(f"{path}/signals/{signal['id']}"),
            await self.world.process(signal),
            self.world.resource(f"{path}/ticks"),
            self.world.workflow(ids.price_engine(asset["id"]), "price engine"),
        )
        return Ended(f"display price {shown}, spot price still {after['spot_price_usdc']}", links)

    async def halt(self, asset: Resource, account: str) -> Ended:
        """The shown price jumps further than the asset bears: nobody trades until the halt ends by itself, or by an
        operator."""
        path = f"/api/exchange/assets/{asset['id']}"
        await self.market.traded(asset, account, "buy", amount_usdc="20")
        await until(lambda: self._all_shown(path), f"the trade's tick of {asset['symbol']}")
        await self._signal(asset)
        halt = (await self.api.get(f"{path}/halts"))["items"][0]
        found = await self.market.asset(asset["id"])
        assert (halt["cause"], found["status"]) == ("circuit_breaker", "halted"), f"{halt} {found['status']}"
        say(f"halted: {halt['old_price_usdc']} → {halt['new_price_usdc']}; goes on by itself at {halt['until'][11:19]}")
        problem = await self.market.refused_order(asset, account, amount_usdc="5")
        assert problem["code"] == "asset_halted", problem
        say(f"an order is refused with `{problem['code']}`; an operator looks and resumes")
        ended = await self.api.post(f"{path}/resume", {"note": "the news are out"})
        assert ended["status"] == "ended", ended
        await self.market.traded(asset, account, "buy", amount_usdc="5")
        links = (self.world.resource(f"{path}/halts"), await self.world.process(halt))
        result = (
            f"halted at a jump of {halt['change_percent']} % until {halt['until'][11:19]} UTC, orders refused with "
            f"`{problem['code']}`; resumed by an operator, trades again"
        )
        return Ended(result, links)

    async def _all_shown(self, path: str) -> Resource | None:
        """The asset, once the newest tick knows of its last trade."""
        ticks = (await self.api.get(f"{path}/ticks?limit=1"))["items"]
        asset = await self.api.get(path)
        shown = bool(ticks) and ticks[0]["market_price_usdc"] == asset["spot_price_usdc"]
        return asset if shown else None
