"""The CLOB's public reads: books, prices, last trades, the clock, what it charges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from domain.copytrade.venue import Book, ClobMarket, LastTrade, Market, Side
from domain.shared.errors import Rejected
from gateways.polymarket import clob_shapes, routes, wire
from gateways.polymarket.asking import Quarantine, Sorter, in_batches
from gateways.polymarket.routes import Route
from gateways.polymarket.transport import Refused, Transport
from gateways.polymarket.wire import Odd
from gateways.protocols import BookRead

BATCH: Final = 100
LAST_TRADES_BATCH: Final = 500
T = TypeVar("T")


class Clob:
    """A token without a book is left out or None. That never means closed: the CLOB says the same of a token it does
    not know, of one minted a minute ago and of one that is settled.
    """

    def __init__(self, transport: Transport, quarantine: Quarantine, *, batch: int = BATCH) -> None:
        self._transport, self._quarantine, self._batch = transport, quarantine, batch
        self.hash_mismatches = 0

    async def book(self, token_id: str) -> Book | None:
        """One book, sorted best first. None: the CLOB has none.

        A book whose hash does not fit is used all the same, and noted: the hash is the server's word about itself over
        a connection that cannot be altered, its recipe is the official client's and may change without notice.
        Raises: Unavailable, Quarantined.
        """
        try:
            answer = await self._transport.get(routes.BOOK, [("token_id", token_id)])
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise
        read = self._whole(routes.BOOK, answer, lambda raw: clob_shapes.book(raw, token_id))
        return await self._checked(routes.BOOK, read, answer)

    async def read_book(self, token_id: str) -> BookRead:
        """The same in exactly one request, with the venue's own JSON: gateways.protocols.OrderBooks.

        Raises: Unavailable, Quarantined, Rejected not_found.
        """
        try:
            answer = await self._transport.get_once(routes.BOOK, [("token_id", token_id)])
        except Refused as refusal:
            if refusal.status == 404:
                raise Rejected("not_found", f"no book of token {token_id}") from refusal
            raise
        received_at = datetime.now(UTC)
        read = self._whole(routes.BOOK, answer, lambda raw: clob_shapes.book(raw, token_id))
        return BookRead(await self._checked(routes.BOOK, read, answer), wire.plain(answer), received_at)

    async def books(self, token_ids: Sequence[str]) -> dict[str, Book]:
        """Books by token; odd ones are in quarantine, missing ones left out."""
        sorter = Sorter(self._transport, self._quarantine)
        good = await sorter.parse(
            routes.BOOKS,
            await self._listed(routes.BOOKS, token_ids, self._batch),
            lambda raw: (clob_shapes.book(raw), raw),
        )
        return {read.book.token_id: await self._checked(routes.BOOKS, read, raw) for read, raw in good}

    async def _checked(self, route: Route, read: clob_shapes.Read, raw: Any) -> Book:
        """Count books whose hash does not fit; the first of a process goes to quarantine, for a person to look at."""
        if not read.hash_fits:
            self.hash_mismatches += 1
            if self.hash_mismatches == 1:
                sorter = Sorter(self._transport, self._quarantine)
                await sorter.keep(route, "the hash does not fit the book; used all the same", raw)
        return read.book

    async def midpoints(self, token_ids: Sequence[str]) -> dict[str, Decimal]:
        """Mids as the venue computes them, not rounded to micros; tokens without one are left out."""

        async def ask(batch: Sequence[str]) -> list[tuple[str, Decimal]]:
            answer = await self._transport.post(routes.MIDPOINTS, _named(batch))
            return list(self._whole(routes.MIDPOINTS, answer, clob_shapes.prices).items())

        return dict(await in_batches(token_ids, self._batch, ask, self._left_out(routes.MIDPOINTS)))

    async def prices(self, token_ids: Sequence[str]) -> dict[str, dict[Side, int]]:
        """Best bid (under BUY) and best ask (under SELL) in micros, as far as there are any."""

        async def ask(batch: Sequence[str]) -> list[tuple[str, dict[Side, int]]]:
            asked = [{"token_id": token, "side": side.value} for token in batch for side in Side]
            answer = await self._transport.post(routes.PRICES, asked)
            return list(self._whole(routes.PRICES, answer, clob_shapes.sided_prices).items())

        return dict(await in_batches(token_ids, self._batch, ask, self._left_out(routes.PRICES)))

    async def last_trades(self, token_ids: Sequence[str]) -> dict[str, LastTrade]:
        """Price and side of the last trade; tokens nobody has traded are left out, whatever price is written there."""
        raw = await self._listed(routes.LAST_TRADES, token_ids, LAST_TRADES_BATCH)
        sorter = Sorter(self._transport, self._quarantine)
        trades = await sorter.parse(routes.LAST_TRADES, raw, clob_shapes.last_trade)
        return {trade.token_id: trade for trade in trades if trade is not None}

    async def last_trade(self, token_id: str) -> LastTrade | None:
        """Of one token; None when nobody has traded it, or the CLOB does not know it."""
        answer = await self._known(routes.LAST_TRADE, [("token_id", token_id)])
        if answer is None:
            return None
        return self._whole(routes.LAST_TRADE, answer, lambda raw: clob_shapes.last_trade(raw, token_id))

    async def time(self) -> int:
        """The venue's clock, whole seconds: to tell how far ours is off."""
        answer = await self._transport.get(routes.TIME)
        return self._whole(routes.TIME, answer, lambda raw: wire.seconds({"time": raw}, "time"))

    async def market(self, condition_id: str) -> Market | None:
        """What the CLOB knows of a market; it names no event and no fees. None: it knows none."""
        answer = await self._either(routes.MARKET, condition_id)
        return None if answer is None else self._whole(routes.MARKET, answer, clob_shapes.market)

    async def clob_market(self, condition_id: str) -> ClobMarket | None:
        """The fee schedule, tick and tokens the CLOB trades by. None: it knows no such market."""
        answer = await self._either(routes.CLOB_MARKET, condition_id)
        return None if answer is None else self._whole(routes.CLOB_MARKET, answer, clob_shapes.clob_market)

    async def _either(self, route: Route, condition_id: str) -> Any:
        """By the padded form of a Protocol V2 id, then by the short one."""
        for form in wire.both_forms([condition_id]):
            answer = await self._known(route, (), place=form)
            if answer is not None:
                return answer
        return None

    async def _known(self, route: Route, params: Sequence[tuple[str, str]], *, place: str = "") -> Any:
        try:
            return await self._transport.get(route, params, place=place)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def _listed(self, route: Route, token_ids: Sequence[str], size: int) -> list[Any]:
        """Raw rows of a batch route that answers with an array."""

        async def ask(batch: Sequence[str]) -> list[Any]:
            answer = await self._transport.post(route, _named(batch))
            return self._whole(route, answer, lambda raw: wire.items(raw if raw is not None else [], "answer"))

        return await in_batches(token_ids, size, ask, self._left_out(route))

    def _left_out(self, route: Route) -> Callable[[str, Refused], Awaitable[None]]:
        """A token the CLOB does not know is left out; one it refuses for another reason is noted."""

        async def told(token: str, refusal: Refused) -> None:
            if refusal.status != 404:
                sorter = Sorter(self._transport, self._quarantine)
                await sorter.keep(route, f"refused: {refusal.detail}", {"token_id": token})

        return told

    def _whole(self, route: Route, answer: Any, parse: Callable[[Any], T]) -> T:
        try:
            return parse(answer)
        except Odd as odd:
            raise self._transport.odd(route, str(odd), answer) from odd


def _named(batch: Sequence[str]) -> list[dict[str, str]]:
    return [{"token_id": token} for token in batch]
