"""Everything the venue can be told, by verb: what leaders do (``acting.py``), and what becomes of markets and books.

A verb takes a JSON object and answers with one, or with nothing. Bad input raises ValueError and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from localnet.polymarket import onchain
from localnet.polymarket.acting import Acting
from localnet.polymarket.books import Book, Last, Levels
from localnet.polymarket.edge import Edge
from localnet.polymarket.markets import Market, Stage
from localnet.polymarket.numbers import ONE, micros, text
from localnet.polymarket.shelf import Shelf
from localnet.polymarket.sockets import MarketChannel
from localnet.polymarket.venue import Venue, check_move
from localnet.polymarket.wallets import Wallet

Verb = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]
SHOWN = ("worst_first", "best_first", "shuffled")


class Control(Acting):
    """``perform(verb, asked)``; ``verbs()`` names them all."""

    def __init__(self, venue: Venue, shelf: Shelf, channel: MarketChannel, edge: Edge) -> None:
        super().__init__(venue, shelf, channel)
        self.edge = edge
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def verbs(self) -> dict[str, Verb]:
        return {
            "trade": self.trade, "slices": self.slices, "split": self.split, "merge": self.merge,
            "redeem": self.redeem, "convert": self.convert, "credit": self.credit, "combo": self.combo,
            "market": self.market, "resolve": self.resolve, "stage": self.stage, "tick": self.tick,
            "book": self.book, "release": self.release, "hide": self.hide, "last": self.last_trade,
            "wallet": self.wallet, "late": self.late, "cache": self.cache, "sockets": self.sockets,
            "settings": self.settings,
        }  # fmt: skip

    async def perform(self, verb: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        found = self.verbs().get(verb)
        if found is None:
            raise ValueError(f"verbs are {', '.join(self.verbs())}")
        try:
            async with self._turns[str(asked.get("wallet", ""))]:  # what was checked must still hold once it is mined
                return await found(asked)
        except KeyError as error:
            raise ValueError(f"{verb} needs {error}") from error

    def show(self) -> dict[str, Any]:
        """The world in short."""
        return {
            "markets": [described(one) for one in self.venue.markets.values()],
            "wallets": [held(one) for one in self.venue.wallets.values()],
            "rows": len(self.venue.feed),
            "connections": self.channel.connections,
            "verbs": list(self.verbs()),
        }

    # Markets.

    async def market(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A market; a new one with {"slug"[, "event", "category", "neg_risk", "labels", "tick", "ends_at", "version",
        "seconds_delay", "question"]}, one that is there already with its slug or id alone."""
        slug = str(asked["slug"])
        try:
            return described(self.venue.market(slug))
        except ValueError:
            pass
        now = self.venue.now_ms() // 1000
        self.establish("market", {**asked, "slug": slug, "starts_at": asked.get("starts_at", now)})
        return described(self.venue.market(slug))

    async def resolve(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"market", "winner": 0 | 1 | null} or {"market", "payouts": ["0.5", "0.5"]}."""
        market = self.venue.market(str(asked["market"]))
        if "payouts" in asked:
            first, second = (micros(one) for one in asked["payouts"])
            payouts = (first, second)
        else:
            winner = asked.get("winner")
            if winner not in (0, 1, None):
                raise ValueError("winner is 0, 1 or null")
            payouts = (ONE // 2, ONE // 2) if winner is None else ((ONE, 0), (0, ONE))[winner]
        check_move(market, Stage.RESOLVED, payouts)
        facts = {"market": market.condition_id, "payouts": [text(one) for one in payouts], "at": asked.get("at")}
        if self.chain is not None and facts["at"] is None and asked.get("on_chain", True):
            mined = await self.chain.send(onchain.resolved(market, payouts))
            facts |= {"at": mined.timestamp, "block": mined.block}
        self.establish("resolve", self._timed(facts))
        await self.channel.resolved(market)
        return described(market)

    async def stage(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"market", "stage": active | paused | closed | proposed | disputed}."""
        market, stage = self.venue.market(str(asked["market"])), Stage(str(asked["stage"]))
        facts = {"market": market.condition_id, "stage": stage.value, "at": asked.get("at")}
        self.establish("stage", self._timed(facts))
        return described(market)

    def _timed(self, facts: dict[str, Any]) -> dict[str, Any]:
        return {**facts, "at": self.venue.now_ms() // 1000 if facts["at"] is None else int(facts["at"])}

    async def tick(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"market", "tick"}: the grid of prices becomes another one, listeners are told."""
        market, tick = self.venue.market(str(asked["market"])), micros(asked["tick"])
        if tick not in (100_000, 10_000, 5_000, 2_500, 1_000, 100):
            raise ValueError("ticks are 0.1, 0.01, 0.005, 0.0025, 0.001, 0.0001")
        old = market.tick
        self.establish("tick", {"market": market.condition_id, "tick": text(tick)})
        await self.channel.tick_size(market, old)
        await self.channel.shown(market)
        return described(market)

    # Books.

    async def book(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"token", "bids": [["0.4", "100"], …], "asks": […][, "mirror", "shown", "quietly"]}: this book from now on.

        `mirror=false` leaves the other outcome's book as it is; `shown` is the order of the arrays (worst_first,
        best_first, shuffled); `quietly` does not tell the market channel.
        """
        market, token = self.venue.token(str(asked["token"]))
        shown = str(asked.get("shown", "worst_first"))
        if market.closed or shown not in SHOWN:
            raise ValueError(f"{market.slug} is {market.stage}, shown is one of {', '.join(SHOWN)}")
        book = Book(_levels(asked.get("bids", [])), _levels(asked.get("asks", [])), shown=shown)
        self.shelf.pin(market, token, book, mirror=bool(asked.get("mirror", True)))
        if not asked.get("quietly"):
            await self.channel.changed(market)
        return {"token_id": token.id, "timestamp": str(book.changed_ms)}

    async def release(self, asked: dict[str, Any]) -> None:
        """{"market"}: its book is again the one it has by itself."""
        market = self.venue.market(str(asked["market"]))
        self.shelf.unpin(market)
        await self.channel.changed(market)

    async def hide(self, asked: dict[str, Any]) -> None:
        """{"token"[, "hidden"]}: the token has no book although its market is open, as a fresh one hasn't."""
        _, token = self.venue.token(str(asked["token"]))
        if asked.get("hidden", True):
            self.shelf.hidden.add(token.id)
        else:
            self.shelf.hidden.discard(token.id)

    async def last_trade(self, asked: dict[str, Any]) -> None:
        """{"token", "price", "side"}: somebody else's trade."""
        market, token = self.venue.token(str(asked["token"]))
        last = Last(micros(asked["price"]), str(asked.get("side", "BUY")).upper(), micros(asked.get("shares", "10")))
        self.shelf.last[token.id] = last
        await self.channel.traded(market, token, last, self.venue.when().tx_hash)

    # The rest of the world.

    async def wallet(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"name"}: its address, and what it holds."""
        return held(self.venue.wallet(str(asked["name"])))

    async def late(self, asked: dict[str, Any]) -> None:
        """{"rows", "seconds"}: the next rows are indexed so much later, younger ones are there before them."""
        self.venue.late += [int(float(asked["seconds"]) * 1000)] * int(asked.get("rows", 1))

    async def cache(self, asked: dict[str, Any]) -> None:
        """{"advance_s"}: the CDN's clock goes on; {"clear": true}: the cache and the counted requests are gone."""
        self.edge.ahead_s += float(asked.get("advance_s", 0))
        if asked.get("clear"):
            self.edge.forget()

    async def sockets(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"mood": speaks | silent | deaf | refuses} and/or {"drop": close code, 1006 without a farewell}."""
        mood = str(asked.get("mood", self.channel.mood))
        if mood not in ("speaks", "silent", "deaf", "refuses"):
            raise ValueError("moods are speaks, silent, deaf, refuses")
        self.channel.mood = mood
        dropped = await self.channel.drop(int(asked["drop"])) if asked.get("drop") else 0
        return {"mood": mood, "dropped": dropped, "connections": self.channel.connections}

    async def settings(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"index_delay_s", "sell_usdc": net | gross, "limits": factor (0: none), "cache": bool}."""
        if asked.get("sell_usdc", "net") not in ("net", "gross"):
            raise ValueError("sell_usdc is net or gross")
        self.venue.index_delay_ms = int(float(asked.get("index_delay_s", self.venue.index_delay_ms / 1000)) * 1000)
        self.venue.sell_usdc = str(asked.get("sell_usdc", self.venue.sell_usdc))
        self.edge.scale = float(asked.get("limits", self.edge.scale))
        self.edge.caching = bool(asked.get("cache", self.edge.caching))
        return {
            "index_delay_s": self.venue.index_delay_ms / 1000, "sell_usdc": self.venue.sell_usdc,
            "limits": self.edge.scale, "cache": self.edge.caching,
        }  # fmt: skip


def described(market: Market) -> dict[str, Any]:
    """A market in short."""
    return {
        "condition_id": market.condition_id,
        "gamma_id": market.gamma_id,
        "slug": market.slug,
        "question": market.question,
        "tokens": [{"token_id": token.id, "outcome": token.label} for token in market.tokens],
        "event_id": market.event.id,
        "event": market.event.slug,
        "category": market.category,
        "neg_risk": market.neg_risk,
        "version": market.version,
        "tick": text(market.tick),
        "ends_at": market.ends_at,
        "stage": market.stage.value,
        "payouts": None if market.payouts is None else [text(one) for one in market.payouts],
    }


def held(wallet: Wallet) -> dict[str, Any]:
    """A wallet in short: the truth, as decimal strings."""
    positions = {token_id: text(shares) for token_id, shares in wallet.positions().items()}
    return {"name": wallet.name, "address": wallet.address, "cash": text(wallet.cash), "positions": positions}


def _levels(given: Any) -> Levels:
    levels: Levels = {}
    for price, size in given:
        levels[micros(price)] = micros(size)
    if any(not 0 < price < ONE or size <= 0 for price, size in levels.items()):
        raise ValueError("prices lie between 0 and 1, sizes above 0")
    return levels
