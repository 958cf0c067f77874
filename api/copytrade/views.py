"""What copytrade answers, for the document; Postgres makes the JSON itself. Amounts are decimal strings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

Mode = Literal["full", "reduce_only", "off"]
LegPolicy = Literal["sell_held", "hold", "skip"]
ScopeName = Literal["EXEC_USER", "EXEC_GLOBAL"]
Decision = Literal["EXECUTE", "SKIP"]
Side = Literal["BUY", "SELL"]
GroupKind = Literal["BUY", "SELL", "SPLIT", "MERGE", "REDEEM", "CONVERSION"]


class LeaderView(BaseModel):
    """`starting` until the positions of the moment of following are known. `wallet` is null until it is found."""

    id: str
    label: str
    profile: str
    wallet: str | None
    wallets: list[str]
    enabled: bool
    mode: Mode
    leg_policy: LegPolicy
    bankroll_usdc: str
    followed_since: datetime
    baseline_at: datetime | None
    unfollowed_at: datetime | None
    status: Literal["starting", "following", "disabled", "unfollowed"]
    operation_id: str | None


class LeaderPage(BaseModel):
    items: list[LeaderView]
    next_cursor: str | None


class PositionView(BaseModel):
    """`mark_usdc` is null while no price could be had; the cost stands in for the value then."""

    asset_id: str
    market_id: str
    outcome: str | None
    question: str | None
    shares: str
    avg_cost_usdc: str | None
    cost_usdc: str
    mark_usdc: str | None
    mark_source: Literal["mid", "last_trade", "payout", "cost"] | None
    marked_at: datetime | None
    value_usdc: str
    unrealized_pnl_usdc: str
    realized_pnl_usdc: str


class PortfolioView(BaseModel):
    """`pnl_usdc` is equity less what was put in. `unpriced` counts positions without a mark."""

    portfolio_scope: Literal["SHADOW_USER", "EXEC_USER", "EXEC_GLOBAL"]
    followed_user_id: str | None
    equity_usdc: str
    cash_usdc: str
    exposure_usdc: str
    realized_pnl_usdc: str
    unrealized_pnl_usdc: str
    contributed_usdc: str
    pnl_usdc: str
    fees_usdc: str
    unpriced: int
    drawdown_latched_at: datetime | None
    opened_at: datetime
    resets: int
    positions: list[PositionView]


class LeaderDetail(LeaderView):
    """Null portfolios: not opened yet."""

    shadow: PortfolioView | None
    executable: PortfolioView | None


class AttemptRef(BaseModel):
    id: str
    portfolio_scope: ScopeName
    decision: Decision
    reason_codes: list[str]


class TradeView(BaseModel):
    """One fill of a leader. `baseline`: of before following; `backfilled`: read later, never copied."""

    id: str
    followed_user_id: str
    wallet: str
    source: str
    tx_hash: str
    market_id: str
    asset_id: str
    outcome: str | None
    question: str | None
    side: Side
    price: str
    shares: str
    notional_usdc: str
    fee_usdc: str
    event_time: datetime
    detect_time: datetime
    detect_lag_ms: int
    baseline: bool
    backfilled: bool
    group_key: str | None
    attempts: list[AttemptRef]


class TradePage(BaseModel):
    items: list[TradeView]
    next_cursor: str | None


class AttemptView(BaseModel):
    """`slippage` is signed: a positive one costs, on both sides. `reason_codes` is empty for EXECUTE only."""

    id: str
    portfolio_scope: ScopeName
    followed_user_id: str
    label: str
    group_key: str
    kind: GroupKind
    market_id: str
    asset_ids: list[str]
    question: str | None
    decision: Decision
    reason_codes: list[str]
    target_notional_usdc: str
    filled_notional_usdc: str
    filled_shares: str
    filled_ratio_bps: int
    vwap_price: str | None
    fee_usdc: str
    their_reference_price: str
    mid_price_at_decision: str | None
    slippage: str | None
    clamped: str | None
    detect_lag_ms: int
    copy_lag_ms: int
    source_type: Literal["IMMEDIATE", "BUFFER", "AGGREGATOR"]
    buffered_count: int
    out_of_order: bool
    config_version: int
    decided_at: datetime
    created_at: datetime


class AttemptPage(BaseModel):
    items: list[AttemptView]
    next_cursor: str | None


class LevelView(BaseModel):
    level: int
    price: str
    shares: str
    notional_usdc: str
    fee_usdc: str


class AttemptDetail(AttemptView):
    """With the book that was used as the venue sent it, what was taken from it, and every guard with its numbers.
    `event_ids`: the leader's rows it answers, small trades that waited for each other included."""

    guards: Any
    sizing: Any
    portfolio: Any
    due_at: datetime
    jitter_ms: int
    window_start: datetime
    event_time: datetime
    detect_time: datetime
    book: Any
    book_source: str | None
    book_requested_at: datetime | None
    book_received_at: datetime | None
    lateness_us: int | None
    facts: Any
    levels: list[LevelView]
    event_ids: list[str]


class OutcomeView(BaseModel):
    asset_id: str
    place: int | None
    outcome: str
    payout: str | None
    mark: str | None


class MarketView(BaseModel):
    """`id` is the condition id. `payout` of an outcome: what a share was worth in the end."""

    id: str
    gamma_id: str
    slug: str
    question: str
    event_id: str
    neg_risk: bool
    version: str
    closes_at: datetime | None
    active: bool
    closed: bool
    accepting_orders: bool
    tick: str | None
    fee_rate_ppm: int | None
    blacklisted: bool
    resolution_status: str | None
    resolved_at: datetime | None
    outcomes: list[OutcomeView]


class MarketPage(BaseModel):
    items: list[MarketView]
    next_cursor: str | None


class MarketDetail(MarketView):
    """Who holds what of it, what copying it cost, and the newest book that a decision used."""

    positions: Any
    slippage: Any
    book: Any


class CurvePoint(BaseModel):
    at: datetime
    equity_usdc: str
    cash_usdc: str
    exposure_usdc: str
    pnl_usdc: str
    unpriced: int


class Curve(BaseModel):
    items: list[CurvePoint]
    next_cursor: None
