"""Is a group copied, how much of it, at which prices: one pure function for both scopes, replays and Test config."""

from __future__ import annotations

from typing import NamedTuple

from domain.copytrade import guards, risk, walk
from domain.copytrade.decisions import Before, Decision, Guard, Sizes
from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.fees import fee_rule
from domain.copytrade.groups import Group
from domain.copytrade.inputs import Inputs
from domain.copytrade.pairs import merged, split
from domain.copytrade.portfolio import Portfolio
from domain.copytrade.reasons import Reason, in_order
from domain.copytrade.sizing import size
from domain.copytrade.venue import Level, Side
from domain.copytrade.view import Act, View, view
from domain.copytrade.walk import BPS, Bounds, Walk


class _Trial(NamedTuple):
    """The walk over a book, before anybody has said whether it may happen. All None: no book or no mid."""

    bounds: Bounds | None = None
    levels: tuple[Level, ...] | None = None
    walked: Walk | None = None


def decide(group: Group, inputs: Inputs, portfolio: Portfolio, scope: Scope) -> Decision:
    """The decision about a group. Same arguments, same decision.

    Args:     portfolio  as folded from the ledger of the scope before this group.   scope  EXEC_USER or EXEC_GLOBAL:
              sizing and prices follow the user's rules in both, caps and breakers of EXEC_GLOBAL the GLOBAL ones
              (CG-099).
    Raises:   ValueError for a shadow, which decides nothing.
    """
    seen = view(group, inputs, portfolio, scope)
    stood, sizes = risk.before(seen), size(seen)
    trial = _tried(seen, sizes)
    checked = [
        *guards.switches(seen),
        *guards.timing(seen),
        *risk.breakers(seen, stood),
        *risk.exposure_caps(seen, sizes.target if seen.opening else 0),
        *guards.holdings(seen, sizes),
        *guards.sizes_allow(seen, sizes),
        *guards.book_itself(seen),
        *guards.depth(seen, sizes, trial.levels),
        *guards.price(seen, trial.bounds, trial.walked),
    ]
    reasons = in_order(guard.code for guard in checked if not guard.passed)
    if not reasons and seen.act.on_book and _ratio(seen, sizes, trial.walked) == 0:
        checked.append(Guard("filled", Reason.NO_LIQUIDITY_WITHIN_BOUNDS, False, 1, 0))
        reasons = (Reason.NO_LIQUIDITY_WITHIN_BOUNDS,)
    skipped = _skipped(seen, sizes, reasons, tuple(checked), stood)
    return skipped if reasons else _executed(skipped, seen, trial.walked)


def _tried(seen: View, sizes: Sizes) -> _Trial:
    book, mid = seen.book, seen.mid
    if book is None or mid is None:
        return _Trial()
    limits = walk.bounds(seen.side, seen.their_price, mid, seen.prices, book.tick_micros or seen.inputs.market.tick)
    levels = walk.band(book, seen.side, limits.worst)
    rule = fee_rule(seen.prices, seen.inputs.market.fees)
    if seen.act is Act.BUY:
        walked = walk.buy(seen.token_id, levels, sizes.target, seen.portfolio.cash, rule)
    else:
        walked = walk.sell(seen.token_id, levels, sizes.target_shares, rule)
    return _Trial(limits, levels, walked)


def _skipped(
    seen: View, sizes: Sizes, reasons: tuple[Reason, ...], checked: tuple[Guard, ...], stood: Before
) -> Decision:
    return Decision(
        decision="SKIP",
        reasons=reasons,
        target=sizes.target,
        filled=0,
        shares=0,
        ratio_bps=0,
        vwap=None,
        their_price=seen.group.price,
        mid=seen.mid,
        slippage=None,
        fee=0,
        clamped=sizes.clamped,
        guards=checked,
        sizing=sizes,
        fills=(),
        entries=(),
        before=stood,
        peak_pnl=stood.peak_pnl,
        latched=risk.latched(seen, stood),
    )


def _executed(made: Decision, seen: View, walked: Walk | None) -> Decision:
    sizes = made.sizing
    if seen.act is Act.SPLIT:
        return _paired(made, split(seen, sizes.target))
    if seen.act is Act.MERGE:
        return _paired(made, merged(seen, sizes.target_shares))
    if walked is None:
        raise ValueError(f"{seen.group.group_key}: nothing forbids it, and no book was walked")
    ours = walk.vwap(walked.fills, seen.side)
    return made._replace(
        decision="EXECUTE",
        filled=walked.notional,
        shares=walked.shares,
        ratio_bps=_ratio(seen, sizes, walked),
        vwap=ours,
        slippage=_slippage(seen, ours),
        fee=walked.fee,
        fills=walked.fills,
        entries=_entries(seen, walked, ours),
    )


def _ratio(seen: View, sizes: Sizes, walked: Walk | None) -> int:
    """Basis points of the target that were filled; less than one is nothing (CT-094)."""
    if walked is None or not walked.fills:
        return 0
    buys = seen.side is Side.BUY
    done, aim = (walked.notional, sizes.target) if buys else (walked.shares, sizes.target_shares)
    return walk.ratio_bps(done, aim, complete=walked.complete)


def _paired(made: Decision, entries: tuple[Entry, ...]) -> Decision:
    """A pair is worth 1 USDC: shares and notional are the same number, and all of it is done at once."""
    amount = abs(entries[0].shares)
    return made._replace(decision="EXECUTE", filled=amount, shares=amount, ratio_bps=BPS, entries=entries)


def _slippage(seen: View, ours: int | None) -> int | None:
    if ours is None or seen.their_price is None:
        return None
    return ours - seen.their_price if seen.side is Side.BUY else seen.their_price - ours


def _entries(seen: View, walked: Walk, price: int | None) -> tuple[Entry, ...]:
    """One line for all levels, and one for the fee; the fee names its token, so that a position's profit is net."""
    group, token = seen.group, seen.token_id
    sign = 1 if seen.side is Side.BUY else -1
    key, market, at = group.group_key, group.condition_id, group.due_at
    fill = Entry(EntryType.TRADE_FILL, key, market, token, sign * walked.shares, -sign * walked.notional, price, at)
    if walked.fee == 0:
        return (fill,)
    return fill, Entry(EntryType.FEE, key, market, token, 0, -walked.fee, None, at)
