"""Test config: what rules proposed now would have made of groups already decided, from their stored inputs alone.

One portfolio at a time. It starts as it was, carries its own cash and positions from decision to decision, and settles
what it holds. Until its first trade differs it is the real one, and sees the loss windows of the inputs; from then on
day and week begin with its own worth, and its peak is what its own decisions saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import BaseModel

from domain.copytrade.config import CopyConfig
from domain.copytrade.decide import decide
from domain.copytrade.decisions import Decision
from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.groups import Group
from domain.copytrade.inputs import Inputs
from domain.copytrade.portfolio import Base, Marks, Portfolio, equity, pnl, post, value_at
from domain.copytrade.risk import WEEK, day_start
from domain.copytrade.snapshots import minute_of
from domain.copytrade.windows import Window, watched

TIMING: Final = ("decision_latency_ms", "jitter_ms_max", "aggregation_window_ms")
"""Another book would have been read, or other fills put together: no stored input tells."""
RATE: Final = ("sizing_mode", "copy_pct_notional_bps", "budgeted_dynamic_enabled", "budget_rate_max_ppm")
"""While small trades wait, these say which are small: others would have been put together."""


def not_evaluable(now: CopyConfig, proposed: CopyConfig) -> tuple[str, ...]:
    """Keys that were changed and whose effect cannot be told from what was stored (copytrade.md 6)."""
    found = [f"guardrails.{key}" for key in TIMING if _differ(now.guardrails, proposed.guardrails, key)]
    if now.small_trades.enabled:
        found += [f"sizing.{key}" for key in RATE if _differ(now.sizing, proposed.sizing, key)]
    return (*found, *(["small_trades"] if now.small_trades != proposed.small_trades else []))


def _differ(now: BaseModel, proposed: BaseModel, key: str) -> bool:
    return bool(getattr(now, key) != getattr(proposed, key))


class Proposal(NamedTuple):
    """The rules as they would be in force: for all, and for each followed user."""

    general: CopyConfig
    users: Mapping[str, CopyConfig]

    def over(self, inputs: Inputs, user_id: str) -> Inputs:
        return inputs._replace(config=self.users.get(user_id, self.general), general=self.general)


class Actual(NamedTuple):
    """What really became of a group, and when that was booked. `reset_at`: the drawdown's last reset before."""

    at: datetime
    decision: str
    reasons: tuple[str, ...]
    filled: int
    shares: int
    fee: int
    reset_at: datetime | None = None


class Change(NamedTuple):
    group_key: str
    before: Actual
    after: Decision


class _State(NamedTuple):
    at: datetime
    epoch: int
    portfolio: Portfolio


class Trial:
    """One portfolio under the proposed rules."""

    def __init__(self, scope: Scope, portfolio: Portfolio, epoch: int) -> None:
        self.scope, self.portfolio, self.epoch = scope, portfolio, epoch
        self.groups = 0
        self.before: Counter[str] = Counter()
        self.after: Counter[str] = Counter()
        self.reasons_before: Counter[str] = Counter()
        self.reasons_after: Counter[str] = Counter()
        self.changed: list[Change] = []
        self.diverged_at: datetime | None = None
        self._states: list[_State] = []
        self._bases: dict[datetime, Base | None] = {}
        self._reset_at: datetime | None = None

    # What happened beside decisions.

    def reset(self, epoch: int, at: datetime) -> None:
        """The portfolio was emptied and begins anew."""
        self.epoch, self.portfolio = epoch, Portfolio()
        self._keep(at)

    def deposit(self, entry: Entry, at: datetime) -> None:
        self.portfolio, _ = post(self.portfolio, [entry])
        self._keep(at)

    def settle(self, token_id: str, payout: int, at: datetime) -> None:
        """Its own position at the payout, whatever the real one held."""
        held = self.portfolio.holdings.get(token_id)
        if held is not None and held.shares:
            cash = value_at(held.shares, payout)
            ref = f"settlement:{token_id}"
            self._post(
                Entry(EntryType.SETTLEMENT, ref, held.condition_id, token_id, -held.shares, cash, payout, at), "", at
            )

    def close(self, real: Entry, leader: str, at: datetime) -> None:
        """An operator sold: the same shares as far as they are held, at the price he got."""
        held = max(0, self.portfolio.shares_of(real.token_id))
        shares = min(held, -real.shares)
        if shares > 0:
            cash = real.cash * shares // -real.shares
            self._post(real._replace(shares=-shares, cash=cash), leader, at)

    def _post(self, entry: Entry, leader: str, at: datetime) -> None:
        self.portfolio, _ = post(self.portfolio, [entry], leader)
        self._keep(at)

    def _keep(self, at: datetime) -> None:
        if self.diverged_at is not None:
            self._states.append(_State(at, self.epoch, self.portfolio))

    # Decisions.

    def unknown(self, group: Group) -> list[tuple[datetime, Portfolio]]:
        """Starts of this group's loss windows of which it must be told the marks, and what it held then."""
        found = []
        for start in _starts(group.due_at):
            if start in self._bases or self.diverged_at is None or start <= self.diverged_at:
                continue
            state = self._state_at(start)
            if state is None or state.epoch != self.epoch:
                self._bases[start] = None
            else:
                found.append((start, state.portfolio))
        return found

    def learn(self, start: datetime, held: Portfolio, marks: Marks) -> None:
        """What it was worth when a window began."""
        self._bases[start] = Base(equity(held, marks), pnl(held, marks))

    def decide(self, group: Group, inputs: Inputs, actual: Actual) -> None:
        """Decide a group again, book it, compare."""
        made = decide(group, inputs, self._seen(group, inputs, actual), self.scope)
        leader = group.followed_user_id if self.scope is Scope.EXEC_GLOBAL else ""
        self.portfolio, _ = post(self.portfolio, made.entries, leader)
        self.portfolio = self.portfolio._replace(peak_pnl=made.peak_pnl, latched=self.portfolio.latched or made.latched)
        self._count(group, actual, made)
        self._keep(actual.at)

    def _seen(self, group: Group, inputs: Inputs, actual: Actual) -> Portfolio:
        if actual.reset_at is not None and self._reset_at != actual.reset_at:
            self._reset_at = actual.reset_at
            marks = {token: mark.price for token, mark in inputs.marks.items()}
            self.portfolio = self.portfolio._replace(latched=False, peak_pnl=pnl(self.portfolio, marks))
        window = inputs.windows.get(self.scope)
        if self.diverged_at is None:
            return watched(self.portfolio, window, read_at=inputs.requested_at, reset_at=actual.reset_at)
        day, week = _starts(group.due_at)
        return self.portfolio._replace(
            day=self._base(day, window, "day"),
            week=self._base(week, window, "week"),
        )

    def _base(self, start: datetime, window: Window | None, name: str) -> Base | None:
        """Before the first difference it was the real portfolio."""
        assert self.diverged_at is not None
        if start > self.diverged_at:
            return self._bases.get(start)
        base: Base | None = None if window is None else getattr(window, name)
        return base

    def _state_at(self, moment: datetime) -> _State | None:
        return next((state for state in reversed(self._states) if state.at < moment), None)

    def _count(self, group: Group, actual: Actual, made: Decision) -> None:
        self.groups += 1
        self.before[actual.decision] += 1
        self.after[made.decision] += 1
        self.reasons_before.update(actual.reasons)
        self.reasons_after.update(reason.value for reason in made.reasons)
        moved = (actual.filled, actual.shares, actual.fee) != (made.filled, made.shares, made.fee)
        if moved or actual.reasons != tuple(reason.value for reason in made.reasons):
            self.changed.append(Change(group.group_key, actual, made))
        if moved and self.diverged_at is None:
            self.diverged_at = actual.at


def _starts(due_at: datetime) -> tuple[datetime, datetime]:
    """UTC midnight, and the minute seven days ago: as windows are read into inputs."""
    return day_start(due_at), minute_of(due_at - WEEK)
