"""Where loss windows began, read at a group's due time into its inputs (domain/copytrade/windows.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, LiteralString

from domain.copytrade.portfolio import Base
from domain.copytrade.windows import Window


def _base(since: LiteralString) -> LiteralString:
    return f"""(SELECT jsonb_build_array(s.equity_micros, s.equity_micros - s.contributed_micros)
      FROM copytrade.portfolio_snapshots s
      WHERE s.portfolio_id = w.id AND s.epoch = w.epoch AND s.bucket_time <= {since}
      ORDER BY s.bucket_time DESC LIMIT 1)"""


WINDOWS: Final[LiteralString] = f"""
coalesce((SELECT jsonb_object_agg(w.portfolio_scope, jsonb_build_object(
    'day', {_base("date_trunc('day', g.due_at, 'UTC')")},
    'week', {_base("g.due_at - interval '7 days'")},
    'peak', w.watched_peak_micros, 'latched', w.watched_latched_at IS NOT NULL))
  FROM copytrade.portfolios w WHERE w.portfolio_scope = 'EXEC_GLOBAL'
    OR w.portfolio_scope = 'EXEC_USER' AND w.followed_user_id = g.followed_user_id), '{{}}')
"""
"""SQL: of a group `g`, the windows of both its portfolios by scope."""


def windows_of(facts: Mapping[str, Any]) -> dict[str, Window]:
    """What WINDOWS gave, as values; inputs kept before there were any portfolios have none."""
    return {
        scope: Window(
            day=Base(*found["day"]) if found["day"] else None,
            week=Base(*found["week"]) if found["week"] else None,
            peak_pnl=found["peak"],
            latched=found["latched"],
        )
        for scope, found in facts.get("windows", {}).items()
    }
