"""The CLOB's market channel: books on subscription, then what changes. Strings everywhere, and sometimes a list."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import WSMsgType, web

from localnet.polymarket import books
from localnet.polymarket.books import Last, Levels
from localnet.polymarket.markets import Market, Token
from localnet.polymarket.numbers import ONE, text
from localnet.polymarket.shelf import Shelf

MOST = 500
"""Assets of one connection; with more of them it gets no books at all, and nobody tells."""
TICK = 1.0
SLOW = 5.0


class _Listener:
    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.socket = socket
        self.transport = transport
        self.assets: set[str] = set()
        self.custom = False


class MarketChannel:
    """`mood`: "speaks", "silent" (answers PING and nothing else), "deaf" (nothing at all), "refuses" (no new ones)."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.mood = "speaks"
        self.accepted = 0
        self._listeners: list[_Listener] = []
        self._sent: dict[str, tuple[Levels, Levels]] = {}
        self._ticker: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        return len(self._listeners)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.mood == "refuses":
            return web.Response(status=503, text="upstream unavailable")
        socket = web.WebSocketResponse(max_msg_size=2**20)
        await socket.prepare(request)
        listener = _Listener(socket, request.transport)
        self._listeners.append(listener)
        self.accepted += 1
        if self._ticker is None and self.shelf.moving:
            self._ticker = asyncio.create_task(self._tick(), name="market channel")
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._heard(listener, message.data)
        finally:
            self._listeners.remove(listener)
        return socket

    async def _heard(self, listener: _Listener, said: str) -> None:
        if said == "PING":
            if self.mood != "deaf":
                await listener.socket.send_str("PONG")
            return
        with contextlib.suppress(ValueError):
            asked = json.loads(said)
            if isinstance(asked, dict):
                await self._asked(listener, asked)
                return
        await listener.socket.send_str("INVALID OPERATION")

    async def _asked(self, listener: _Listener, asked: dict[str, Any]) -> None:
        given = asked.get("assets_ids", [])
        assets = [str(one) for one in given] if isinstance(given, list) else []
        listener.custom = bool(asked.get("custom_feature_enabled", listener.custom))
        if asked.get("operation") == "unsubscribe":
            listener.assets.difference_update(assets)
        elif asked.get("operation") == "subscribe" or str(asked.get("type", "")).lower() == "market":
            fresh = [one for one in dict.fromkeys(assets) if one not in listener.assets]
            listener.assets.update(fresh)
            if len(listener.assets) <= MOST:
                await self._send(listener, [one for one in map(self._book, fresh) if one])
        else:
            await listener.socket.send_str("INVALID OPERATION")

    def _book(self, token_id: str) -> dict[str, Any] | None:
        book = self.shelf.book(token_id)
        if book is None:
            return None
        market, token = self.shelf.venue.tokens[token_id]
        self._sent[token_id] = dict(book.bids), dict(book.asks)
        return {"event_type": "book", **books.summary(market, token, book, self.shelf.last.get(token_id))}

    async def _send(self, listener: _Listener, frame: Any) -> None:
        if self.mood in ("silent", "deaf") or frame == []:
            return
        try:
            async with asyncio.timeout(SLOW):
                await listener.socket.send_str(json.dumps(frame))
        except TimeoutError:
            await listener.socket.close(code=1013, message=b"slow consumer")
        except ConnectionError:
            pass

    async def _publish(self, assets: Iterable[str], frame: dict[str, Any], *, custom: bool = False) -> None:
        wanted = set(assets)
        for listener in list(self._listeners):
            if wanted & listener.assets and (listener.custom or not custom):
                await self._send(listener, frame)

    # What there is to tell.

    def _now(self) -> str:
        return str(self.shelf.venue.now_ms())

    async def changed(self, market: Market) -> None:
        """The levels that are another than last told, both outcomes in one frame."""
        changes: list[dict[str, str]] = []
        for token in market.tokens:
            changes += self._changes(market, token)
        if changes:
            frame = {
                "event_type": "price_change", "market": market.condition_id, "timestamp": self._now(),
                "price_changes": changes,
            }  # fmt: skip
            await self._publish((token.id for token in market.tokens), frame)

    def _changes(self, market: Market, token: Token) -> list[dict[str, str]]:
        book, before = self.shelf.book(token.id), self._sent.get(token.id)
        if book is None or before is None:
            return []
        self._sent[token.id] = dict(book.bids), dict(book.asks)
        bid, ask = book.best_bid(), book.best_ask()
        digest = books.summary(market, token, book, self.shelf.last.get(token.id))["hash"]
        found = []
        for side, old, new in (("BUY", before[0], book.bids), ("SELL", before[1], book.asks)):
            for price in sorted(old.keys() | new.keys()):
                if old.get(price) == new.get(price):
                    continue
                found.append(
                    {"asset_id": token.id, "price": text(price), "size": text(new.get(price, 0)), "side": side,
                     "hash": digest, "best_bid": text(bid or 0), "best_ask": text(ask if ask is not None else ONE)}
                )  # fmt: skip
        return found

    async def traded(self, market: Market, token: Token, last: Last, tx_hash: str) -> None:
        """The last trade, then the book as it stands after it."""
        frame = {
            "event_type": "last_trade_price", "asset_id": token.id, "market": market.condition_id,
            "price": text(last.price), "size": text(last.size), "side": last.side,
            "fee_rate_bps": "0" if not market.fees.rate_ppm else text(market.fees.rate_ppm * 10_000),
            "timestamp": self._now(), "transaction_hash": tx_hash,
        }  # fmt: skip
        await self._publish([token.id], frame)
        await self.shown(market)

    async def shown(self, market: Market) -> None:
        """Whole books of both outcomes, to who listens to them."""
        for token in market.tokens:
            if any(token.id in listener.assets for listener in self._listeners):
                frame = self._book(token.id)
                if frame:
                    await self._publish([token.id], frame)

    async def tick_size(self, market: Market, old: int) -> None:
        for token in market.tokens:
            frame = {
                "event_type": "tick_size_change", "asset_id": token.id, "market": market.condition_id,
                "old_tick_size": text(old), "new_tick_size": text(market.tick), "timestamp": self._now(),
            }  # fmt: skip
            await self._publish([token.id], frame)

    async def resolved(self, market: Market) -> None:
        """Only for those who asked for the custom features; a split payout has no winner."""
        winner = next((token for token in market.tokens if market.payouts and market.payouts[token.place] == ONE), None)
        frame = {
            "event_type": "market_resolved", "id": market.gamma_id, "question": market.question,
            "market": market.condition_id, "slug": market.slug, "assets_ids": [token.id for token in market.tokens],
            "outcomes": [token.label for token in market.tokens], "timestamp": self._now(),
        }  # fmt: skip
        if winner is not None:
            frame |= {"winning_asset_id": winner.id, "winning_outcome": winner.label}
        await self._publish((token.id for token in market.tokens), frame, custom=True)

    # Moving books, and faults.

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            wanted = {one for listener in self._listeners for one in listener.assets}
            markets = {self.shelf.venue.tokens[one][0].condition_id for one in wanted if one in self.shelf.venue.tokens}
            for condition in markets:
                await self.changed(self.shelf.venue.markets[condition])

    async def drop(self, code: int = 1006) -> int:
        """Ends all connections; 1006 without a farewell. Returns how many there were."""
        listeners = list(self._listeners)
        for listener in listeners:
            if code == 1006:
                if listener.transport is not None:
                    listener.transport.abort()
            else:
                await listener.socket.close(code=code)
        return len(listeners)

    async def close(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        await self.drop(1001)
