"""What goes on at the running venue by itself: leaders who trade, and short markets that begin, end and resolve."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence

from localnet.polymarket import names
from localnet.polymarket.control import Control
from localnet.polymarket.facts import Action
from localnet.polymarket.generator import Chooser
from localnet.polymarket.markets import Market, Stage
from localnet.polymarket.numbers import ONE, text
from localnet.polymarket.sources import Drawn
from localnet.polymarket.tape import Live, Tape
from localnet.polymarket.world import LEADERS

KEPT_S = 7 * 86_400
KEPT_ROUNDS = 20


class Leaders:
    """Seeded: the order of deeds depends on the seed and on what the books hold. `a_minute`: deeds of all together."""

    def __init__(self, control: Control, seed: int, a_minute: float, leaders: Sequence[str] = LEADERS) -> None:
        self.control = control
        self.a_minute = a_minute
        self._rng = random.Random(seed * 1_000_003 + len(control.venue.feed))
        self._chooser = Chooser(control.venue, self._rng, leaders, drawn=False)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * 60 / self.a_minute)
            for action in self._chooser.next():
                await self.perform(action)
            self.control.venue.feed.forget_before(self.control.venue.now_ms() // 1000 - KEPT_S)

    async def perform(self, action: Action) -> None:
        """A book may be empty by now: then this deed is not done."""
        with contextlib.suppress(ValueError):
            await self.control.perform(action.verb, action.asked)


class Rounds:
    """A Bitcoin market of `seconds` after the other. Each ends, is proposed, and resolves as its reel did."""

    def __init__(self, control: Control, seconds: int, tape: Tape | None = None) -> None:
        self.control, self.seconds, self.tape = control, seconds, tape
        self._past: list[Market] = []
        self._wait = max(1.0, min(20.0, seconds / 10))

    async def run(self) -> None:
        """A round that ended while nobody was here is ended first; each end takes its time beside the next round."""
        async with asyncio.TaskGroup() as ends:
            for market in list(self.control.venue.markets.values()):
                if market.slug.startswith(self._prefix) and (market.ends_at or 0) * 1000 <= self.control.venue.now_ms():
                    ends.create_task(self.end(market))
            while True:
                now = self.control.venue.now_ms() // 1000
                begins = now - now % self.seconds
                market = await self.begin(begins)
                await asyncio.sleep(max(0.5, begins + self.seconds - self.control.venue.now_ms() / 1000))
                ends.create_task(self.end(market))

    @property
    def _prefix(self) -> str:
        return f"btc-updown-{self.seconds}s-"

    async def begin(self, begins: int) -> Market:
        slug = f"{self._prefix}{begins}"
        asked = {
            "slug": slug, "event": slug, "category": "crypto", "labels": ["Up", "Down"],
            "ends_at": begins + self.seconds,
            "question": f"Bitcoin up or down, {self.seconds} seconds from {begins}?",
        }  # fmt: skip
        await self.control.perform("market", asked)
        market = self.control.venue.market(slug)
        shelf = self.control.shelf
        if self.tape is not None:
            reel = self.tape.reels[begins // self.seconds % len(self.tape.reels)]
            shelf.sources[market.condition_id] = Live(self.tape, reel, begins * 1000, self.seconds * 1000)
        else:
            shelf.sources[market.condition_id] = Drawn(self.control.venue.seed, slug, market.tick, ONE // 2)
        return market

    async def end(self, market: Market) -> None:
        """Closed, proposed, resolved, with a little time between; others go on meanwhile."""
        if self.tape is not None:
            begins = (market.ends_at or 0) - self.seconds
            payout = self.tape.reels[begins // self.seconds % len(self.tape.reels)].payout
        else:
            payout = ONE * (names.draw(self.control.venue.seed, market.slug, "winner") % 2)
        for stage in (Stage.CLOSED, Stage.PROPOSED):
            if market.stage in (Stage.ACTIVE, Stage.PAUSED, Stage.CLOSED):
                await self.control.perform("stage", {"market": market.condition_id, "stage": stage.value})
                await asyncio.sleep(self._wait)
        if market.stage is not Stage.RESOLVED:
            payouts = [text(payout), text(ONE - payout)]
            await self.control.perform("resolve", {"market": market.condition_id, "payouts": payouts})
        self._past.append(market)
        self._forget()

    def _forget(self) -> None:
        """Old rounds that nobody holds any more."""
        while len(self._past) > KEPT_ROUNDS:
            market = self._past.pop(0)
            held = any(
                wallet.shares(token.id) for wallet in self.control.venue.wallets.values() for token in market.tokens
            )
            if not held:
                self.control.shelf.forget(market)
                self.control.establish("forget", {"market": market.condition_id})
