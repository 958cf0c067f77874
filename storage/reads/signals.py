"""Oracle signals as users see them, with what led to each."""

from __future__ import annotations

from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_one, fetch_page, moment


def _percent(column: str) -> str:
    """SQL: basis points as a decimal percentage."""
    return f"trim_scale({column} * 0.01)::text"


_PICO: Final = "trim_scale(s.{} * 0.000000000001)::text"
_FIELDS: Final = f"""'id', s.id, 'asset_id', s.asset_id, 'status', s.status, 'reason', s.reason,
  'delta_bps', s.delta_bps, 'applied_bps', s.applied_bps, 'delta_percent', {_percent("s.applied_bps")},
  'confidence_bps', s.confidence_bps, 'summary', s.summary, 'source_urls', s.source_urls,
  'model', s.provenance #>> '{{attempts,-1,model}}', 'attempts', jsonb_array_length(s.provenance -> 'attempts'),
  'fundamental_before_usdc', {_PICO.format("fundamental_before_pico")},
  'fundamental_after_usdc', {_PICO.format("fundamental_after_pico")},
  'created_at', {moment("s.created_at")}, 'applied_at', {moment("s.applied_at")}, 'operation_id', s.operation_id"""
SIGNALS: Final = Listing(
    body=f"json_build_object({_FIELDS})",
    source="exchange.oracle_signals s",
    key="s.id",
)
DETAILED: Final = SIGNALS._replace(
    body=f"json_build_object({_FIELDS}, 'provenance', s.provenance)", extra="s.asset_id::text AS asset_id"
)


async def asset_exists(pool: Pool, asset_id: str) -> bool:
    return await fetch_one(pool, "SELECT 1 FROM exchange.assets WHERE id = %s", [asset_id]) is not None


async def signals(pool: Pool, *, asset_id: str, status: str | None, limit: int, after: str | None) -> Found:
    filters = [
        ("s.asset_id = %s::uuid", asset_id),
        ("s.status = %s::text::exchange.oracle_signal_status", status),
    ]
    return await fetch_page(pool, SIGNALS, filters, limit=limit, after=after)


async def signal(pool: Pool, signal_id: str) -> Row | None:
    """One signal with its provenance."""
    return await fetch_item(pool, DETAILED, signal_id)
