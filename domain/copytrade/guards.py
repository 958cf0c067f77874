"""The rules a group must pass. All of them run, whatever fails first, so that every reason is known (copytrade.md 6).

A guard that cannot be measured (no book, no mid) passes without a number: what is missing has a guard of its own.
"""

from __future__ import annotations

from datetime import timedelta

from domain.copytrade.books import problem_of, spread
from domain.copytrade.decisions import Guard, Sizes
from domain.copytrade.groups import Source
from domain.copytrade.reasons import Reason
from domain.copytrade.venue import Level, Side
from domain.copytrade.view import Act, View
from domain.copytrade.walk import BPS, Bounds, Walk, facing, notional_of, shares_of, vwap
from domain.shared.money import mul_div_ceil

_MS = timedelta(milliseconds=1)


# What stops everything.


def switches(seen: View) -> list[Guard]:
    flags = seen.inputs.flags
    stopped = not flags.enabled or flags.mode == "off" or (flags.mode == "reduce_only" and seen.opening)
    return [
        Guard("paused", Reason.ENGINE_PAUSED, not flags.paused),
        Guard("user", Reason.USER_DISABLED, not stopped),
        Guard("blacklist", Reason.MARKET_BLACKLISTED, not flags.blacklisted),
    ]


def timing(seen: View) -> list[Guard]:
    """Old news and markets about to close stop openings only."""
    rules = seen.prices
    age = (seen.now - seen.group.event_time) // _MS
    fresh = not seen.opening or age <= rules.max_copy_age_ms
    return [Guard("age", Reason.EVENT_TOO_OLD, fresh, rules.max_copy_age_ms, age), _close(seen)]


def _close(seen: View) -> Guard:
    """End dates are nominal: a market that takes no orders is closed whatever they say (CG-050)."""
    market, rules = seen.inputs.market, seen.prices
    limit = rules.no_new_opens_within_minutes_to_close * 60_000
    left = None if market.closes_at is None else (market.closes_at - seen.now) // _MS
    if market.closed or not market.accepting_orders:
        open_long_enough = False
    elif left is None:
        open_long_enough = rules.unknown_close == "allow"
    else:
        open_long_enough = limit == 0 or left >= limit
    return Guard("close", Reason.MARKET_TOO_CLOSE_TO_CLOSE, not seen.opening or open_long_enough, limit, left)


# What the portfolio and the sizes allow.


def holdings(seen: View, sizes: Sizes) -> list[Guard]:
    """Something to sell, something to merge, money to buy with."""
    sells = seen.act is Act.SELL
    pays = seen.opening
    enough = not pays or seen.portfolio.cash >= sizes.target
    applicable = seen.act is not Act.NOTHING and not (seen.act is Act.SPLIT and not enough)
    return [
        Guard(
            "position",
            Reason.NOT_ENOUGH_POSITION_TO_SELL,
            not sells or seen.held > 0,
            sizes.sized_shares if sells else None,
            seen.held if sells else None,
        ),
        Guard("counterpart", Reason.MERGE_SPLIT_NOT_APPLICABLE, applicable),
        Guard("cash", Reason.INSUFFICIENT_CASH, enough, seen.portfolio.cash, sizes.target if pays else None),
    ]


def sizes_allow(seen: View, sizes: Sizes) -> list[Guard]:
    """A target below the minimum, unless it takes the whole rest of a position (CG-058)."""
    buffered = seen.group.source is Source.BUFFER
    least_theirs = seen.inputs.config.sizing.min_leader_trade_notional_micros
    code = Reason.BUFFER_FLUSH_BELOW_MIN_EXEC if buffered else Reason.BELOW_MIN_NOTIONAL
    headroom = sizes.headroom
    over_budget = seen.opening and headroom is not None and headroom < sizes.minimum
    return [
        Guard("budget", Reason.BUDGET_HARD_CAP_EXCEEDED, not over_budget, headroom, sizes.own_exposure),
        Guard(
            "leader_minimum",
            Reason.LEADER_TRADE_BELOW_MIN_NOTIONAL,
            sizes.their_notional >= least_theirs,
            least_theirs,
            sizes.their_notional,
        ),
        Guard("minimum", code, _big_enough(seen, sizes), sizes.minimum, sizes.sized),
        *([Guard("buffer", Reason.BUFFERED, seen.group.shares > 0, None, seen.group.shares)] if buffered else []),
    ]


def _big_enough(seen: View, sizes: Sizes) -> bool:
    if seen.act is Act.NOTHING or sizes.closes_dust:
        return True
    return sizes.sized >= sizes.minimum and sizes.sized > 0 and sizes.their_notional > 0


# What the book says.


def book_itself(seen: View) -> list[Guard]:
    """There is one, it is fresh, it has two sides that do not cross, and they are close."""
    book, rules = seen.book, seen.prices
    broken = None if book is None else problem_of(book)
    age = seen.inputs.book_age_ms if book is not None else None
    fresh = rules.max_book_age_ms is None or age is None or age <= rules.max_book_age_ms
    wide = None if book is None else spread(book)
    narrow = wide is None or wide <= rules.max_spread_micros
    return [
        Guard("book", Reason.BOOK_UNAVAILABLE, not seen.act.on_book or book is not None),
        Guard("book_age", Reason.BOOK_STALE, fresh, rules.max_book_age_ms, age),
        Guard("two_sides", Reason.ONE_SIDED_BOOK, broken is not Reason.ONE_SIDED_BOOK),
        Guard("uncrossed", Reason.CROSSED_BOOK, broken is not Reason.CROSSED_BOOK),
        Guard("spread", Reason.SPREAD_TOO_WIDE, narrow, rules.max_spread_micros, wide),
    ]


def depth(seen: View, sizes: Sizes, levels: tuple[Level, ...] | None) -> list[Guard]:
    """Inside the bounds: something at all, and so many times the target; notional for a BUY, shares for a SELL."""
    if levels is None:
        return [Guard("liquidity", Reason.NO_LIQUIDITY_WITHIN_BOUNDS, True), _enough(None, None)]
    there, aim = (
        (notional_of(levels), sizes.target) if seen.side is Side.BUY else (shares_of(levels), sizes.target_shares)
    )
    needed = mul_div_ceil(aim, seen.prices.min_depth_multiplier_bps, BPS)
    return [
        Guard("liquidity", Reason.NO_LIQUIDITY_WITHIN_BOUNDS, bool(levels), None, there),
        _enough(needed if levels else None, there),
    ]


def _enough(needed: int | None, there: int | None) -> Guard:
    passed = needed is None or there is None or there >= needed
    return Guard("depth", Reason.INSUFFICIENT_DEPTH, passed, needed, there)


def price(seen: View, limits: Bounds | None, walked: Walk | None) -> list[Guard]:
    """Our average against theirs and against the mid; before anything is filled, the best price we could have."""
    ours = None if walked is None else _our_price(seen, walked)
    vs_fill = None if limits is None else limits.vs_fill
    vs_mid = None if limits is None else limits.vs_mid
    most = seen.prices.max_buy_cost_per_share_micros if seen.act is Act.BUY else None
    cheap = most is None or ours is None or ours < most
    return [
        Guard("vs_their_fill", Reason.PRICE_WORSE_THAN_THEIR_FILL, _keeps(seen, ours, vs_fill), vs_fill, ours),
        Guard("vs_mid", Reason.PRICE_TOO_FAR_OVER_MID, _keeps(seen, ours, vs_mid), vs_mid, ours),
        Guard("cost_per_share", Reason.BUY_COST_PER_SHARE_TOO_HIGH, cheap, most, ours),
    ]


def _our_price(seen: View, walked: Walk) -> int | None:
    average = vwap(walked.fills, seen.side)
    if average is not None or seen.book is None:
        return average
    levels = facing(seen.book, seen.side)
    return levels[0].price if levels else None


def _keeps(seen: View, ours: int | None, bound: int | None) -> bool:
    if ours is None or bound is None:
        return True
    return ours <= bound if seen.side is Side.BUY else ours >= bound
