"""The rules of copying over their whole range: whatever the leader, the book and the rules are."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.copytrade.books import is_placeholder, sorted_book
from domain.copytrade.config import CopyConfig, effective
from domain.copytrade.decide import decide
from domain.copytrade.decisions import Decision
from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.fees import FREE, FeeRule, fee_of
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.inputs import Inputs, Mark
from domain.copytrade.portfolio import Holding, Portfolio, book, equity, exposure, exposure_for, pnl, post, unrealised
from domain.copytrade.reasons import in_order
from domain.copytrade.venue import ONE, Book, FeeSchedule, Level, Side
from domain.copytrade.walk import buy, sell, vwap
from tests.copy_lab import CONDITION, EVENT, FLAGS, LEADER, MARKET, NO, OTHER, T0, USDC, YES, bankroll, entry, group

PRICES = st.integers(1, 999).map(lambda thousandths: thousandths * 1_000)
SIZES = st.one_of(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(1, 10**12))
LEVELS = st.lists(st.builds(Level, PRICES, SIZES), max_size=8).map(tuple)
RULES = st.one_of(
    st.just(FREE), st.builds(FeeRule, st.integers(0, 200_000), st.sampled_from([1, 2])),
    st.builds(FeeRule, st.integers(0, 200_000), st.none()),
)  # fmt: skip


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


# The walk.


def best_first(levels: tuple[Level, ...], side: Side) -> tuple[Level, ...]:
    return tuple(sorted(levels, key=lambda level: level.price, reverse=side is Side.SELL))


@given(LEVELS, SIZES, st.integers(0, 10**12), RULES)
def test_purchase_spends_all_it_may_and_never_more(
    levels: tuple[Level, ...], target: int, cash: int, rule: FeeRule
) -> None:
    asks = best_first(levels, Side.BUY)
    walked = buy(YES, asks, target, cash, rule)
    assert walked.notional <= target
    assert walked.notional + walked.fee <= cash or not walked.fills
    for fill in walked.fills:
        assert 0 <= fill.notional - Fraction(fill.shares * fill.price, ONE) < 1
        assert fill.fee == fee_of(rule, fill.shares, fill.price)
    if walked.complete:
        last = walked.fills[-1]
        assert (target - walked.notional) * ONE < last.price + ONE * len(walked.fills), "one more share is too dear"
    elif cash >= 2 * (target + 10 * len(asks) + 10):
        assert walked.shares >= sum(level.size for level in asks) or walked.notional >= target - len(asks)


@given(LEVELS, LEVELS, SIZES, st.integers(0, 10**12), st.sampled_from(list(Side)))
def test_more_liquidity_never_makes_it_worse(
    levels: tuple[Level, ...], more: tuple[Level, ...], amount: int, cash: int, side: Side
) -> None:
    """For the same money at least as many shares, for the same shares at least as much money."""
    if side is Side.BUY:
        thin = buy(YES, best_first(levels, side), amount, cash, FREE)
        thick = buy(YES, best_first(levels + more, side), amount, cash, FREE)
        slack = len(levels + more) * ONE // min((level.price for level in levels + more), default=ONE) + 1
        assert thick.shares >= thin.shares - slack, "rounding to whole micros apart"
    else:
        thin, thick = (sell(YES, best_first(some, side), amount, FREE) for some in (levels, levels + more))
        assert thick.shares >= thin.shares
        assert thick.notional >= thin.notional - len(levels + more)


@given(LEVELS, SIZES, RULES)
def test_sale_gives_all_it_can(levels: tuple[Level, ...], shares: int, rule: FeeRule) -> None:
    bids = best_first(levels, Side.SELL)
    walked = sell(YES, bids, shares, rule)
    assert walked.shares == min(shares, sum(level.size for level in bids))
    assert walked.complete == (walked.shares == shares and shares > 0)
    for fill in walked.fills:
        assert 0 <= Fraction(fill.shares * fill.price, ONE) - fill.notional < 1


@given(LEVELS, SIZES, st.sampled_from(list(Side)))
def test_average_lies_between_the_levels_and_never_flatters(levels: tuple[Level, ...], amount: int, side: Side) -> None:
    ordered = best_first(levels, side)
    walked = buy(YES, ordered, amount, 10**18, FREE) if side is Side.BUY else sell(YES, ordered, amount, FREE)
    average = vwap(walked.fills, side)
    assume(average is not None)
    assert average is not None
    exact = Fraction(sum(fill.shares * fill.price for fill in walked.fills), walked.shares)
    assert min(fill.price for fill in walked.fills) <= average <= max(fill.price for fill in walked.fills)
    assert 0 <= (average - exact if side is Side.BUY else exact - average) < 1


@given(st.integers(0, 10**15), PRICES, st.integers(0, 10**6), st.sampled_from([0, 1, 2, 3, None]))
def test_fee_is_within_half_a_step_of_the_formula(shares: int, price: int, rate: int, exponent: int | None) -> None:
    p = Fraction(price, ONE)
    curve = p if exponent is None else (p * (1 - p)) ** exponent
    exact = shares * Fraction(rate, ONE) * curve
    charged = fee_of(FeeRule(rate, exponent), shares, price)
    assert charged % 10 == 0
    assert charged == 0 if exact < 10 else abs(charged - exact) <= 5


# Average cost.

MOVES = st.lists(
    st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.sampled_from([YES, NO, ""])), max_size=25
)


def moves_of(moves: list[tuple[int, int, str]]) -> list[Entry]:
    return [entry(EntryType.TRADE_FILL, token, shares if token else 0, cash) for shares, cash, token in moves]


@given(MOVES, st.integers(0, 10**12), st.dictionaries(st.sampled_from([YES, NO]), st.integers(0, ONE)))
def test_average_cost_neither_makes_nor_loses_a_micro(
    moves: list[tuple[int, int, str]], deposit: int, marks: dict[str, int]
) -> None:
    entries = [entry(EntryType.DEPOSIT, cash=deposit), *moves_of(moves)]
    portfolio, booked = post(Portfolio(), entries)
    for one, done in zip(entries[1:], booked[1:], strict=True):
        assert one.cash + done.cost_delta == done.realised
    costs = sum(held.cost for held in portfolio.holdings.values())
    assert portfolio.cash + costs == portfolio.contributed + portfolio.realised
    assert pnl(portfolio, marks) == portfolio.realised + unrealised(portfolio, marks)
    assert all(held.cost == 0 for held in portfolio.holdings.values() if held.shares == 0)
    assert sum(one.cost_delta for one in booked) == costs


@given(MOVES)
def test_round_trip_turns_all_of_it_into_cash(moves: list[tuple[int, int, str]]) -> None:
    """Whatever happened in between, a position that is flat has realised exactly its cash."""
    held, cash = Holding(), 0
    for shares, money, _ in moves:
        held, cash = book(held, entry(EntryType.TRADE_FILL, YES, shares, money)).holding, cash + money
    flat = book(held, entry(EntryType.TRADE_FILL, YES, -held.shares, 7)).holding
    assert (flat.shares, flat.cost, flat.realised) == (0, 0, cash + 7)


@given(MOVES)
def test_booking_one_by_one_or_all_at_once_is_the_same(moves: list[tuple[int, int, str]]) -> None:
    entries = moves_of(moves)
    at_once, _ = post(Portfolio(), entries, LEADER)
    singly = Portfolio()
    for one in entries:
        singly, _ = post(singly, [one], LEADER)
    assert singly == at_once


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
