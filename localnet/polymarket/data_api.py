"""The Data API: /v2 with cursors and envelopes, and the routes of v1 beside it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from localnet.polymarket import names, rows
from localnet.polymarket.asked import Asked, Refused, seal, unseal
from localnet.polymarket.feed import Row
from localnet.polymarket.numbers import ONE, micros
from localnet.polymarket.shelf import Shelf

TYPES = (
    "TRADE", "SPLIT", "MERGE", "REDEEM", "CONVERSION", "MIGRATION", "REWARD", "YIELD", "MAKER_REBATE", "TAKER_REBATE",
    "REFERRAL_REWARD", "DEPOSIT", "WITHDRAWAL", "TIP",
)  # fmt: skip
THREE_YEARS, DAY = 3 * 365 * 86_400, 86_400
STATUSES = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")
SORTS = ("CURRENT_VALUE", "PRICE", "TOKENS", "UNREALIZED_PNL", "REALIZED_PNL", "TOTAL_PNL", "TIMESTAMP")
_SORT_FIELD = {
    "CURRENT_VALUE": "current_value", "PRICE": "current_price", "TOKENS": "current_size",
    "UNREALIZED_PNL": "unrealized_pnl", "REALIZED_PNL": "realized_pnl", "TOTAL_PNL": "total_pnl",
    "TIMESTAMP": "last_event_at",
}  # fmt: skip


class DataApi:
    """Handlers take the parsed query and return what stands in the body."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.venue = shelf.venue
        self._key = names.digest(shelf.venue.seed, "cursor key")

    def routes(self) -> dict[str, Any]:
        return {
            "/v2/activity": self.activity,
            "/v2/trades": self.trades,
            "/v2/positions": self.positions,
            "/v2/value": self.value,
            "/v2/resolutions": self.resolutions,
            "/v2/status": self.status,
            "/activity": self.old_activity,
            "/trades": self.old_trades,
            "/positions": self.old_positions,
            "/value": self.old_value,
        }

    # Version 2.

    def activity(self, asked: Asked) -> dict[str, Any]:
        asked.no_offset()
        user = asked.user(required=True)
        if asked.text("sort_by", "TIMESTAMP").upper() != "TIMESTAMP":
            raise Refused("only sortBy=TIMESTAMP with sortDirection=DESC is supported", parameter="sort_by")
        direction = asked.choice("sort_direction", ("ASC", "DESC"), "sort_direction must be ASC or DESC")
        types = self._types(asked)
        keep = self._filters(asked)
        page = self._page("activity", asked, user, direction == "ASC", lambda row: row.kind in types and keep(row))
        return self._envelope(page, rows.activity)

    def _types(self, asked: Asked) -> set[str]:
        """TIP only when it is named; deposits and withdrawals when they are not left out, as is the default."""
        wanted = [one.upper() for one in asked.listed("type", len(TYPES))]
        for one in wanted:
            if one not in TYPES:
                raise Refused(f"invalid activity type: {one}", parameter="type")
        types = set(wanted or TYPES) - (set() if wanted else {"TIP"})
        if asked.flag("exclude_deposits_withdrawals", True) and not wanted:
            types -= {"DEPOSIT", "WITHDRAWAL"}
        return types

    def _filters(self, asked: Asked) -> Any:
        side = asked.choice("side", ("BUY", "SELL"), "side must be BUY or SELL")
        conditions = set(asked.conditions())
        events = set(asked.listed("event_id", 20))
        if conditions and events:
            raise Refused("condition and event_id are mutually exclusive", parameter="event_id")
        for event in self.venue.events.values() if events else ():
            if event.id in events:
                conditions |= {market.condition_id for market in event.markets}
        whole = {one if len(one) == 66 else one + "00" for one in conditions}
        return lambda row: (
            (not side or row.side == side)
            and (not (conditions or events) or row.condition_id in conditions or row.condition_id in whole)
        )

    def trades(self, asked: Asked) -> dict[str, Any]:
        asked.no_offset()
        if "," in asked.text("user"):
            return {"data": [], "pagination": _pagination(asked.number("limit", 100, 1000), 0, None)}
        user = asked.user(required=False)
        taker_only, keep, enough = asked.flag("taker_only", True), self._filters(asked), self._enough(asked)
        roles = ("taker", "house-taker") if taker_only else ("taker", "maker", "house", "house-taker")

        def wanted(row: Row) -> bool:
            return row.kind == "TRADE" and row.role in roles and keep(row) and enough(row)

        page = self._page("trades", asked, user, False, wanted, windowed=bool(user))
        return self._envelope(page, rows.trade)

    def _enough(self, asked: Asked) -> Any:
        """The least size of a trade: 0.01 by default, and 0 means the same."""
        kind = asked.choice("filter_type", ("CASH", "TOKENS"), "filterType must be CASH or TOKENS") or "TOKENS"
        try:
            least = micros(asked.text("filter_amount") or "0") or ONE // 100
        except ValueError as error:
            raise Refused("invalid filterAmount", parameter="filter_amount") from error
        return lambda row: (row.usdc if kind == "CASH" else row.size) >= least

    def _page(
        self, kind: str, asked: Asked, user: str, ascending: bool, wanted: Any, *, windowed: bool = True
    ) -> tuple[list[Row], dict[str, Any]]:
        """One page of the keyset walk. The cursor carries anchor, size and direction, the filters are re-sent."""
        limit, after, seen = asked.number("limit", 100, 1000) or 100, None, 0
        if asked.text("cursor"):
            params = unseal(self._key, kind, asked.text("cursor"))
            limit, after, seen = int(params["l"]), (int(params["ts"]), int(params["sq"])), int(params["o"])
            ascending = params["d"] == 1
        now = self.venue.now_ms()
        start, end = asked.number("start", 0), asked.number("end", 0)
        if not windowed or start == 0:
            start = now // 1000 - THREE_YEARS
        if not windowed or end == 0:
            end = now // 1000 + DAY
        walk = self.venue.feed.walk(user or None, start, end, now, newest_first=not ascending, after=after)
        found = list(islice((row for row in walk if wanted(row)), limit + 1))
        cursor = None
        if len(found) > limit:
            found.pop()
            last = found[-1]
            params = {"l": limit, "ts": last.timestamp, "sq": str(last.sequence), "d": 1 if ascending else 2}
            cursor = seal(self._key, kind, {**params, "o": seen + limit})
        return found, _pagination(limit, seen, cursor)

    def _envelope(self, page: tuple[list[Row], dict[str, Any]], render: Any) -> dict[str, Any]:
        found, pagination = page
        return {"data": [render(self.venue, row) for row in found], "pagination": pagination}

    def positions(self, asked: Asked) -> dict[str, Any]:
        asked.no_offset()
        user, conditions = asked.user(required=False), asked.conditions()
        if not user and not conditions:
            raise Refused("required query param 'user' or 'condition' not provided")
        status = asked.choice("status", STATUSES, f"invalid position status: {asked.text('status')}") or "OPEN"
        sort = asked.choice("sort_by", SORTS, f"invalid position sortBy: {asked.text('sort_by')}") or "CURRENT_VALUE"
        limit, after = asked.number("limit", 100, 1000) or 100, 0
        if asked.text("cursor"):
            params = unseal(self._key, "positions", asked.text("cursor"))
            if params["s"] != [status, sort]:
                raise Refused("invalid cursor", parameter="cursor")
            limit, after = int(params["l"]), int(params["o"])
        ascending = asked.choice("sort_direction", ("ASC", "DESC"), "sort_direction must be ASC or DESC") == "ASC"
        found = self._positions(user, conditions, set(asked.listed("event_id", 20)))
        found = [row for row in found if _in_status(row, status)]
        found.sort(key=lambda row: (row[_SORT_FIELD[sort]], row["token_id"]), reverse=not ascending)
        more = len(found) > after + limit
        next_page = seal(self._key, "positions", {"l": limit, "o": after + limit, "s": [status, sort]})
        return {
            "data": found[after : after + limit],
            "pagination": _pagination(limit, after, next_page if more else None),
        }

    def _positions(self, user: str, conditions: Iterable[str], events: set[str]) -> list[dict[str, Any]]:
        wallets = [self.venue.wallets[user]] if user in self.venue.wallets else []
        if not user:
            wallets = list(self.venue.wallets.values())
        keys, found = set(conditions), []
        for wallet in wallets:
            for token_id, held in wallet.holdings.items():
                market, token = self.venue.tokens.get(token_id, (None, None))
                if market is None or token is None or (events and market.event.id not in events):
                    continue
                if keys and not keys & {market.condition_id, market.short_id}:
                    continue
                both = market.payouts is None and held.shares > 0 and wallet.shares(market.other(token).id) > 0
                price = rows.price_now(market, token, self.shelf.mid(token_id), self.shelf.last.get(token_id))
                found.append(rows.position(wallet, market, token, held, price, both))
        return found

    def value(self, asked: Asked) -> dict[str, Any]:
        user = asked.user(required=True)
        return {"data": {"proxy_wallet": user, "value": self._worth(user)}}

    def _worth(self, user: str) -> float:
        worth: float = round(sum(row["current_value"] for row in self._positions(user, (), set())), 4)
        return worth

    def resolutions(self, asked: Asked) -> dict[str, Any]:
        conditions, events = asked.conditions(), set(asked.listed("event_id", 20))
        question = asked.text("question_id")
        if sum(map(bool, (conditions, events, question))) != 1:
            raise Refused("provide exactly one of 'question_id', 'condition', or 'event_id'")
        found = [
            market
            for market in self.venue.markets.values()
            if market.condition_id in conditions
            or market.short_id in conditions
            or market.event.id in events
            or market.question_id == question
        ]
        return {"data": [rows.resolution(market) for market in sorted(found, key=lambda one: one.condition_id)]}

    def status(self, asked: Asked) -> dict[str, Any]:
        """Freshness of what is served; the lag follows the delay of the index."""
        now = self.venue.now_ms()
        lag = self.venue.index_delay_ms // 1000 + 1
        block = self.venue.when(tx_hash="0x").block
        served = [
            {"name": "activity_feed", "age_seconds": lag, "blocks_behind": lag // 2},
            {"name": "custody_balances", "age_seconds": 1, "blocks_behind": 0},
            {"name": "pnl", "age_seconds": 1},
        ]
        return {
            "data": {
                "computed_at": rows.moment(now // 1000),
                "age_seconds": 0,
                "serving": {"lag_seconds": lag, "worst": "activity_feed", "mechanisms": served},
                "ingestion": {"tail_block": block, "min_block": block - 1, "most_lagged": []},
            }
        }

    # Version 1.

    def old_activity(self, asked: Asked) -> list[dict[str, Any]]:
        user, limit = asked.user(required=True), asked.number("limit", 100, 500, clamp=True)
        offset = asked.number("offset", 0, 10_000)
        types, keep = self._types(asked), self._filters(asked)
        ascending = asked.choice("sort_direction", ("ASC", "DESC"), "invalid sortDirection") == "ASC"
        found = [row for row in self._window(asked, user, ascending) if row.kind in types and keep(row)]
        sort = asked.choice("sort_by", ("TIMESTAMP", "TOKENS", "CASH"), "invalid sortBy")
        if sort in ("TOKENS", "CASH"):
            found.sort(key=lambda row: row.size if sort == "TOKENS" else row.usdc, reverse=not ascending)
        return [rows.old(rows.activity(self.venue, row)) for row in found[offset : offset + limit]]

    def old_trades(self, asked: Asked) -> list[dict[str, Any]]:
        user, limit = asked.user(required=False), asked.number("limit", 100, 10_000)
        offset = asked.number("offset", 0, 10_000)
        taker_only, keep, enough = asked.flag("taker_only", True), self._filters(asked), self._enough(asked)
        roles = ("taker", "house-taker") if taker_only else ("taker", "maker", "house", "house-taker")
        found = [
            row
            for row in self._window(asked, user, False)
            if row.kind == "TRADE" and row.role in roles and keep(row) and enough(row)
        ]
        return [rows.old(rows.trade(self.venue, row)) for row in found[offset : offset + limit]]

    def _window(self, asked: Asked, user: str, ascending: bool) -> Iterable[Row]:
        now = self.venue.now_ms()
        start, end = asked.number("start", 0), asked.number("end", 0) or now // 1000 + DAY
        return self.venue.feed.walk(user or None, start, end, now, newest_first=not ascending, after=None)

    def old_positions(self, asked: Asked) -> list[dict[str, Any]]:
        """Dust stays hidden: sizeThreshold is 1.0 unless given."""
        user, limit = asked.user(required=True), asked.number("limit", 100, 500, clamp=True)
        offset = asked.number("offset", 0, 10_000)
        least = float(asked.text("size_threshold") or "1.0")
        redeemable, mergeable = asked.flag("redeemable", False), asked.flag("mergeable", False)
        found = [
            row
            for row in self._positions(user, asked.conditions(), set(asked.listed("event_id", 20)))
            if row["current_size"] > 0 and row["current_size"] >= least
            if (row["redeemable"] or not redeemable) and (row["mergeable"] or not mergeable)
        ]
        found.sort(key=lambda row: row["current_size"], reverse=True)
        return [rows.old_position(row) for row in found[offset : offset + limit]]

    def old_value(self, asked: Asked) -> list[dict[str, Any]]:
        user = asked.user(required=True)
        return [{"user": user, "value": self._worth(user)}]


def _pagination(limit: int, offset: int, cursor: str | None) -> dict[str, Any]:
    return {"limit": limit, "offset": offset, "has_more": cursor is not None, "next_cursor": cursor}


def _in_status(row: dict[str, Any], status: str) -> bool:
    """OPEN is everything still held, resolved markets included."""
    held: bool = row["current_size"] > 0
    if status == "CLOSED":
        return not held
    if status == "MERGEABLE":
        return held and row["mergeable"]
    if status == "REDEEMABLE":
        return held and row["redeemable"]
    if status == "REDEEMABLE_LOST":
        return held and row["redeemable"] and row["current_price"] == 0
    return held
