"""What deciding about a group comes to: the verdict, and every number it rests on. Values only."""

from __future__ import annotations

from typing import Literal, NamedTuple

from domain.copytrade.entries import Entry
from domain.copytrade.reasons import Reason

Clamped = Literal["", "minimum", "maximum"]


class Guard(NamedTuple):
    """One rule and how it came out. `limit` and `actual` in the rule's own unit (micros, bps, ms), None: no number."""

    name: str
    code: Reason
    passed: bool
    limit: int | None = None
    actual: int | None = None


class Sizes(NamedTuple):
    """From the leader's size to ours. `_shares` count for what takes shares, notionals for what gives them.

    `wanted` before, `sized` after the clamps, `target` after the caps (position held, budget left).
    """

    mode: Literal["fixed_rate", "budgeted_dynamic"]
    their_notional: int
    their_shares: int
    rate_ppm: int
    minimum: int
    maximum: int
    bankroll_cap: int
    equity: int
    wanted: int
    sized: int
    target: int
    sized_shares: int
    target_shares: int
    held_shares: int
    leader_exposure: int
    own_exposure: int
    headroom: int | None
    clamped: Clamped
    closes_dust: bool
    """The rest of a position too small to be sold in part goes in one piece, below the minimum too."""


class Fill(NamedTuple):
    """Taken from one level of the book. `notional`: what was paid (rounded up) or received (rounded down)."""

    level: int
    token_id: str
    shares: int
    price: int
    notional: int
    fee: int


class Before(NamedTuple):
    """The portfolio a decision saw, at the decision's marks."""

    cash: int
    equity: int
    contributed: int
    realised: int
    pnl: int
    exposure: int
    peak_pnl: int
    day_loss: int
    week_loss: int
    drawdown: int
    unpriced: int


class Decision(NamedTuple):
    """`reasons` in Reason order, never empty for a SKIP. `entries` empty for a SKIP; their ref_id is the group key.

    `target`, `filled`: micros of USDC. `vwap`: over the levels, up for a BUY, down for a SELL. `slippage` of the price
    against theirs, + is a cost on both sides. `latched`: the drawdown limit is passed now, store it; `peak_pnl`: the
    highest profit so far, store it too.
    """

    decision: Literal["EXECUTE", "SKIP"]
    reasons: tuple[Reason, ...]
    target: int
    filled: int
    shares: int
    ratio_bps: int
    vwap: int | None
    their_price: int
    mid: int | None
    slippage: int | None
    fee: int
    clamped: Clamped
    guards: tuple[Guard, ...]
    sizing: Sizes
    fills: tuple[Fill, ...]
    entries: tuple[Entry, ...]
    before: Before
    peak_pnl: int
    latched: bool
