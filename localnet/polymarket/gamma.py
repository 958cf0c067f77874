"""Gamma: what markets and events are about, and whose profile an address is. Lists stand in strings, mostly."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localnet.polymarket import names
from localnet.polymarket.asked import ADDRESS, Asked, Refused, seal, unseal
from localnet.polymarket.markets import Event, Market, Stage
from localnet.polymarket.numbers import ONE, number, text
from localnet.polymarket.rows import ICON, moment
from localnet.polymarket.shelf import Shelf
from localnet.polymarket.wallets import Wallet

UMA = {Stage.PROPOSED: "proposed", Stage.DISPUTED: "disputed", Stage.RESOLVED: "resolved"}


class Gamma:
    """Handlers take the query and return what stands in the body."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.venue = shelf.venue
        self._key = names.digest(shelf.venue.seed, "gamma key")

    def routes(self) -> dict[str, Callable[[Asked], Any]]:
        return {
            "/markets": lambda asked: [self.market(one) for one in self._page(self._markets(asked), asked)],
            "/markets/keyset": lambda asked: self._keyset("markets", self._markets(asked), self.market, asked),
            "/events": lambda asked: [self.event(one) for one in self._page(self._events(asked), asked)],
            "/events/keyset": lambda asked: self._keyset("events", self._events(asked), self.event, asked),
            "/public-profile": self.profile,
            "/public-search": self.search,
            "/status": lambda asked: "OK",
        }

    # Selection.

    def _markets(self, asked: Asked) -> list[Market]:
        """`closed` is false unless asked for: resolved markets are invisible otherwise."""
        closed = asked.flag("closed", False)
        found = [one for one in self.venue.markets.values() if one.closed is closed]
        tokens = set(asked.repeated.get("clob_token_ids", []) + asked.repeated.get("position_ids", []))
        conditions = {one.lower() for one in asked.repeated.get("condition_ids", [])}
        slugs, ids = set(asked.repeated.get("slug", [])), set(asked.repeated.get("id", []))
        if len(conditions) > 100 or len(tokens) > 100:
            raise Refused("too many ids", status=422)
        if any(not one.isdecimal() for one in tokens):
            raise Refused("invalid token id", status=422)
        if tokens:
            found = [one for one in found if tokens & {token.id for token in one.tokens}]
        if conditions:
            found = [one for one in found if conditions & {one.condition_id, one.short_id}]
        if slugs or ids:
            found = [one for one in found if one.slug in slugs or one.gamma_id in ids]
        if asked.text("version"):
            found = [one for one in found if one.version == asked.text("version")]
        if asked.text("active") == "false":
            return []
        low, high = asked.text("end_date_min"), asked.text("end_date_max")
        if low or high:
            found = [one for one in found if one.ends_at is not None and _between(one.ends_at, low, high)]
        return found

    def _events(self, asked: Asked) -> list[Event]:
        closed = asked.flag("closed", False)
        found = [one for one in self.venue.events.values() if _all_closed(one) is closed]
        slugs, ids = set(asked.repeated.get("slug", [])), set(asked.repeated.get("id", []))
        return [one for one in found if not (slugs or ids) or one.slug in slugs or one.id in ids]

    def _page(self, found: list[Any], asked: Asked) -> list[Any]:
        limit, offset = asked.number("limit", 20, 500, clamp=True), asked.number("offset", 0)
        return _ordered(found, asked)[offset : offset + limit]

    def _keyset(self, kind: str, found: list[Any], render: Callable[[Any], Any], asked: Asked) -> dict[str, Any]:
        limit, after = asked.number("limit", 20, 100, clamp=True) or 20, 0
        cursor = asked.text("after_cursor") or asked.text("next_cursor")
        if cursor:
            after = int(unseal(self._key, kind, cursor)["o"])
        found = _ordered(found, asked)
        answer: dict[str, Any] = {kind: [render(one) for one in found[after : after + limit]]}
        if len(found) > after + limit:
            answer["next_cursor"] = seal(self._key, kind, {"o": after + limit})
        return answer

    # Shapes.

    def one_market(self, key: str, by: str) -> dict[str, Any]:
        for one in self.venue.markets.values():
            if key == (one.slug if by == "slug" else one.gamma_id):
                return self.market(one)
        raise Refused("id not found" if by == "id" else "slug not found", "not_found")

    def one_event(self, key: str, by: str) -> dict[str, Any]:
        for one in self.venue.events.values():
            if key == (one.slug if by == "slug" else one.id):
                return self.event(one)
        raise Refused("id not found" if by == "id" else "slug not found", "not_found")

    def market(self, market: Market, *, inside: bool = False) -> dict[str, Any]:
        """Tokens of v2 markets stand in a real array `positionIds`, everything else that is a list in a string."""
        ids, prices = [token.id for token in market.tokens], self._prices(market)
        value: dict[str, Any] = {
            "id": market.gamma_id,
            "question": market.question,
            "conditionId": market.short_id,
            "slug": market.slug,
            "version": market.version,
            "endDate": _ended(market.ends_at),
            "startDate": moment(market.starts_at),
            "endDateIso": _ended(market.ends_at)[:10] if market.ends_at is not None else "",
            "image": ICON,
            "icon": ICON,
            "description": f"{market.question} This market exists on this machine alone.",
            "category": market.category,
            "outcomes": json.dumps([token.label for token in market.tokens]),
            "outcomePrices": json.dumps([text(price) for price in prices]),
            "clobTokenIds": json.dumps(ids if market.version == "v1" else []),
            "active": True,
            "closed": market.closed,
            "archived": False,
            "restricted": True,
            "acceptingOrders": market.accepts_orders,
            "enableOrderBook": True,
            "negRisk": market.neg_risk,
            "negRiskMarketID": market.event.neg_risk_market_id,
            "questionID": market.question_id,
            "orderPriceMinTickSize": number(market.tick),
            "orderMinSize": number(market.min_order),
            "secondsDelay": market.seconds_delay,
            "umaResolutionStatuses": json.dumps([UMA[market.stage]] if market.stage in UMA else []),
            "feesEnabled": market.fees.rate_ppm > 0,
            "volume": text(market.volume),
            "volumeNum": number(market.volume),
            **self._quotes(market),
        }
        value |= self._extras(market)
        if not inside:
            value["events"] = [self.event(market.event, inside=True)]
        return value

    def _extras(self, market: Market) -> dict[str, Any]:
        """What only some markets have."""
        value: dict[str, Any] = {}
        if market.version == "v2":
            value["positionIds"] = [token.id for token in market.tokens]
        if market.fees.rate_ppm:
            value["feeType"] = market.fees.kind
            value["feeSchedule"] = {
                "exponent": market.fees.exponent, "rate": number(market.fees.rate_ppm), "takerOnly": True,
                "rebateRate": number(market.fees.rebate_ppm),
            }  # fmt: skip
        if market.closed_at is not None:
            closed = datetime.fromtimestamp(market.closed_at, UTC)
            value["closedTime"] = closed.strftime("%Y-%m-%d %H:%M:%S+00")
        if market.stage in UMA:
            value["umaResolutionStatus"] = UMA[market.stage]
        return value

    def _prices(self, market: Market) -> list[int]:
        if market.payouts is not None:
            return list(market.payouts)
        mid = self.shelf.mid(market.tokens[0].id)
        last = self.shelf.last.get(market.tokens[0].id)
        price = mid if mid is not None else last.price if last else ONE // 2
        return [price, ONE - price]

    def _quotes(self, market: Market) -> dict[str, Any]:
        """Absent, not zero, where there is none."""
        book, last = self.shelf.book(market.tokens[0].id), self.shelf.last.get(market.tokens[0].id)
        bid, ask = (book.best_bid(), book.best_ask()) if book else (None, None)
        value: dict[str, Any] = {"lastTradePrice": number(last.price)} if last else {}
        if bid is not None:
            value["bestBid"] = number(bid)
        if ask is not None:
            value["bestAsk"] = number(ask)
        if bid is not None and ask is not None:
            value["spread"] = number(ask - bid)
        return value

    def event(self, event: Event, *, inside: bool = False) -> dict[str, Any]:
        ends = [market.ends_at for market in event.markets if market.ends_at is not None]
        value: dict[str, Any] = {
            "id": event.id,
            "ticker": event.slug,
            "slug": event.slug,
            "title": event.title,
            "description": event.title,
            "startDate": moment(min((market.starts_at for market in event.markets), default=0)),
            "endDate": _ended(max(ends, default=None)),
            "image": ICON,
            "icon": ICON,
            "active": True,
            "closed": _all_closed(event),
            "archived": False,
            "negRisk": event.neg_risk,
            "negRiskMarketID": event.neg_risk_market_id,
            "enableNegRisk": event.neg_risk,
            "category": event.category,
        }
        if not inside:
            value["markets"] = [self.market(one, inside=True) for one in event.markets]
        return value

    # People.

    def profile(self, asked: Asked) -> dict[str, Any]:
        given = asked.text("address")
        if not ADDRESS.match(given):
            raise Refused("invalid address", status=422)
        wallet = self.venue.wallets.get(given.lower())
        if wallet is None:
            raise Refused("profile not found", "not_found")
        return {
            "createdAt": "2026-01-15T10:00:00.000000Z",
            "proxyWallet": wallet.address,
            "displayUsernamePublic": True,
            "bio": wallet.bio,
            "pseudonym": wallet.pseudonym,
            "name": wallet.name,
            "users": [{"id": str(int(wallet.address[2:8], 16)), "creator": False, "mod": False}],
            "verifiedBadge": False,
        }

    def search(self, asked: Asked) -> dict[str, Any]:
        """Events and, if asked for, profiles whose name holds the words."""
        wanted = asked.text("q").lower()
        if not wanted:
            raise Refused("q is required", status=422)
        most = asked.number("limit_per_type", 5, 100, clamp=True)
        events = [one for one in self.venue.events.values() if wanted in one.title.lower() or wanted in one.slug]
        answer: dict[str, Any] = {"events": [self.event(one) for one in events[:most]]}
        if asked.flag("search_profiles", False):
            found = [one for one in self.venue.wallets.values() if _called(one, wanted)]
            answer["profiles"] = [_hit(one) for one in found[:most]]
        answer["pagination"] = {"hasMore": len(events) > most, "totalResults": len(events)}
        return answer


def _called(wallet: Wallet, wanted: str) -> bool:
    return wanted in wallet.name.lower() or wanted in wallet.pseudonym.lower() or wanted == wallet.address


def _hit(wallet: Wallet) -> dict[str, Any]:
    return {
        "name": wallet.name,
        "displayUsernamePublic": True,
        "pseudonym": wallet.pseudonym,
        "proxyWallet": wallet.address,
    }


def _ordered(found: list[Any], asked: Asked) -> list[Any]:
    """By the fields we know; the real one takes many more."""
    keys: dict[str, Callable[[Any], Any]] = {
        "volume": lambda one: getattr(one, "volume", 0),
        "volume_num": lambda one: getattr(one, "volume", 0),
        "end_date": lambda one: getattr(one, "ends_at", None) or 0,
    }
    key = keys.get(asked.text("order").lower().replace("volumenum", "volume_num").replace("enddate", "end_date"))
    ascending = asked.flag("ascending", False)
    if key is None:
        return found if ascending or not asked.text("order") else found[::-1]
    return sorted(found, key=key, reverse=not ascending)


def _between(seconds: int, low: str, high: str) -> bool:
    try:
        return (not low or seconds >= _seconds(low)) and (not high or seconds <= _seconds(high))
    except ValueError as error:
        raise Refused("invalid date", status=422) from error


def _seconds(given: str) -> float:
    found = datetime.fromisoformat(given)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ended(seconds: int | None) -> Any:
    return moment(seconds) if seconds is not None else None


def _all_closed(event: Event) -> bool:
    return bool(event.markets) and all(market.closed for market in event.markets)
