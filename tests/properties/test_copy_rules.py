"""The rules of copying over their whole range: whatever the leader, the book and the rules are."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.copytrade.books import is_placeholder, sorted_book
from domain.copytrade.config import CopyConfig, effective
from domain.copytrade.decide import decide
from domain.copytrade.decisions import Decision
from domain.copytrade.entries import EntryType, Scope
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.inputs import Inputs, Mark
from domain.copytrade.portfolio import Portfolio, equity, exposure, exposure_for, post
from domain.copytrade.reasons import in_order
from domain.copytrade.venue import ONE, Book, FeeSchedule, Level
from tests.copy_lab import CONDITION, EVENT, FLAGS, LEADER, MARKET, NO, OTHER, T0, USDC, YES, bankroll, entry, group
from tests.properties.copy_shapes import LEVELS, PRICES, SIZES


@st.composite
def books(draw: Any, token: str = YES) -> Book:
    """Mostly as a venue leaves them, two-sided and uncrossed; sometimes anything."""
    if draw(st.integers(0, 9)) == 0:
        return Book(token, CONDITION, draw(LEVELS), draw(LEVELS), 0, "", 1_000, 5 * USDC, False)
    middle = draw(st.integers(2, 998))
    bids = draw(st.lists(st.builds(Level, st.integers(max(1, middle - 12), middle - 1), SIZES), min_size=1, max_size=6))
    asks = draw(st.lists(st.builds(Level, st.integers(middle, min(999, middle + 12)), SIZES), min_size=1, max_size=6))
    sides = [tuple(level._replace(price=level.price * 1_000) for level in side) for side in (bids, asks)]
    return Book(token, CONDITION, sides[0], sides[1], 0, "", 1_000, 5 * USDC, False)


@st.composite
def configs(draw: Any) -> CopyConfig:
    """Rules loose enough to let things through now and then."""
    keys: dict[str, dict[str, Any]] = {
        "guardrails": {
            "max_worsening_vs_their_fill_micros": draw(st.sampled_from([0, 10_000, 10_000, 1_000_000])),
            "max_over_mid_micros": draw(st.sampled_from([0, 15_000, 15_000, 1_000_000])),
            "max_spread_micros": draw(st.sampled_from([20_000, 1_000_000, 1_000_000])),
            "min_depth_multiplier_bps": draw(st.sampled_from([0, 0, 5_000, 12_500])),
            "max_total_exposure_bps": draw(st.sampled_from([700, 7_000, 10_000, 10_000])),
            "max_exposure_per_market_bps": draw(st.sampled_from([100, 500, 10_000, 10_000])),
            "max_exposure_per_event_bps": draw(st.sampled_from([100, 1_000, 10_000, 10_000])),
            "max_exposure_per_user_bps": draw(st.sampled_from([100, 2_000, 10_000, 10_000])),
            "daily_loss_limit_bps": 10_000,
            "weekly_loss_limit_bps": 10_000,
            "max_drawdown_limit_bps": 10_000,
        },
        "sizing": {
            "copy_pct_notional_bps": draw(st.sampled_from([1, 100, 100, 10_000])),
            "min_trade_notional_micros": draw(st.sampled_from([0, 5 * USDC])),
            "max_trade_notional_micros": draw(st.sampled_from([250 * USDC, 10**12])),
            "max_trade_bankroll_bps": draw(st.sampled_from([75, 10_000])),
            "below_minimum": draw(st.sampled_from(["clamp", "clamp", "skip"])),
            "sizing_mode": draw(st.sampled_from(["fixed_rate", "fixed_rate", "budgeted_dynamic"])),
            "budgeted_dynamic_enabled": True,
            "budget_micros": draw(st.sampled_from([0, 100 * USDC, 10**10])),
            "budget_enforcement": draw(st.sampled_from(["hard", "soft"])),
        },
    }
    return effective(CopyConfig(), keys)


LEADERS = (LEADER, "00000000-0000-7000-8000-000000000002")
KINDS = st.sampled_from([*GroupKind, GroupKind.BUY, GroupKind.BUY, GroupKind.BUY, GroupKind.SELL, GroupKind.SELL])


@st.composite
def situations(draw: Any) -> tuple[Group, Inputs]:
    """A group and its inputs that mostly belong together: a price near the book, a size of some thousand USDC."""
    kind, token = draw(KINDS), draw(st.sampled_from([YES, NO]))
    asked = draw(st.one_of(books(token), books(token), books(YES if token == NO else NO), st.none()))
    ordered = None if asked is None else sorted_book(asked)
    near = 500_000 if ordered is None or not ordered.asks else ordered.asks[0].price
    if asked is not None and asked.token_id != token:
        near = ONE - near
    price = min(999_000, max(1_000, draw(st.one_of(PRICES, *[st.just(near + off * 1_000) for off in (-8, 0, 0, 3)]))))
    shares = draw(st.one_of(st.integers(0, 10**12), st.integers(10**9, 10**10)))
    trade = kind in (GroupKind.BUY, GroupKind.SELL)
    notional = shares * price // ONE if trade else shares
    of = group(kind)._replace(
        group_key=f"{draw(st.integers(0, 10**9))}",
        followed_user_id=draw(st.sampled_from(LEADERS)),
        token_ids=(token,) if trade else (YES, NO),
        shares=shares,
        notional=notional,
        price=price if trade else ONE,
        cash=-notional if kind.opening else notional,
    )
    return of, draw(given_inputs(asked))


@st.composite
def given_inputs(draw: Any, asked: Book | None) -> Inputs:
    marks = {token: Mark(draw(PRICES), "mid", T0) for token in (YES, NO, OTHER) if draw(st.booleans())}
    schedule = draw(st.one_of(st.none(), st.builds(FeeSchedule, st.integers(0, 200_000), st.sampled_from([1, 2]))))
    market = MARKET._replace(neg_risk=draw(st.booleans()), fees=schedule)
    flags = FLAGS._replace(leg_policy=draw(st.sampled_from(["sell_held", "hold", "skip"])))
    exposed = draw(st.one_of(st.none(), st.integers(0, 10**12)))
    places = {OTHER: ("0xother", EVENT)}
    return Inputs(
        *("", T0, T0, asked, 0, market, marks, places, draw(configs()), 1, draw(configs()), 1, flags, exposed)
    )


SCOPES = st.sampled_from([Scope.EXEC_USER, Scope.EXEC_GLOBAL])
STEPS = st.lists(situations(), min_size=1, max_size=8)
MONEY = st.sampled_from([200 * USDC, 10_000 * USDC, 1_000_000 * USDC])


@st.composite
def portfolios(draw: Any) -> Portfolio:
    """Money, and perhaps something of either outcome for either leader."""
    portfolio = bankroll(draw(MONEY))
    for leader in LEADERS:
        for token in (YES, NO):
            shares = draw(st.sampled_from([0, 0, 1, 30 * USDC, 100 * USDC]))
            if shares:
                portfolio, _ = post(portfolio, [entry(EntryType.TRADE_FILL, token, shares, -shares // 4)], leader)
    return portfolio


def leader_of(of: Group, scope: Scope) -> str:
    return of.followed_user_id if scope is Scope.EXEC_GLOBAL else ""


def run(
    steps: list[tuple[Group, Inputs]], scope: Scope, portfolio: Portfolio
) -> list[tuple[Group, Inputs, Portfolio, Decision]]:
    done = []
    for of, known in steps:
        made = decide(of, known, portfolio, scope)
        done.append((of, known, portfolio, made))
        portfolio, _ = post(portfolio, made.entries, leader_of(of, scope))
    return done


@given(STEPS, SCOPES, portfolios())
@settings(max_examples=300, deadline=None)
def test_decisions_keep_every_promise(steps: list[tuple[Group, Inputs]], scope: Scope, start: Portfolio) -> None:
    for of, known, before, made in run(steps, scope, start):
        after, _ = post(before, made.entries, leader_of(of, scope))
        assert made == decide(of, known, before, scope), "same arguments, same decision"
        assert after.cash >= 0
        assert all(held.shares >= 0 for held in after.holdings.values())
        assert made.reasons == in_order(made.reasons)
        assert {guard.code for guard in made.guards if not guard.passed} == set(made.reasons)
        if made.decision == "SKIP":
            assert made.reasons
            assert not made.entries
            assert after == before
            continue
        assert not made.reasons
        assert made.entries
        promises(of, known, before, after, made, scope)


def promises(of: Group, known: Inputs, before: Portfolio, after: Portfolio, made: Decision, scope: Scope) -> None:
    """Of what was executed."""
    sizes, opens = made.sizing, made.entries[0].shares > 0
    assert made.shares > 0
    assert 0 < made.ratio_bps <= 10_000
    if opens:
        assert made.filled <= made.target <= max(sizes.maximum, 0)
        assert sizes.headroom is None or made.filled <= sizes.headroom
        caps_hold(of, known, before, after, made, scope)
    else:
        assert made.shares <= sizes.target_shares <= sizes.held_shares
    if made.fills:
        on_the_book(known, made, of)


def caps_hold(of: Group, known: Inputs, before: Portfolio, after: Portfolio, made: Decision, scope: Scope) -> None:
    """At the decision's marks: shares bought are worth no more than was paid, since nobody sells below the mid."""
    rules = (known.general if scope is Scope.EXEC_GLOBAL else known.config).guardrails
    marks = {token: mark.price for token, mark in known.marks.items()}
    own = of.token_ids[0]
    if of.kind is not GroupKind.BUY or known.book is None or is_placeholder(sorted_book(known.book)):
        return
    assert made.mid is not None
    marks[own] = made.mid
    capital = equity(before, marks)
    assert capital == made.before.equity
    market = [YES, NO]
    assert exposure(after, marks) * 10_000 <= capital * rules.max_total_exposure_bps
    assert exposure(after, marks, market) * 10_000 <= capital * rules.max_exposure_per_market_bps
    if known.market.neg_risk:
        assert exposure(after, marks, [*market, OTHER]) * 10_000 <= capital * rules.max_exposure_per_event_bps
    if scope is Scope.EXEC_GLOBAL:
        his = exposure_for(after, of.followed_user_id, marks)
        assert his * 10_000 <= capital * rules.max_exposure_per_user_bps


def on_the_book(known: Inputs, made: Decision, of: Group) -> None:
    """Every fill is a level, no more of it than there is; the average keeps both bounds."""
    assert known.book is not None
    straight = sorted_book(known.book)
    buys = made.entries[0].shares > 0
    same = known.book.token_id == made.fills[0].token_id
    levels = {
        level.price if same else ONE - level.price: level.size
        for level in (straight.asks if buys == same else straight.bids)
    }
    prices = [fill.price for fill in made.fills]
    assert prices == sorted(prices, reverse=not buys)
    assert all(0 < fill.shares <= levels[fill.price] for fill in made.fills)
    assert made.filled == sum(fill.notional for fill in made.fills)
    assert made.fee == sum(fill.fee for fill in made.fills) == -sum(e.cash for e in made.entries[1:])
    assert made.vwap is not None
    assert made.mid is not None
    assert min(prices) <= made.vwap <= max(prices)
    rules, sign = known.config.guardrails, 1 if buys else -1
    assert sign * (made.vwap - made.mid) <= rules.max_over_mid_micros
    if of.kind in (GroupKind.BUY, GroupKind.SELL):
        assert sign * (made.vwap - of.price) <= rules.max_worsening_vs_their_fill_micros
        assert made.slippage == sign * (made.vwap - of.price)


@given(STEPS, portfolios())
@settings(deadline=None)
def test_parts_of_the_leaders_are_the_whole_position(steps: list[tuple[Group, Inputs]], portfolio: Portfolio) -> None:
    """In the global portfolio nobody sells what was bought for somebody else."""
    for of, known in steps:
        made = decide(of, known, portfolio, Scope.EXEC_GLOBAL)
        portfolio, _ = post(portfolio, made.entries, of.followed_user_id)
        for token, held in portfolio.holdings.items():
            slices = [own.get(token, 0) for own in portfolio.slices.values()]
            assert min(slices, default=0) >= 0
            assert sum(slices) == held.shares or not token
