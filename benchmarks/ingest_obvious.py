"""The obvious ingest: one event at a time, a transaction each, the same rows and the same rules.

What one writes first: insert the row unless it is there, read the position, book, insert the line, write the position
and the sums, find the group, open or join it. Statement by statement on a connection that prepares them by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.copytrade.config import Guardrails
from domain.copytrade.groups import GroupKind, due_at, frozen_at, group_key, jitter_ms, window_of
from domain.copytrade.normalise import Trade
from domain.copytrade.portfolio import Holding, book
from domain.copytrade.readings import Taken
from domain.copytrade.shadow import Seen, fill
from storage.database import Connection

INSERT: Final = """
INSERT INTO copytrade.trade_events (id, source, source_id, followed_user_id, wallet, tx_hash, condition_id, token_id,
  side, price_micros, share_micros, notional_micros, usdc_micros, fee_micros, occurrence, event_time, detect_time, raw)
VALUES (%s, 'POLYMARKET_API', %s, %s, %s, %s, %s, %s, %s::copytrade.trade_side, %s, %s, %s, %s, %s, %s, %s,
  clock_timestamp(), %s) ON CONFLICT (source, source_id) DO NOTHING RETURNING detect_time
"""
MARKET: Final = "INSERT INTO copytrade.markets (condition_id) VALUES (%s) ON CONFLICT DO NOTHING"
TOKEN: Final = "INSERT INTO copytrade.outcome_assets (token_id, condition_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
PORTFOLIO: Final = """
SELECT id, epoch FROM copytrade.portfolios
WHERE portfolio_scope = 'SHADOW_USER' AND followed_user_id = %s FOR NO KEY UPDATE
"""
POSITION: Final = """
SELECT share_micros, cost_micros, realized_micros, settled FROM copytrade.positions
WHERE portfolio_id = %s AND token_id = %s
"""
LINE: Final = """
INSERT INTO copytrade.ledger_entries (portfolio_id, epoch, entry_type, ref_id, condition_id, token_id,
  share_delta_micros, cash_delta_micros, cost_delta_micros, realized_micros, price_micros, event_time)
VALUES (%s, %s, %s::copytrade.ledger_entry_type, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
KEEP: Final = """
INSERT INTO copytrade.positions (portfolio_id, token_id, condition_id, share_micros, cost_micros, realized_micros)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (portfolio_id, token_id) DO UPDATE SET
  share_micros = excluded.share_micros, cost_micros = excluded.cost_micros, realized_micros = excluded.realized_micros
"""
SUMS: Final = """
UPDATE copytrade.portfolios SET cash_micros = cash_micros + %s, realized_micros = realized_micros + %s WHERE id = %s
"""
OPEN: Final = """
INSERT INTO copytrade.event_groups AS g (group_key, followed_user_id, kind, condition_id, token_ids, window_start,
  window_end, event_time, detect_time, frozen_at, due_at, jitter_ms, share_micros, notional_micros, price_micros,
  usdc_micros, fee_micros, fills)
VALUES (%s, %s, %s::copytrade.group_kind, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1)
ON CONFLICT (group_key) DO UPDATE SET share_micros = g.share_micros + excluded.share_micros,
  notional_micros = g.notional_micros + excluded.notional_micros, usdc_micros = g.usdc_micros + excluded.usdc_micros,
  fee_micros = g.fee_micros + excluded.fee_micros, fills = g.fills + 1
"""
MEMBER: Final = "INSERT INTO copytrade.group_members (event_id, group_key) VALUES (%s, %s)"


async def insert(connection: Connection, one: Taken) -> datetime | None:
    """The canonical row alone. None: it was there."""
    row, trade = one.row, one.event
    assert isinstance(trade, Trade)
    await connection.execute(MARKET, [row.condition_id])
    await connection.execute(TOKEN, [row.token_id, row.condition_id])
    values = [
        *(one.event_id, one.source_id, one.user_id, row.wallet, row.tx_hash, row.condition_id, row.token_id),
        *(trade.side.value, trade.price, trade.shares, trade.notional, trade.usdc, trade.fee, one.occurrence),
        *(one.event_time, row.raw or "{}"),
    ]
    found = await (await connection.execute(INSERT, values)).fetchone()
    return None if found is None else found["detect_time"]


async def ingest_one(connection: Connection, one: Taken, rules: Guardrails, seed: str) -> None:
    """Everything that follows from one fill, in the caller's transaction."""
    detected = await insert(connection, one)
    if detected is None:
        return
    row, trade = one.row, one.event
    assert isinstance(trade, Trade)
    portfolio = await (await connection.execute(PORTFOLIO, [one.user_id])).fetchone()
    assert portfolio is not None
    for entry in fill(Seen(one.event_id, row.condition_id, row.token_id, one.event_time, trade), trade):
        held = await (await connection.execute(POSITION, [portfolio["id"], row.token_id])).fetchone()
        booked = book(
            Holding(held["share_micros"], held["cost_micros"], held["realized_micros"]) if held else Holding(), entry
        )
        await connection.execute(
            LINE,
            [
                *(portfolio["id"], portfolio["epoch"], entry.kind.value, entry.ref_id, entry.condition_id),
                *(entry.token_id, entry.shares, entry.cash, booked.cost_delta, booked.realised, entry.price),
                entry.event_time,
            ],
        )
        kept = booked.holding
        values = [portfolio["id"], row.token_id, row.condition_id, kept.shares, kept.cost, kept.realised]
        await connection.execute(KEEP, values)
        await connection.execute(SUMS, [entry.cash, booked.realised, portfolio["id"]])
    start, end = window_of(one.event_time, rules.aggregation_window_ms)
    kind = GroupKind(trade.side)
    key = group_key(one.user_id, [row.token_id], kind, start)
    frozen, jitter = frozen_at(detected, end), jitter_ms(seed, key, rules.jitter_ms_max)
    due = due_at(frozen, rules.decision_latency_ms, jitter)
    await connection.execute(
        OPEN,
        [
            *(key, one.user_id, kind.value, row.condition_id, [row.token_id], start, end, one.event_time, detected),
            *(frozen, due, jitter, trade.shares, trade.notional, trade.price, trade.usdc, trade.fee),
        ],
    )
    await connection.execute(MEMBER, [one.event_id, key])
