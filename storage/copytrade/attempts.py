"""Writing what was decided: attempts, fills, ledger, positions, portfolio, events; a batch in a few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Json

from domain.copytrade.decisions import Decision
from domain.copytrade.entries import Entry, Scope
from domain.copytrade.groups import Group
from domain.copytrade.inputs import Inputs
from domain.copytrade.portfolio import Booked, Portfolio
from storage.database import Connection
from storage.events import new_id

# One statement, so that one answer is waited for under the lock: arrays of rows are parts of one JSON document.
_WRITE: Final = """
WITH d AS (SELECT %(rows)s::jsonb AS j),
attempts AS (
  INSERT INTO copytrade.copy_attempts (id, portfolio_scope, followed_user_id, group_key, decision, reason_codes,
    target_notional_micros, filled_notional_micros, filled_share_micros, filled_ratio_bps, vwap_price_micros,
    fee_micros, their_reference_price_micros, mid_price_micros_at_decision, slippage_micros, clamped, detect_lag_ms,
    copy_lag_ms, source_type, buffered_count, out_of_order, guards, sizing, portfolio, config_version, decided_at)
  SELECT a.id, %(scope)s, a.followed_user_id, a.group_key, a.decision, a.reasons, a.target, a.filled, a.shares,
    a.ratio_bps, a.vwap, a.fee, a.their_price, a.mid, a.slippage, a.clamped, a.detect_lag_ms, a.copy_lag_ms,
    a.source, a.buffered, a.out_of_order, a.guards, a.sizing, a.before, a.config_version, a.decided_at
  FROM d, jsonb_to_recordset(d.j->'attempts') AS a(place int, id uuid, followed_user_id uuid, group_key text,
    decision copytrade.copy_decision, reasons text[], target bigint, filled bigint, shares bigint, ratio_bps int,
    vwap bigint, fee bigint, their_price bigint, mid bigint, slippage bigint, clamped text, detect_lag_ms bigint,
    copy_lag_ms bigint, source copytrade.copy_source, buffered int, out_of_order boolean, guards jsonb, sizing jsonb,
    before jsonb, config_version bigint, decided_at timestamptz)
  ORDER BY a.place
), fills AS (
  INSERT INTO copytrade.executable_fills (copy_attempt_id, level, filled_share_micros, fill_price_micros,
    fill_notional_micros, fee_micros)
  SELECT f.attempt_id, f.level, f.shares, f.price, f.notional, f.fee
  FROM d, jsonb_to_recordset(d.j->'fills') AS f(attempt_id uuid, level int, shares bigint, price bigint,
    notional bigint, fee bigint)
), entries AS (
  INSERT INTO copytrade.ledger_entries (portfolio_id, epoch, source_followed_user_id, entry_type, ref_id, condition_id,
    token_id, share_delta_micros, cash_delta_micros, cost_delta_micros, realized_micros, price_micros, event_time)
  SELECT %(id)s, %(epoch)s, e.leader, e.kind, e.ref_id, e.condition_id, e.token_id, e.shares, e.cash, e.cost,
    e.realised, e.price, e.event_time
  FROM d, jsonb_to_recordset(d.j->'entries') AS e(place int, leader uuid, kind copytrade.ledger_entry_type, ref_id text,
    condition_id text, token_id text, shares bigint, cash bigint, cost bigint, realised bigint, price bigint,
    event_time timestamptz)
  ORDER BY e.place
), positions AS (
  INSERT INTO copytrade.positions (portfolio_id, token_id, condition_id, share_micros, cost_micros, realized_micros)
  SELECT %(id)s, p.token_id, p.condition_id, p.shares, p.cost, p.realised
  FROM d, jsonb_to_recordset(d.j->'positions') AS p(token_id text, condition_id text, shares bigint, cost bigint,
    realised bigint)
  ON CONFLICT (portfolio_id, token_id) DO UPDATE SET share_micros = excluded.share_micros,
    cost_micros = excluded.cost_micros, realized_micros = excluded.realized_micros, updated_at = clock_timestamp()
), portfolio AS (
  UPDATE copytrade.portfolios SET cash_micros = %(cash)s, contributed_micros = %(contributed)s,
    realized_micros = %(realised)s, fees_micros = %(fees)s, peak_pnl_micros = %(peak)s,
    drawdown_latched_at = coalesce(drawdown_latched_at, %(latched)s) WHERE id = %(id)s
), decided AS (
  UPDATE copytrade.event_groups SET
    user_decided_at = CASE WHEN %(scope)s = 'EXEC_USER' THEN clock_timestamp() ELSE user_decided_at END,
    global_decided_at = CASE WHEN %(scope)s = 'EXEC_GLOBAL' THEN clock_timestamp() ELSE global_decided_at END
  WHERE group_key = ANY(%(keys)s)
)
INSERT INTO platform.outbox (topic, type, payload)
SELECT 'copytrade', 'copy_attempt', e FROM d, jsonb_array_elements(d.j->'events') WITH ORDINALITY AS x(e, place)
ORDER BY place
"""
MILLISECOND: Final = timedelta(milliseconds=1)


class Decided(NamedTuple):
    """One group in one scope. `booked`: what each of the decision's entries did. `late`: after a greater one."""

    group: Group
    inputs: Inputs
    decision: Decision
    booked: tuple[Booked, ...]
    late: bool


class Written(NamedTuple):
    """Where decisions are written: a portfolio whose row is locked, as it stands after them."""

    scope: Scope
    portfolio_id: str
    epoch: int
    after: Portfolio


async def write(connection: Connection, where: Written, batch: Sequence[Decided]) -> None:
    """Everything about a batch, in the order decided; the caller's transaction holds the portfolio's row."""
    attempts = {d.group.group_key: new_id() for d in batch}
    rows = [_attempt(place, attempts[d.group.group_key], d) for place, d in enumerate(batch)]
    entries = list(_entries(where.scope, batch))
    after = where.after
    document = {
        "attempts": rows,
        "fills": [fill for d in batch for fill in _fills(attempts[d.group.group_key], d.decision)],
        "entries": entries,
        "positions": _positions(after, entries),
        "events": [_event(where.scope, row) for row in rows],
    }
    latched: datetime | None = next((d.group.due_at for d in batch if d.decision.latched), None)
    values = {
        **{"rows": Json(document, msgspec.json.encode), "scope": where.scope.value, "keys": list(attempts)},
        **{"id": where.portfolio_id, "epoch": where.epoch, "cash": after.cash, "contributed": after.contributed},
        **{"realised": after.realised, "fees": after.fees, "peak": after.peak_pnl, "latched": latched},
    }
    await connection.execute(_WRITE, values, prepare=True)


def _attempt(place: int, attempt_id: str, decided: Decided) -> dict[str, Any]:
    group, inputs, d = decided.group, decided.inputs, decided.decision
    return {
        "place": place,
        "id": attempt_id,
        "followed_user_id": group.followed_user_id,
        "group_key": group.group_key,
        "decision": d.decision,
        "reasons": [reason.value for reason in d.reasons],
        "target": d.target,
        "filled": d.filled,
        "shares": d.shares,
        "ratio_bps": d.ratio_bps,
        "vwap": d.vwap,
        "fee": d.fee,
        "their_price": d.their_price,
        "mid": d.mid,
        "slippage": d.slippage,
        "clamped": d.clamped,
        "detect_lag_ms": (group.first_seen - group.event_time) // MILLISECOND,
        "copy_lag_ms": (inputs.requested_at - group.event_time) // MILLISECOND,
        "source": group.source.value,
        "buffered": group.buffered,
        "out_of_order": decided.late,
        "guards": [guard._asdict() for guard in d.guards],
        "sizing": d.sizing._asdict(),
        "before": d.before._asdict(),
        "config_version": inputs.config_version,
        "decided_at": max(group.due_at, inputs.requested_at),
    }


def _fills(attempt_id: str, decision: Decision) -> list[dict[str, Any]]:
    return [
        {
            "attempt_id": attempt_id,
            "level": fill.level,
            "shares": fill.shares,
            "price": fill.price,
            "notional": fill.notional,
            "fee": fill.fee,
        }
        for fill in decision.fills
    ]


def _entries(scope: Scope, batch: Sequence[Decided]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for d in batch:
        leader = d.group.followed_user_id if scope is Scope.EXEC_GLOBAL else None
        for entry, booked in zip(d.decision.entries, d.booked, strict=True):
            found.append(_entry(len(found), leader, entry, booked))
    return found


def _entry(place: int, leader: str | None, entry: Entry, booked: Booked) -> dict[str, Any]:
    return entry._asdict() | {
        "place": place,
        "leader": leader,
        "cost": booked.cost_delta,
        "realised": booked.realised,
    }


def _positions(after: Portfolio, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of the tokens that moved, in the order of their key as every batch writes them."""
    tokens = sorted({entry["token_id"] for entry in entries} - {""})
    return [{"token_id": token, **after.holdings[token]._asdict()} for token in tokens]


def _event(scope: Scope, row: Mapping[str, Any]) -> dict[str, Any]:
    told = ("id", "followed_user_id", "group_key", "decision")
    return {name: row[name] for name in told} | {"portfolio_scope": scope.value, "reason_codes": row["reasons"]}
