"""Two leaders, their shadows, both kinds of portfolio, settlements and closes: the gap is explained to the micro."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.copytrade.decide import decide
from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.gap import ORDER, Alone, Copied, Flow, Gap, Step, Uncopied, attempted, in_micros, tracking_gap
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.inputs import Inputs
from domain.copytrade.portfolio import Portfolio, pnl, post
from domain.copytrade.venue import ONE
from tests.copy_lab import NO, OTHER, USDC, YES, entry
from tests.properties.test_copy_rules import LEADERS, situations

SETTLED = {YES: ONE // 3, NO: ONE - ONE // 3}
"""A payout that no whole number of shares divides."""


class Model:
    """Leaders with shadows, one portfolio that copies them, and the steps that the gap is made of."""

    def __init__(self, scope: Scope, rates: dict[str, Fraction]) -> None:
        self.scope, self.rates = scope, rates
        self.shadows = {leader: Portfolio() for leader in rates}
        self.portfolio = Portfolio()
        self.steps: list[Step] = []

    def deposit(self, amount: int) -> None:
        self.portfolio, _ = post(self.portfolio, [entry(EntryType.DEPOSIT, cash=amount)])
        self.steps.append(Alone(Flow(amount, {}, contributed=amount)))

    def baseline(self, leader: str, token: str, shares: int, price: int) -> None:
        before = self.shadows[leader]
        moved = entry(EntryType.DEPOSIT, token, shares, price=price)
        self.shadows[leader], _ = post(before, [moved])
        contributed = self.shadows[leader].contributed - before.contributed
        self.steps.append(Uncopied(Flow(0, {token: shares}, contributed=contributed), self.rates[leader]))

    def copied(self, of: Group, known: Inputs, fee: int) -> None:
        leader = of.followed_user_id
        entries = shadow_entries(of, fee)
        self.shadows[leader], _ = post(self.shadows[leader], entries)
        made = decide(of, known, self.portfolio, self.scope)
        self.portfolio, _ = post(self.portfolio, made.entries, leader if self.scope is Scope.EXEC_GLOBAL else "")
        self.steps.append(Copied(flow_of(entries), self.rates[leader], attempted(of, made)))

    def settle(self) -> None:
        for leader, shadow in self.shadows.items():
            paid = payouts(shadow)
            self.shadows[leader], _ = post(shadow, paid)
            self.steps += [Uncopied(flow_of([one]), self.rates[leader], settles=True) for one in paid]
        paid = payouts(self.portfolio)
        self.portfolio, _ = post(self.portfolio, paid)
        self.steps += [Alone(flow_of([one]), settles=True) for one in paid]

    def close(self, token: str, price: int) -> None:
        held = self.portfolio.shares_of(token)
        if held:
            sold = entry(EntryType.CLOSE, token, -held, held * price // ONE, price=price)
            self.portfolio, _ = post(self.portfolio, [sold])
            self.steps.append(Alone(flow_of([sold])))

    def gap(self, marks: dict[str, int]) -> Gap:
        profits = [(rate, pnl(self.shadows[leader], marks)) for leader, rate in self.rates.items()]
        valued = sum(len(p.holdings) for p in [*self.shadows.values(), self.portfolio])
        return tracking_gap(self.steps, marks, profits, pnl(self.portfolio, marks), valued)


def shadow_entries(of: Group, fee: int) -> list[Entry]:
    """The leader's event as ingest books it; a redemption or conversion moves what it says, right or wrong."""
    sign, kind = (1 if of.kind.opening else -1), of.kind
    if kind in (GroupKind.BUY, GroupKind.SELL):
        [token] = of.token_ids
        return [
            entry(EntryType.TRADE_FILL, token, sign * of.shares, of.cash),
            entry(EntryType.FEE, token, 0, -fee),
        ]
    half = of.cash // 2
    return [
        entry(EntryType(kind), token, sign * of.shares, cash)
        for token, cash in zip(of.token_ids, (half, of.cash - half), strict=True)
    ]


def flow_of(entries: list[Entry]) -> Flow:
    shares: dict[str, int] = {}
    for one in entries:
        if one.token_id:
            shares[one.token_id] = shares.get(one.token_id, 0) + one.shares
    fees = -sum(one.cash for one in entries if one.kind is EntryType.FEE)
    return Flow(sum(one.cash for one in entries), shares, fees)


def payouts(portfolio: Portfolio) -> list[Entry]:
    return [
        entry(EntryType.SETTLEMENT, token, -held.shares, held.shares * SETTLED[token] // ONE, price=SETTLED[token])
        for token, held in portfolio.holdings.items()
        if token in SETTLED and held.shares
    ]


ACTIONS = st.lists(st.tuples(situations(), st.integers(0, 10**6), st.sampled_from(["", "", "close"])), max_size=8)


@given(
    ACTIONS,
    st.sampled_from([Scope.EXEC_USER, Scope.EXEC_GLOBAL]),
    st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
    st.booleans(),
    st.tuples(st.integers(0, ONE), st.integers(0, ONE)),
)
@settings(max_examples=300, deadline=None)
def test_gap_is_the_sum_of_its_parts_and_the_rest_is_rounding(
    actions: Any, scope: Scope, bps: tuple[int, int], settles: bool, prices: tuple[int, int]
) -> None:
    everyone = scope is Scope.EXEC_GLOBAL
    rates = {leader: Fraction(rate, 10_000) for leader, rate in zip(LEADERS[: 1 + everyone], bps, strict=False)}
    model = Model(scope, rates)
    model.deposit(10_000 * USDC)
    model.baseline(LEADERS[0], YES, 333_333, 700_001)
    for (of, known), fee, then in actions:
        if of.followed_user_id in rates:
            model.copied(of, known, fee)
        if then:
            model.close(of.token_ids[0], prices[0])
    if settles:
        model.settle()
    marks = SETTLED if settles else {YES: prices[0], NO: prices[1]}
    gap = model.gap(marks | {OTHER: 0})
    assert sum(gap.parts.values()) == gap.total
    assert gap.explained, (gap.parts["rounding"], gap.roundings)
    assert sum(gap.skipped.values()) == gap.parts["skipped"]
    whole = in_micros(gap)
    assert sum(whole[part] for part in ORDER) == whole["total"]
