"""The statements of a tick: what the engine knew, what was traded since, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.exchange.price_messages import RecordTick
from domain.exchange.prices import Bucket
from domain.exchange.ticks import Applied, Known, Market, Signal, Tick
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.database import Connection
from storage.events import emit

_CREATE: Final = """
INSERT INTO exchange.asset_prices (asset_id, fundamental_pico, display_micros, market_micros, weight_bps)
SELECT id, p0_micros::numeric * 1000000, p0_micros, p0_micros, 5000 FROM exchange.assets WHERE id = %s
ON CONFLICT DO NOTHING
"""
_LOCK: Final = """
SELECT fundamental_pico, display_micros, market_micros, volume_5m_micros, degraded_until, verdict, guarded_from,
  ticked_at, greatest(%s::timestamptz, clock_timestamp(), ticked_at + interval '1 microsecond') AS now
FROM exchange.asset_prices WHERE asset_id = %s FOR UPDATE
"""
# One statement, so one snapshot: supply, verdicts and trades are of the same moment, though nothing is locked. The
# volume of five minutes goes on from the last tick: what came in since, less what has grown too old.
_MARKET: Final = """
SELECT a.symbol, a.status::text AS status, a.p0_micros, a.k_atto, a.supply_atto, a.verdicts, a.breaker_bps,
  t.trades, t.volume, t.recent, t.low, t.high, o.left_behind
FROM exchange.assets a
CROSS JOIN LATERAL (
  SELECT count(*) AS trades, coalesce(sum(pool_micros), 0) AS volume, min(spot_after_micros) AS low,
    max(spot_after_micros) AS high,
    coalesce(sum(pool_micros) FILTER (WHERE executed_at > %(horizon)s), 0) AS recent
  FROM exchange.trades
  WHERE asset_id = a.id AND status = 'filled' AND verdict > %(verdict)s AND verdict <= a.verdicts) t
CROSS JOIN LATERAL (
  SELECT coalesce(sum(pool_micros), 0) AS left_behind FROM exchange.trades
  WHERE asset_id = a.id AND status = 'filled' AND executed_at > %(before)s AND executed_at <= %(horizon)s
    AND verdict <= %(verdict)s) o
WHERE a.id = %(asset)s
"""
_SIGNALS: Final = """
SELECT id, coalesce(applied_bps, delta_bps, 0) AS delta_bps FROM exchange.oracle_signals
WHERE asset_id = %s AND status = 'accepted' ORDER BY id FOR UPDATE
"""
_APPLY: Final = """
UPDATE exchange.oracle_signals s SET status = 'applied', applied_at = %s, applied_bps = n.applied,
  fundamental_before_pico = n.before, fundamental_after_pico = n.after
FROM unnest(%s::uuid[], %s::int[], %s::numeric[], %s::numeric[]) AS n(id, applied, before, after) WHERE s.id = n.id
"""
_BUCKETS: Final = """
SELECT floor(extract(epoch FROM ticked_at))::bigint AS second, min(display_micros) AS low, max(display_micros) AS high
FROM exchange.price_ticks WHERE asset_id = %s AND ticked_at >= %s GROUP BY 1 ORDER BY 1
"""
_WRITE: Final = """
INSERT INTO exchange.price_ticks (asset_id, cause, display_micros, market_micros, market_low_micros, market_high_micros,
  volume_micros, fundamental_pico, weight_bps, volume_5m_micros, ticked_at)
VALUES (%(asset)s, %(cause)s, %(display_micros)s, %(market_micros)s, %(market_low_micros)s, %(market_high_micros)s,
  %(volume_micros)s, %(fundamental_pico)s, %(weight_bps)s, %(volume_5m_micros)s, %(ticked_at)s) RETURNING id
"""
_KEEP: Final = """
UPDATE exchange.asset_prices SET fundamental_pico = %(fundamental_pico)s, display_micros = %(display_micros)s,
  market_micros = %(market_micros)s, weight_bps = %(weight_bps)s, volume_5m_micros = %(volume_5m_micros)s,
  verdict = %(verdict)s, guarded_from = %(guarded_from)s, ticked_at = %(ticked_at)s,
  degraded_until = CASE WHEN %(cleared)s THEN NULL ELSE degraded_until END
WHERE asset_id = %(asset)s
"""


async def create(connection: Connection, asset_id: str) -> None:
    """The engine's row of an asset, if it has none: F starts at P0."""
    await connection.execute(_CREATE, [asset_id])


async def known(connection: Connection, command: RecordTick) -> Known | None:
    """What the last tick left, locked until the transaction ends; None: no such asset."""
    lock = [command.at, command.asset_id]
    row = await (await connection.execute(_LOCK, lock)).fetchone()
    if row is None:
        await create(connection, command.asset_id)
        row = await (await connection.execute(_LOCK, lock)).fetchone()
    return Known(**row) if row is not None else None


async def market(connection: Connection, asset_id: str, was: Known) -> Market:
    """The asset now, and what was traded since."""
    names = {"asset": asset_id, "verdict": was.verdict, "horizon": was.horizon, "before": was.horizon_before}
    row = await (await connection.execute(_MARKET, names)).fetchone()
    assert row is not None
    return Market(**row)


async def accepted(connection: Connection, asset_id: str) -> list[Signal]:
    """Signals that wait to be applied, in the order of their ids, locked."""
    return [Signal(**row) for row in await (await connection.execute(_SIGNALS, [asset_id])).fetchall()]


async def shown(connection: Connection, asset_id: str, was: Known) -> list[Bucket]:
    """The display prices that the next tick is compared with."""
    if was.window_from is None:
        return []
    cursor = await connection.execute(_BUCKETS, [asset_id, was.window_from])
    return [Bucket(**row) for row in await cursor.fetchall()]


async def write(connection: Connection, asset_id: str, tick: Tick, moves: Sequence[Applied]) -> None:
    """The tick, the engine's row, the signals it applied, and the event."""
    names = tick._asdict() | {"asset": asset_id}
    row = await (await connection.execute(_WRITE, names)).fetchone()
    assert row is not None
    await connection.execute(_KEEP, names)
    if moves:
        columns = [list(column) for column in zip(*moves, strict=True)]
        await connection.execute(_APPLY, [tick.ticked_at, *columns])
    await emit(connection, _event(asset_id, row["id"], tick))


def _event(asset_id: str, tick_id: int, tick: Tick) -> Event:
    return Event(
        topic="prices",
        type="tick",
        payload={
            "asset_id": asset_id,
            "tick_id": tick_id,
            "cause": tick.cause,
            "display_price_usdc": format_usdc(tick.display_micros),
            "market_price_usdc": format_usdc(tick.market_micros),
            "market_low_usdc": format_usdc(tick.market_low_micros),
            "market_high_usdc": format_usdc(tick.market_high_micros),
            "volume_usdc": format_usdc(tick.volume_micros),
            "volume_5m_usdc": format_usdc(tick.volume_5m_micros),
            "weight_bps": tick.weight_bps,
            "ticked_at": tick.ticked_at.isoformat().replace("+00:00", "Z"),
        },
    )
