"""Checks of the market: do engines give verdicts, has the oracle spoken?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cli.checks import Finding, away, broken, good, look

if TYPE_CHECKING:
    from storage.database import Pool

STANDSTILL_S: Final = 30
LAG_S: Final = 10


async def engines(pool: Pool, number: int) -> Finding:
    """Does every market engine work, and does no order wait?"""
    from storage.reads.gauges import samples

    name, found = "market engines", await samples(pool)
    seen = {s.value_of: float(s.value) for s in found if s.name == "holdfast_engine_seen_seconds"}
    single = {s.name: float(s.value) for s in found if not s.label}
    missing = [engine for engine in map(str, range(number)) if engine not in seen]
    if missing:
        return look(name, f"not at work yet: {', '.join(missing)}", "holdfast worker --queues exchange,operations")
    idle = max(seen[str(engine)] for engine in range(number))
    if idle > STANDSTILL_S:
        return away(name, f"one was last at work {idle:.0f} s ago", "is a worker running? runbook engine_lagging")
    if single["holdfast_orders_oldest_seconds"] > LAG_S:
        return broken(name, f"{single['holdfast_orders_pending']:.0f} orders wait", "runbook engine_lagging")
    if single["holdfast_orders_parked"]:
        return look(name, f"{single['holdfast_orders_parked']:.0f} orders are set aside", "runbook engine_lagging")
    return good(name, f"{number} at work, {single['holdfast_orders_pending']:.0f} orders wait")


async def prices(pool: Pool) -> Finding:
    """Which assets trade, which are halted, and which have no oracle signal?"""
    from storage.reads.base import fetch_all

    (row,) = await fetch_all(
        pool,
        """SELECT count(*) FILTER (WHERE a.status = 'active') AS active,
             count(*) FILTER (WHERE a.status = 'halted') AS halted,
             count(*) FILTER (WHERE a.status = 'active' AND p.degraded_until > clock_timestamp()) AS degraded
           FROM exchange.assets a LEFT JOIN exchange.asset_prices p ON p.asset_id = a.id""",
    )
    said = f"{row['active']} active, {row['halted']} halted"
    if row["degraded"]:
        return look("assets", f"{said}, {row['degraded']} without an oracle signal", "runbook oracle_degraded")
    if row["halted"]:
        return look("assets", said, "runbook breaker_tripped")
    return good("assets", said)
