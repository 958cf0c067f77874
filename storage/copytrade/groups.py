"""Groups as they stand in the books: rows to values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, LiteralString

from domain.copytrade.groups import Group, GroupKind, Source

COLUMNS: Final[LiteralString] = """
g.group_key, g.followed_user_id, g.kind::text AS kind, g.condition_id, g.token_ids, g.window_start, g.window_end,
g.event_time, g.detect_time, g.frozen_at, g.due_at, g.jitter_ms, g.share_micros, g.notional_micros, g.price_micros,
g.usdc_micros, g.fee_micros, g.fills, g.source_type::text AS source, g.buffered_count
"""
"""Of `copytrade.event_groups g`; what `group_of` reads."""


def group_of(row: Mapping[str, Any]) -> Group:
    """A row with COLUMNS as the value that decisions are made from."""
    return Group(
        group_key=row["group_key"],
        followed_user_id=row["followed_user_id"],
        kind=GroupKind(row["kind"]),
        condition_id=row["condition_id"],
        token_ids=tuple(row["token_ids"]),
        window_start=row["window_start"],
        window_end=row["window_end"],
        event_time=row["event_time"],
        detect_time=row["detect_time"],
        frozen_at=row["frozen_at"],
        due_at=row["due_at"],
        shares=row["share_micros"],
        notional=row["notional_micros"],
        price=row["price_micros"],
        cash=row["usdc_micros"],
        fees=row["fee_micros"],
        fills=row["fills"],
        source=Source(row["source"]),
        buffered=row["buffered_count"],
    )
