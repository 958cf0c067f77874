"""SIGKILL of the worker that runs the engine, under load: how long until the next verdict? A second worker stands by.

Sixteen buyers trade all the time; the clock runs from the kill to the commit of the first verdict after it, by the
database's clock. Afterwards no order is lost or doubled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from benchmarks import market, market_worker, report, stage
from benchmarks.hot_curve import sound
from localnet.running import running_postgres, running_temporal
from storage.database import make_pool
from workflows import client as temporal

BUYERS = 16
KILLS = 5
LIMIT_S = 2.5

AFTER = """
SELECT extract(epoch FROM min(executed_at) - %s::timestamptz)::float8 AS seconds FROM exchange.trades
WHERE executed_at > %s::timestamptz
"""


async def takeover(dsn: str, address: str) -> float:
    """Seconds from a kill to the next verdict."""
    client = await temporal.connect(address, "default")
    victim = await market_worker.worker_of(client, 0)
    [clock] = await stage.rows(dsn, "SELECT clock_timestamp() AS now")
    os.kill(victim, signal.SIGKILL)
    [clock] = await stage.rows(dsn, "SELECT clock_timestamp() AS now")
    for _ in range(2_000):
        await asyncio.sleep(0.01)
        # a batch that was on its way when its process died still counts as the old engine's: it ends within a tenth
        [found] = await stage.rows(dsn, AFTER, clock["now"], clock["now"])
        if found["seconds"] is not None and found["seconds"] > 0.1:
            return float(found["seconds"])
        if found["seconds"] is not None:
            clock["now"] = (await stage.rows(dsn, "SELECT max(executed_at) AS now FROM exchange.trades"))[0]["now"]
    raise AssertionError("no verdict within 20 s of the kill")


async def measure() -> bool:
    with stage.directory() as directory:
        async with (
            running_postgres(directory / "postgres", durable=True) as server,
            running_temporal(directory / "temporal") as server_of_workflows,
        ):
            dsn, address = await stage.new_database(server, "bench"), server_of_workflows.address
            cast = await market.populate(dsn, BUYERS, 1)
            found = await _kills(dsn, address, cast)
            await sound(dsn, cast, replays=True)
    rounds = tuple(report.sooner(seconds, LIMIT_S) for seconds in found)
    line = report.Line("SIGKILL to the next verdict", "s", rounds, target=1.0)
    return report.show("engine_takeover", [line], sides=("ours", "limit"))


async def _kills(dsn: str, address: str, cast: market.Cast) -> list[float]:
    workers = [await market_worker.start_worker(dsn, address, 1)]
    found = []
    try:
        await market_worker.start_engines(await temporal.connect(address, "default"), 1)
        async with make_pool(dsn, size=4, name="bench") as pool, market.Intake(pool, dsn).open() as intake:
            await market.drive(intake.buy, cast, BUYERS, 1.0, 0)
            trading = asyncio.create_task(market.drive(intake.buy, cast, BUYERS, 8.0 * KILLS, 1))
            for _ in range(KILLS):
                workers.append(await market_worker.start_worker(dsn, address, 1))
                await asyncio.sleep(1)
                found.append(await takeover(dsn, address))
            await trading
    finally:
        for child in workers:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    return found


if __name__ == "__main__":
    report.main(measure)
