"""The local Polymarket venue in this process, and a driver that tells it what to do.

    async with running_venue(seed=7) as venue:
        market = await venue.market("rain-in-paris", category="weather")       # or one of the standard world
        await venue.trade("alice", "rain-in-paris:0", "BUY", "20", price="0.52")
        rows = await client.get(venue.data_url + "/v2/activity", params={"user": venue.address("alice")})

Wallets go by any name (`venue.address("alice")` is its address); a token is its id or "slug:place"; amounts are
decimal strings. `at` is a block time in seconds, `ago_s` so long ago, `late_s` shows the rows that much later in the
API, `tx_hash` puts a deed into a known transaction. What a deed returns: `.tx_hash`, `.timestamp`, `.rows` (as
/v2/activity has them). A new market without a category has no fees.

Addresses for settings: `venue.settings()` gives those of the product; `data_url`, `clob_url`, `gamma_url`, `ws_url`.
Books stand still unless `moving=True`; `venue.book(token, bids, asks)` sets one. Without `limits` there is none, and
`cache=True` switches the CDN's cache on (`venue.cache(advance_s=15)` lets it age).

Faults: `venue.fail("data:/v2/activity", "http_429", times=2, seconds=1)`, target a route, a service (data, clob,
gamma) or "*"; names in `localnet.polymarket.faults.FAULTS`; `venue.heal()` forgets them. Sockets:
`venue.sockets(mood="silent")`, `venue.sockets(drop=1006)`. Truth: `venue.positions("alice")` and `venue.cash("alice")`
in micros, `venue.rows("alice")` all rows oldest first, `venue.calls` requests by route, `venue.requests` the last ones.
Ten thousand events: `for action in events(seed, 10_000): await venue.act(action)`.

Pass `chain=` a `PolygonExchange` and every deed of now is mined there first. Over HTTP the same verbs are
``POST {venue.url}/control/{verb}`` with the same words (see `localnet.polymarket.control`).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

from localnet.polymarket import rows
from localnet.polymarket.acting import Chain
from localnet.polymarket.facts import Action
from localnet.polymarket.generator import events
from localnet.polymarket.markets import Market
from localnet.polymarket.server import VenueServer
from localnet.polymarket.world import furnish

__all__ = ["Deed", "RunningVenue", "events", "running_venue"]

Levels = Iterable[tuple[str, str]]


class Deed(NamedTuple):
    """What a wallet did."""

    tx_hash: str
    timestamp: int
    rows: list[dict[str, Any]]


class RunningVenue(VenueServer):
    """See the module."""

    def settings(self) -> dict[str, str]:
        """What the product's settings are given."""
        return {
            "polymarket_data_api_base_url": self.data_url,
            "polymarket_clob_base_url": self.clob_url,
            "polymarket_gamma_base_url": self.gamma_url,
            "polymarket_market_ws_url": self.ws_url,
        }

    async def perform(self, verb: str, **asked: Any) -> dict[str, Any]:
        """Any verb of `localnet.polymarket.control`; arguments that are None are left out."""
        told = {name: value for name, value in asked.items() if value is not None}
        return await self.control.perform(verb, told) or {}

    async def _deed(self, verb: str, **asked: Any) -> Deed:
        done = await self.perform(verb, **asked)
        return Deed(done["tx_hash"], done["timestamp"], done["rows"])

    # Wallets.

    def address(self, name: str) -> str:
        return self.venue.wallet(name).address

    def positions(self, name: str) -> dict[str, int]:
        """Micros of shares by token id."""
        return self.venue.wallet(name).positions()

    def cash(self, name: str) -> int:
        """Micros of USDC that all its rows together moved."""
        return self.venue.wallet(name).cash

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Every row of a wallet, oldest first, as /v2/activity has them (whether indexed yet or not)."""
        return [rows.activity(self.venue, row) for row in self.venue.feed.rows(self.address(name))]

    # Deeds.

    async def trade(
        self, wallet: str, token: str, side: str, shares: str, price: str | None = None, **more: Any
    ) -> Deed:
        """Without a price the order takes from the book. `role="maker"`, `usdc=` (a price that is a ratio),
        `copies=2` (equal fills in one transaction), `labelled=False` (outcome_index 999), `take=True`."""
        return await self._deed("trade", wallet=wallet, token=token, side=side, shares=shares, price=price, **more)

    async def slices(self, wallet: str, token: str, side: str, parts: list[dict[str, Any]], **more: Any) -> Deed:
        """One order as many fills: parts of {"shares", "price", "after_s"}, each a transaction of its own."""
        return await self._deed("slices", wallet=wallet, token=token, side=side, parts=parts, **more)

    async def split(self, wallet: str, market: str, pairs: str, **more: Any) -> Deed:
        return await self._deed("split", wallet=wallet, market=market, pairs=pairs, **more)

    async def merge(self, wallet: str, market: str, pairs: str, **more: Any) -> Deed:
        return await self._deed("merge", wallet=wallet, market=market, pairs=pairs, **more)

    async def redeem(self, wallet: str, market: str, *, with_token: bool = False, **more: Any) -> Deed:
        return await self._deed("redeem", wallet=wallet, market=market, with_token=with_token, **more)

    async def convert(self, wallet: str, markets: list[str], amount: str, **more: Any) -> Deed:
        return await self._deed("convert", wallet=wallet, markets=markets, amount=amount, **more)

    async def credit(self, wallet: str, kind: str, amount: str, **more: Any) -> Deed:
        """MAKER_REBATE, REWARD, YIELD, DEPOSIT, TIP (side="IN"), …"""
        return await self._deed("credit", wallet=wallet, kind=kind, amount=amount, **more)

    async def combo(self, wallet: str, shares: str, price: str, **more: Any) -> Deed:
        return await self._deed("combo", wallet=wallet, shares=shares, price=price, **more)

    async def act(self, action: Action) -> None:
        """One of `events(seed, n)`."""
        await self.perform(action.verb, **action.asked)

    # Markets and books.

    async def market(self, slug: str, **more: Any) -> Market:
        """The market of this slug, made if there is none: category, event, neg_risk, tick, ends_at, version, labels."""
        await self.perform("market", slug=slug, **more)
        return self.venue.market(slug)

    async def resolve(self, market: str, winner: int | None = None, payouts: list[str] | None = None) -> None:
        """0 or 1 wins; None is 50/50; `payouts` any two that add up to 1."""
        asked: dict[str, Any] = {"market": market, "winner": winner}
        await self.control.perform("resolve", asked if payouts is None else {**asked, "payouts": payouts})

    async def stage(self, market: str, stage: str) -> None:
        """active, paused (no orders), closed, proposed, disputed."""
        await self.perform("stage", market=market, stage=stage)

    async def book(self, token: str, bids: Levels, asks: Levels, **more: Any) -> None:
        """Levels of (price, shares) in any order. `mirror=False`, `shown="best_first" | "shuffled"`."""
        await self.perform("book", token=token, bids=list(bids), asks=list(asks), **more)

    async def cache(self, advance_s: float = 0, *, clear: bool = False) -> None:
        await self.perform("cache", advance_s=advance_s, clear=clear)

    async def sockets(self, mood: str | None = None, drop: int | None = None) -> None:
        await self.perform("sockets", mood=mood, drop=drop)

    def heal(self) -> None:
        """No more faults, sockets speak."""
        self.faults.clear()
        self.channel.mood = "speaks"


@contextlib.asynccontextmanager
async def running_venue(
    *,
    seed: int = 7,
    port: int = 0,
    moving: bool = False,
    limits: float = 0.0,
    cache: bool = False,
    world: bool = True,
    chain: Chain | None = None,
) -> AsyncIterator[RunningVenue]:
    """The venue on a free port, with the standard markets unless `world=False`."""
    async with RunningVenue(port, seed=seed, moving=moving, limits=limits, cache=cache) as venue:
        if world:
            furnish(venue.venue, venue.shelf)
        venue.control.chain = chain
        yield venue
