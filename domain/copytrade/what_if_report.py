"""What a test of rules tells: executed and skipped before and after, which decisions change, what it would have earned.

JSON with whole numbers, `_micros` of USDC. It is kept with the test and shown as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from domain.copytrade.entries import Scope
from domain.copytrade.portfolio_messages import ConfigTested
from domain.copytrade.what_if import Change, Trial
from domain.shared.money import format_usdc
from domain.shared.times import rfc3339

LISTED: Final = 500
"""Changed decisions and labelled groups told one by one; all are counted."""


class Outcome(NamedTuple):
    """One portfolio over the range. Profits since it was opened, at the marks of the range's end."""

    scope: Scope
    user_id: str | None
    trial: Trial
    pnl_before: int
    pnl_after: int


def report(outcomes: Sequence[Outcome], *, without_inputs: Sequence[str], undecided: Sequence[str]) -> dict[str, Any]:
    """Args:  without_inputs  groups of the range with nothing stored to decide from.   undecided  still under way."""
    changed = [(one, change) for one in outcomes for change in one.trial.changed]
    return {
        "evaluable": True,
        "portfolios": [_portfolio(one) for one in outcomes],
        "changed_total": len(changed),
        "changed": [_change(one, change) for one, change in changed[:LISTED]],
        "without_inputs_total": len(without_inputs),
        "without_inputs": list(without_inputs[:LISTED]),
        "undecided_total": len(undecided),
    }


def not_evaluable(keys: Sequence[str]) -> dict[str, Any]:
    """The stored inputs cannot tell what these keys would have done: other books, other groups."""
    return {"evaluable": False, "not_evaluable": list(keys)}


def _portfolio(one: Outcome) -> dict[str, Any]:
    trial = one.trial
    return {
        "portfolio_scope": one.scope.value,
        "followed_user_id": one.user_id,
        "groups": trial.groups,
        "executed_before": trial.before["EXECUTE"],
        "executed_after": trial.after["EXECUTE"],
        "skipped_before": trial.before["SKIP"],
        "skipped_after": trial.after["SKIP"],
        "reasons_before": _counted(trial.reasons_before),
        "reasons_after": _counted(trial.reasons_after),
        "changed": len(trial.changed),
        "differs_from": None if trial.diverged_at is None else rfc3339(trial.diverged_at),
        "pnl_before_micros": one.pnl_before,
        "pnl_after_micros": one.pnl_after,
        "pnl_difference_micros": one.pnl_after - one.pnl_before,
    }


def _counted(codes: Counter[str]) -> dict[str, int]:
    return dict(sorted(codes.items()))


def _change(one: Outcome, change: Change) -> dict[str, Any]:
    before, after = change.before, change.after
    return {
        "group_key": change.group_key,
        "portfolio_scope": one.scope.value,
        "before": {
            "decision": before.decision,
            "reason_codes": list(before.reasons),
            "filled_notional_micros": before.filled,
            "filled_share_micros": before.shares,
        },
        "after": {
            "decision": after.decision,
            "reason_codes": [reason.value for reason in after.reasons],
            "filled_notional_micros": after.filled,
            "filled_share_micros": after.shares,
        },
    }


def summary(result: dict[str, Any]) -> ConfigTested:
    """The sentence an operator reads, and the figures of the global portfolio."""
    if not result["evaluable"]:
        return ConfigTested(evaluable=False, summary=f"not evaluable: {', '.join(result['not_evaluable'])} changed")
    every = result["portfolios"]
    groups = sum(one["groups"] for one in every)
    before, after = (sum(one[f"executed_{when}"] for one in every) for when in ("before", "after"))
    gain = sum(one["pnl_difference_micros"] for one in every if one["portfolio_scope"] == Scope.EXEC_GLOBAL)
    said = (
        f"{groups} decisions made again: {before} executed before, {after} under these rules; "
        f"global profit {'+' if gain >= 0 else ''}{format_usdc(gain)} USDC"
    )
    return ConfigTested(groups=groups, changed=result["changed_total"], summary=said)
