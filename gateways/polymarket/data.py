"""Polymarket's Data API, second generation: the one canonical feed of what a wallet did, and what it holds.

Every list is walked by cursor with identical filters: changing one re-anchors the walk without a word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from domain.copytrade.venue import ActivityRow, Feed, Kind, Resolution, VenuePosition, VenueStatus
from domain.shared.errors import Rejected, Unavailable
from gateways.polymarket import routes, rows, wire
from gateways.polymarket.asking import Quarantine, Sorter, in_batches
from gateways.polymarket.routes import Route
from gateways.polymarket.rows import POSITION_KINDS
from gateways.polymarket.transport import Params, Refused, Transport
from gateways.polymarket.wire import Odd

PAGE: Final = 1_000
PAGES: Final = 20
"""Pages of one call before it hands over what it has: 20,000 rows."""
PAGES_MAX: Final = 500
RESOLUTIONS_PER_CALL: Final = 20
DUST: Final = "0.000001"
"""The venue hides holdings below 0.1 and trades below 0.01 shares unless told another floor; 0 means the default."""
T = TypeVar("T")


class DataApi(Protocol):
    """What both generations give."""

    async def activity(
        self, wallet: str, since: int, until: int | None = None, kinds: Sequence[Kind] = POSITION_KINDS
    ) -> Feed:
        """Everything the wallet did in [since, until], whole seconds of block time, oldest first.

        Rows of unknown type or shape are in quarantine instead. Combos are flagged, zero-size merges are there.
        Raises: Unavailable, Refused (a protocol contract's address), Quarantined (a page of unknown shape).
        """
        ...

    async def trades(self, wallet: str, since: int, until: int | None = None) -> Feed:
        """The same fills from the trades feed, as taker and as maker, without cash: to audit the activity feed."""
        ...

    async def positions(self, wallet: str) -> list[VenuePosition]:
        """All it holds now: dust, archived markets and what waits to be redeemed included."""
        ...

    async def resolutions(self, condition_ids: Sequence[str]) -> list[Resolution]:
        """How far each market's resolution has come; markets the venue does not know are left out."""
        ...

    async def value(self, wallet: str) -> int:
        """Worth of its positions in micros, to the nearest."""
        ...

    async def status(self) -> VenueStatus | None:
        """How fresh the data is; None where the API does not say."""
        ...


class DataApiV2:
    def __init__(self, transport: Transport, quarantine: Quarantine, *, page: int = PAGE, pages: int = PAGES) -> None:
        self._transport, self._quarantine = transport, quarantine
        self._page, self._pages = page, pages

    async def activity(
        self, wallet: str, since: int, until: int | None = None, kinds: Sequence[Kind] = POSITION_KINDS
    ) -> Feed:
        row = rows.Row(rows.V2, address(wallet))
        cash_too = Kind.DEPOSIT in kinds or Kind.WITHDRAWAL in kinds
        params = [
            ("user", row.wallet),
            ("type", ",".join(kind for kind in Kind if kind in kinds)),
            *_window(since, until),
            ("sort_by", "TIMESTAMP"),
            ("sort_direction", "ASC"),
            ("exclude_deposits_withdrawals", "false" if cash_too else "true"),
            ("limit", str(self._page)),
        ]
        return await self._ascending(routes.ACTIVITY, params, row.activity, since, until)

    async def trades(self, wallet: str, since: int, until: int | None = None) -> Feed:
        row = rows.Row(rows.V2, address(wallet))
        params = [
            ("user", row.wallet),
            ("taker_only", "false"),
            ("filter_type", "TOKENS"),
            ("filter_amount", DUST),
            *_window(since, until),
            ("limit", str(self._page)),
        ]
        sorter = Sorter(self._transport, self._quarantine)
        found: list[ActivityRow] = []
        async for page in self._walk(routes.TRADES, params, PAGES_MAX):
            found += await sorter.parse(routes.TRADES, page.rows, row.trade)
        found.reverse()  # newest first is the only order of this route
        return feed(found, since, until, complete=True, held_back=sorter.held_back)

    async def _ascending(
        self, route: Route, params: Params, parse: Callable[[Any], ActivityRow], since: int, until: int | None
    ) -> Feed:
        sorter = Sorter(self._transport, self._quarantine)
        found: list[ActivityRow] = []
        number = 0
        async for page in self._walk(route, params, PAGES_MAX):
            found += await sorter.parse(route, page.rows, parse)
            number += 1
            if number >= self._pages and page.cursor is not None and _ascends(found):
                kept = before_last_second(found)
                if kept:
                    return feed(kept, since, found[-1].timestamp - 1, complete=False, held_back=sorter.held_back)
        return feed(found, since, until, complete=True, held_back=sorter.held_back)

    async def positions(self, wallet: str) -> list[VenuePosition]:
        row = rows.Row(rows.V2, address(wallet))
        params = [
            ("user", row.wallet),
            ("filter_type", "TOKENS"),
            ("filter_amount", DUST),
            ("include_archived", "true"),
            ("sort_by", "TOKENS"),
            ("limit", str(self._page)),
        ]
        sorter = Sorter(self._transport, self._quarantine)
        by_token: dict[str, VenuePosition] = {}  # a refresh between pages can repeat a row
        async for page in self._walk(routes.POSITIONS, params, PAGES_MAX):
            found = await sorter.parse(routes.POSITIONS, page.rows, row.position)
            by_token |= {position.token_id: position for position in found}
        return list(by_token.values())

    async def resolutions(self, condition_ids: Sequence[str]) -> list[Resolution]:
        sorter = Sorter(self._transport, self._quarantine)

        async def ask(batch: Sequence[str]) -> list[Resolution]:
            answer = await self._transport.get(routes.RESOLUTIONS, [("condition", ",".join(batch))])
            raw_rows = self._whole(routes.RESOLUTIONS, answer, lambda: wire.items(_data(answer), "data"))
            return await sorter.parse(routes.RESOLUTIONS, raw_rows, rows.resolution)

        async def refused(condition: str, refusal: Refused) -> None:
            await sorter.keep(routes.RESOLUTIONS, f"refused: {refusal.detail}", {"condition_id": condition})

        return await in_batches(condition_ids, RESOLUTIONS_PER_CALL, ask, refused)

    async def value(self, wallet: str) -> int:
        answer = await self._transport.get(routes.VALUE, [("user", address(wallet))])
        return self._whole(
            routes.VALUE,
            answer,
            lambda: wire.rounded_micros(wire.number(wire.fields(_data(answer), "data"), "value")),
        )

    async def status(self) -> VenueStatus | None:
        answer = await self._transport.get(routes.STATUS)
        return self._whole(routes.STATUS, answer, lambda: rows.status(_data(answer)))

    async def _walk(self, route: Route, params: Params, most: int) -> AsyncIterator[Page]:
        """Pages until the venue says that there are no more; a short page is not the end."""
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(most):
            query = params if cursor is None else [*params, ("cursor", cursor)]
            try:
                answer = await self._transport.get(route, query)
            except Refused as refusal:
                if cursor is None or refusal.status != 400:
                    raise
                detail = f"polymarket {route.name}: the walk must begin again: {refusal.detail}"
                raise Unavailable("venue_unavailable", detail) from refusal
            page = self._whole(route, answer, partial(_page, answer))
            yield page
            cursor = page.cursor
            if cursor is None:
                return
            if cursor in seen:
                raise self._transport.odd(route, "the cursor leads back to a page before", {"cursor": cursor})
            seen.add(cursor)
        raise self._transport.odd(route, f"more than {most} pages", {"cursor": cursor})

    def _whole(self, route: Route, answer: Any, parse: Callable[[], T]) -> T:
        """Parse an answer as a whole. Raises: Quarantined."""
        try:
            return parse()
        except Odd as odd:
            raise self._transport.odd(route, str(odd), answer) from odd


class Page(NamedTuple):
    """`cursor` None: the last one."""

    rows: list[Any]
    cursor: str | None


def _page(answer: Any) -> Page:
    whole = wire.fields(answer, "answer")
    paging = wire.fields(whole.get("pagination"), "pagination")
    cursor, more = paging.get("next_cursor"), paging.get("has_more")
    if not isinstance(more, bool) or not isinstance(cursor, str | None) or more != bool(cursor):
        raise Odd(f"has_more is {more!r} and next_cursor {str(cursor)[:40]!r}")
    return Page(wire.items(whole.get("data"), "data"), cursor or None)


def _data(answer: Any) -> Any:
    whole = wire.fields(answer, "answer")
    if "data" not in whole:
        raise Odd("no data")
    return whole["data"]


def address(wallet: str) -> str:
    """Lower case. Raises: Rejected invalid_address."""
    try:
        return wire.wallet(wallet)
    except Odd as odd:
        raise Rejected("invalid_address", str(odd)) from odd


def _window(since: int, until: int | None) -> list[tuple[str, str]]:
    """Both ends are included. A start of 0 would mean three years back, so 1 is the beginning."""
    return [("start", str(max(1, since))), *([] if until is None else [("end", str(until))])]


def _ascends(found: Sequence[ActivityRow]) -> bool:
    return all(a.timestamp <= b.timestamp for a, b in pairwise(found))


def before_last_second(found: Sequence[ActivityRow]) -> list[ActivityRow]:
    """Rows of seconds that are whole: a page may end in the middle of a transaction, and a transaction has one time."""
    return [row for row in found if row.timestamp < found[-1].timestamp] if found else []


def feed(found: Sequence[ActivityRow], since: int, until: int | None, *, complete: bool, held_back: int = 0) -> Feed:
    """Rows in order of time; rows of one second stay in the venue's order."""
    in_time = tuple(sorted(found, key=lambda row: row.timestamp))
    last = in_time[-1].timestamp if in_time else since - 1
    return Feed(in_time, last if until is None else until, complete, held_back)
