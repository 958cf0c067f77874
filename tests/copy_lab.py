"""Groups, books, inputs and portfolios for the rules of copying: ordinary ones, to be varied by one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.copytrade.config import CopyConfig, effective
from domain.copytrade.decide import decide
from domain.copytrade.decisions import Decision, Guard
from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.inputs import Flags, Inputs, Mark, MarketFacts
from domain.copytrade.portfolio import Portfolio, post
from domain.copytrade.reasons import Reason
from domain.copytrade.venue import Book, FeeSchedule, Level

USDC = 10**6
T0 = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
YES, NO, OTHER = "111", "222", "333"
LEADER = "00000000-0000-7000-8000-000000000001"
CONDITION, EVENT = "0xc0", "event-1"


def book(bids: Mapping[int, int], asks: Mapping[int, int], token: str = YES) -> Book:
    """Prices in thousandths, sizes in whole shares; the venue's order does not matter."""
    buyers, sellers = (
        tuple(Level(price * 1_000, size * USDC) for price, size in side.items()) for side in (bids, asks)
    )
    return Book(token, CONDITION, buyers, sellers, 0, "", 1_000, 5 * USDC, False)


DEEP = book({495: 10_000, 490: 10_000}, {505: 10_000, 510: 10_000})
"""0.495 / 0.505, plenty of both."""


TRADES = (GroupKind.BUY, GroupKind.SELL)


def group(kind: GroupKind = GroupKind.BUY, shares: int = 2_000, price: int | None = None, **but: Any) -> Group:
    """A leader's trade of whole shares; 2,000 at 0.50 is 1,000 USDC, of which 1 % is 10. A pair costs 1 USDC."""
    price = price or (500_000 if kind in TRADES else USDC)
    notional = shares * price
    values: dict[str, Any] = {
        "group_key": f"{LEADER}:{YES}:{kind}:{T0.isoformat()}",
        "followed_user_id": LEADER,
        "kind": kind,
        "condition_id": CONDITION,
        "token_ids": (YES,) if kind in TRADES else (YES, NO),
        "window_start": T0,
        "window_end": T0 + timedelta(seconds=2),
        "event_time": T0,
        "detect_time": T0 + timedelta(seconds=3),
        "frozen_at": T0 + timedelta(seconds=3),
        "due_at": T0 + timedelta(seconds=4),
        "shares": shares * USDC,
        "notional": notional,
        "price": price,
        "cash": -notional if kind.opening else notional,
        "fees": 0,
        "fills": 1,
    }
    return Group(**(values | but))


MARKET = MarketFacts(CONDITION, EVENT, False, (YES, NO), T0 + timedelta(days=30), True, False, 1_000, 5 * USDC, None)
FLAGS = Flags(False, True, "full", False, "hold")


def config(general: CopyConfig | None = None, **keys: Any) -> CopyConfig:
    """The defaults with these keys; each goes to the section that knows it."""
    base = general or CopyConfig()
    sections: dict[str, dict[str, Any]] = {"guardrails": {}, "sizing": {}, "small_trades": {}}
    for key, value in keys.items():
        section = next(name for name in sections if key in type(getattr(base, name)).model_fields)
        sections[section][key] = value
    return effective(base, sections)


def inputs(book: Book | None = DEEP, rules: CopyConfig | None = None, **but: Any) -> Inputs:
    values: dict[str, Any] = {
        "group_key": "",
        "requested_at": T0 + timedelta(seconds=4, milliseconds=3),
        "received_at": T0 + timedelta(seconds=4, milliseconds=90),
        "book": book,
        "book_age_ms": None if book is None else 1_500,
        "market": MARKET,
        "marks": {},
        "markets": {},
        "config": rules or CopyConfig(),
        "config_version": 1,
        "general": CopyConfig(),
        "general_version": 1,
        "flags": FLAGS,
    }
    return Inputs(**(values | but))


def marks(**prices: int) -> dict[str, Mark]:
    """By token without its leading letter: `t111=500_000`."""
    return {token[1:]: Mark(price, "mid", T0) for token, price in prices.items()}


def entry(kind: EntryType, token: str = "", shares: int = 0, cash: int = 0, **but: Any) -> Entry:
    values: dict[str, Any] = {
        "ref_id": "r",
        "condition_id": CONDITION if token else "",
        "price": None,
        "event_time": T0,
    }
    return Entry(kind, token_id=token, shares=shares, cash=cash, **(values | but))


def bankroll(amount: int = 10_000 * USDC) -> Portfolio:
    return post(Portfolio(), [entry(EntryType.DEPOSIT, cash=amount)])[0]


def holding(token: str = YES, shares: int = 100, price: int = 500_000, amount: int = 10_000 * USDC) -> Portfolio:
    """A bankroll some of which was spent on whole shares of a token, copying LEADER."""
    bought = entry(EntryType.TRADE_FILL, token, shares * USDC, -shares * price, price=price)
    return post(bankroll(amount), [bought], LEADER)[0]


FEES = FeeSchedule(70_000, 1)


def decided(
    of: Group | None = None, given: Inputs | None = None, having: Portfolio | None = None, **but: Any
) -> Decision:
    scope = but.pop("scope", Scope.EXEC_USER)
    return decide(of or group(), given or inputs(), having or bankroll(), scope, **but)


def guard(made: Decision, name: str) -> Guard:
    [found] = [one for one in made.guards if one.name == name]
    return found


def reasons(made: Decision) -> list[Reason]:
    return list(made.reasons)
