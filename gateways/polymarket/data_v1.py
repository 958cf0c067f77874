"""Polymarket's Data API, first generation: the fallback while the second is down (POLYMARKET_DATA_API_VERSION).

No cursors: activity is read in windows of time that overlap by one second, because a page may end inside a transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.copytrade.venue import ActivityRow, Feed, Kind, Resolution, VenuePosition, VenueStatus
from gateways.polymarket import routes, rows, wire
from gateways.polymarket.asking import Quarantine, Sorter
from gateways.polymarket.data import address, feed
from gateways.polymarket.gamma import Gamma
from gateways.polymarket.routes import Route
from gateways.polymarket.rows import POSITION_KINDS
from gateways.polymarket.transport import Params, Transport
from gateways.polymarket.wire import Odd

PAGE: Final = 500
SURELY_LAST: Final = 100
"""Fewer rows end a list. Not PAGE: the server cuts our limit down without a word, and its own default is 100."""
OFFSET_MAX: Final = 3_000
"""Beyond it some callers were refused, whatever the documents say."""
PAGES: Final = 40
"""Pages of one call before it hands over what it has."""


class DataApiV1:
    """The same answers as DataApiV2. It has no resolutions and no status: the first come from Gamma."""

    def __init__(self, transport: Transport, quarantine: Quarantine, gamma: Gamma, *, page: int = PAGE) -> None:
        self._transport, self._quarantine, self._gamma = transport, quarantine, gamma
        self._page = page
        self._surely_last = min(page, SURELY_LAST)

    async def activity(
        self, wallet: str, since: int, until: int | None = None, kinds: Sequence[Kind] = POSITION_KINDS
    ) -> Feed:
        row = rows.Row(rows.V1, address(wallet))
        params = [
            ("user", row.wallet),
            ("type", ",".join(kind for kind in Kind if kind in kinds)),
            *([] if until is None else [("end", str(until))]),
            ("sortBy", "TIMESTAMP"),
            ("sortDirection", "ASC"),
            ("limit", str(self._page)),
        ]
        sorter = Sorter(self._transport, self._quarantine)
        found: list[ActivityRow] = []
        start = max(1, since)
        for _ in range(PAGES):
            raw = await self._page_of(routes.ACTIVITY_V1, [*params, ("start", str(start))])
            times = [at for at in map(_time, raw) if at is not None]
            if len(raw) < self._surely_last or not times:
                found += await sorter.parse(routes.ACTIVITY_V1, raw, row.activity)
                return feed(found, since, until, complete=True, held_back=sorter.held_back)
            last = max(times)
            if min(times) < last:
                raw, start = [one for one in raw if _time(one) != last], last
            else:
                raw, start = await self._second(params, last), last + 1
            found += await sorter.parse(routes.ACTIVITY_V1, raw, row.activity)
        return feed(found, since, start - 1, complete=False, held_back=sorter.held_back)

    async def _second(self, params: Params, at: int) -> list[Any]:
        """All rows of one second that fills a page: the only place where offsets are used."""
        query = [pair for pair in params if pair[0] != "end"]
        return await self._by_offset(routes.ACTIVITY_V1, [*query, ("start", str(at)), ("end", str(at))])

    async def trades(self, wallet: str, since: int, until: int | None = None) -> Feed:
        """Newest first and without a window of time: what lies behind the largest offset is out of reach."""
        row = rows.Row(rows.V1, address(wallet))
        params = [("user", row.wallet), ("takerOnly", "false"), ("limit", str(self._page))]
        sorter = Sorter(self._transport, self._quarantine)
        found: list[ActivityRow] = []
        reached = False
        for offset in range(0, OFFSET_MAX + 1, self._page):
            raw = await self._page_of(routes.TRADES_V1, [*params, ("offset", str(offset))])
            found += await sorter.parse(routes.TRADES_V1, raw, row.trade)
            reached = len(raw) < self._surely_last or bool(found and found[-1].timestamp < since)
            if reached:
                break
        found.reverse()
        oldest = since if reached or not found else found[0].timestamp + 1  # its second may be torn
        inside = [r for r in found if max(since, oldest) <= r.timestamp and (until is None or r.timestamp <= until)]
        return feed(inside, since, until, complete=reached, held_back=sorter.held_back)

    async def positions(self, wallet: str) -> list[VenuePosition]:
        row = rows.Row(rows.V1, address(wallet))
        params = [("user", row.wallet), ("sizeThreshold", "0"), ("sortBy", "TOKENS"), ("limit", str(self._page))]
        raw = await self._by_offset(routes.POSITIONS_V1, params)
        found = await Sorter(self._transport, self._quarantine).parse(routes.POSITIONS_V1, raw, row.position)
        return list({position.token_id: position for position in found}.values())

    async def resolutions(self, condition_ids: Sequence[str]) -> list[Resolution]:
        return await self._gamma.resolutions(condition_ids)

    async def value(self, wallet: str) -> int:
        answer = await self._page_of(routes.VALUE_V1, [("user", address(wallet))])
        try:
            return wire.rounded_micros(wire.number(wire.fields(answer[0], "value"), "value")) if answer else 0
        except Odd as odd:
            raise self._transport.odd(routes.VALUE_V1, str(odd), answer) from odd

    async def status(self) -> VenueStatus | None:
        return None

    async def _by_offset(self, route: Route, params: Params) -> list[Any]:
        found: list[Any] = []
        while True:
            page = await self._page_of(route, [*params, ("offset", str(len(found)))])
            found += page
            if len(page) < self._surely_last:
                return found
            if len(found) > OFFSET_MAX:
                raise self._transport.odd(route, f"more than {OFFSET_MAX} rows that no window can part", len(found))

    async def _page_of(self, route: Route, params: Params) -> list[Any]:
        """A bare array. Raises: Quarantined."""
        answer = await self._transport.get(route, params)
        try:
            return wire.items(answer, "answer")
        except Odd as odd:
            raise self._transport.odd(route, str(odd), answer) from odd


def _time(raw: Any) -> int | None:
    """A row's time before it is judged; None when it has none that can be read."""
    try:
        return wire.seconds(wire.fields(raw, "row"), "timestamp")
    except Odd:
        return None
