"""Answers of Gamma to values: markets with their JSON-in-a-text fields, profiles. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from domain.copytrade.venue import ONE, FeeSchedule, Market, Profile, Resolution, Token
from gateways.polymarket import wire
from gateways.polymarket.clob_shapes import fee_schedule, tick
from gateways.polymarket.wire import Odd


def market(raw: Any) -> Market:
    """One market. Outcomes and tokens belong together by their place; labels decide nothing. Raises: Odd."""
    row = wire.fields(raw, "market")
    condition = wire.condition_id(row.get("conditionId"), "conditionId")
    if not condition:
        raise Odd("market without a condition")
    size, step = wire.optional_number(row, "orderMinSize"), wire.optional_number(row, "orderPriceMinTickSize")
    return Market(
        condition_id=condition,
        gamma_id=_id(row.get("id")),
        slug=wire.text(row, "slug"),
        question=wire.text(row, "question"),
        event_id=_event(row.get("events")),
        tokens=_tokens(row),
        neg_risk=wire.flag(row, "negRisk", default=False),
        neg_risk_market_id=wire.text(row, "negRiskMarketID").lower(),
        version=wire.text(row, "version") or "v1",
        closes_at=_closes_at(row),
        active=wire.flag(row, "active", default=False),
        closed=wire.flag(row, "closed", default=False),
        accepting_orders=wire.flag(row, "acceptingOrders", default=False),
        tick_micros=tick(step) if step else None,
        min_order_micros=wire.micros(size, "orderMinSize") if size else None,
        fees=_fees(row),
    )


def texts(value: Any, name: str) -> list[str]:
    """A list of texts, as a real array or as JSON inside a text; missing and "" are an empty list. Raises: Odd."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = wire.load(value)
        except wire.NotJson:
            raise Odd(f"{name} is {value[:40]!r}, not JSON in a text") from None
    found = wire.items(value, name) if value is not None else []
    if not all(isinstance(item, str) for item in found):
        raise Odd(f"{name} holds other things than texts")
    return found


def _tokens(row: Mapping[str, Any]) -> tuple[Token, ...]:
    """Token ids of V1 markets (`clobTokenIds`), position ids of V2 ones (`positionIds`, a real array).

    Fewer ids than outcomes: the market was just minted; the places without an id are left out.
    """
    outcomes = texts(row.get("outcomes"), "outcomes")
    ids = texts(row.get("positionIds"), "positionIds") or texts(row.get("clobTokenIds"), "clobTokenIds")
    if len(ids) > len(outcomes):
        raise Odd(f"{len(ids)} tokens for {len(outcomes)} outcomes")
    tokens = (Token(wire.token_id(ids[place]), place, outcomes[place]) for place in range(len(ids)))
    return tuple(token for token in tokens if token.token_id)


def _closes_at(row: Mapping[str, Any]) -> datetime | None:
    """`endDate`, which is nominal (polymarket.md 0.10); the date alone means the end of that day."""
    found = wire.moment(row, "endDate")
    if found is not None:
        return found
    day = wire.moment(row, "endDateIso")
    return None if day is None else datetime.combine(day.date(), time.max.replace(microsecond=0), UTC)


def _fees(row: Mapping[str, Any]) -> FeeSchedule | None:
    if row.get("feesEnabled") is False or row.get("feeSchedule") is None:
        return None
    schedule = wire.fields(row["feeSchedule"], "feeSchedule")
    return fee_schedule(
        wire.number(schedule, "rate"),
        wire.number(schedule, "exponent"),
        takers_only=wire.flag(schedule, "takerOnly", default=True),
    )


def _event(value: Any) -> str:
    """The first event; a market stands in one."""
    events = wire.items(value, "events") if value is not None else []
    return _id(wire.fields(events[0], "event").get("id")) if events else ""


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise Odd(f"id is {value!r}")
    return "" if value is None else str(value)


def profile(raw: Any) -> Profile | None:
    """`/public-profile`, or an item of a search, which may be null. None: nobody who trades. Raises: Odd."""
    if raw is None:
        return None
    row = wire.fields(raw, "profile")
    if not row.get("proxyWallet"):
        return None
    return Profile(wire.wallet(row["proxyWallet"], "proxyWallet"), wire.text(row, "name"), wire.text(row, "pseudonym"))


def resolution(raw: Any) -> Resolution:
    """A market's resolution as far as Gamma tells it. Raises: Odd."""
    row = wire.fields(raw, "market")
    condition = wire.condition_id(row.get("conditionId"), "conditionId")
    if not condition:
        raise Odd("market without a condition")
    prices = [wire.price_micros(wire.decimal(p, "price"), "price") for p in texts(row.get("outcomePrices"), "prices")]
    named = wire.text(row, "umaResolutionStatus") or wire.text(row, "resolutionStatus")
    if not wire.flag(row, "closed", default=False) or named not in ("resolved", "settled") or sum(prices) != ONE:
        return Resolution(condition, "active", None, None)
    at = wire.moment(row, "closedTime")
    return Resolution(condition, "resolved", tuple(prices), int(at.timestamp()) if at else None)
