"""Loss windows and drawdown as a decision sees them: what every minute's snapshot saw, taken along with its inputs.

UTC day and the last seven days begin with the newest snapshot at or before their first moment; both lift themselves.
The drawdown counts from the highest profit since it was last reset, whether a snapshot or a decision saw that; once the
limit is passed it stays latched until somebody resets it (CG-046). As the inputs of a group are kept, a replay and Test
config see the same windows; what snapshots found after the inputs were read is for the next group.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from domain.copytrade.portfolio import Base, Portfolio


class Window(NamedTuple):
    """Of one portfolio, at due time. `day`, `week` None: it is younger than that."""

    day: Base | None
    week: Base | None
    peak_pnl: int
    latched: bool


def watched(portfolio: Portfolio, window: Window | None, *, read_at: datetime, reset_at: datetime | None) -> Portfolio:
    """The portfolio with its loss windows. Peak and latch of before the drawdown's last reset count no more.

    Args:  read_at  when the inputs were read.   reset_at  when the drawdown was last reset.
    """
    if window is None:
        return portfolio
    if reset_at is not None and read_at <= reset_at:
        return portfolio._replace(day=window.day, week=window.week)
    return portfolio._replace(
        day=window.day,
        week=window.week,
        peak_pnl=max(portfolio.peak_pnl, window.peak_pnl),
        latched=portfolio.latched or window.latched,
    )
