"""Everything outside a portfolio that a decision depends on, read once a group at its due time and kept for ever.

Both scopes, every replay and Test config decide from this row; so a decision can be made again and comes out the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from domain.copytrade.config import CopyConfig
from domain.copytrade.venue import Book, FeeSchedule
from domain.copytrade.windows import Window

LegPolicy = Literal["sell_held", "hold", "skip"]
Mode = Literal["full", "reduce_only", "off"]


class MarketFacts(NamedTuple):
    """What was known of the market at due time. `legs`: its tokens in the order of their place."""

    condition_id: str
    event_id: str
    neg_risk: bool
    legs: tuple[str, ...]
    closes_at: datetime | None
    accepting_orders: bool
    closed: bool
    tick: int | None
    min_order: int | None
    fees: FeeSchedule | None


class Mark(NamedTuple):
    """A token's price in micros, and where it was read from."""

    price: int
    source: Literal["mid", "last_trade", "payout", "cost"]
    observed_at: datetime


class Flags(NamedTuple):
    """Switches as they stood at due time."""

    paused: bool
    enabled: bool
    mode: Mode
    blacklisted: bool
    leg_policy: LegPolicy


class Inputs(NamedTuple):
    """Of one group. `book` None: BOOK_UNAVAILABLE, or none was needed. `marks`: of every token either portfolio holds.

    `markets`: condition and event of each of those tokens, for exposure by market and event. `leader_exposure`: what
    the leader's own long positions are worth (his shadow at marks), for a budget; None when it is not known.
    `windows`: by scope, where loss windows began and what snapshots saw of the drawdown (domain/copytrade/windows.py).
    """

    group_key: str
    requested_at: datetime
    received_at: datetime
    book: Book | None
    book_age_ms: int | None
    market: MarketFacts
    marks: dict[str, Mark]
    markets: dict[str, tuple[str, str]]
    config: CopyConfig
    config_version: int
    general: CopyConfig
    general_version: int
    flags: Flags
    leader_exposure: int | None = None
    windows: Mapping[str, Window] = {}
