"""SIGKILL of a worker with 50 attempts in flight, twenty times: how much later are their decisions than they were due?

Two workers share the attempts; one is killed at a random moment, and replaced. In flight is everything from started to
about to decide. The delay is from the due time to the commit of the attempt, in the later of both scopes. Afterwards no
attempt is lost or doubled and every portfolio is the sum of its ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
from datetime import timedelta
from typing import LiteralString

from benchmarks import copy_stage, copy_worker, report, stage
from localnet.running import running_postgres, running_temporal
from storage.database import Pool, make_pool
from workflows import client as temporal
from workflows.client import Processes

KILLS = int(os.environ.get("RECOVERY_KILLS", "20"))
IN_FLIGHT = 50
RATE = 100
LIMIT_S = 2.5
LEADERS = 10
DELAY = timedelta(milliseconds=1_500)
"""Long enough that all are started before the first is due."""

WORST: LiteralString = """
SELECT g.group_key, extract(epoch FROM max(a.created_at) - g.due_at)::float8 AS seconds
FROM copytrade.event_groups g JOIN copytrade.copy_attempts a USING (group_key)
WHERE g.group_key = ANY(%s) GROUP BY g.group_key, g.due_at
"""


class Crew:
    """Two workers, of which one is killed at a time."""

    def __init__(self, dsn: str, address: str, clob_url: str) -> None:
        self.where = (dsn, address, clob_url)
        self.workers: list[asyncio.subprocess.Process] = []

    async def fill(self) -> None:
        while len(self.workers) < 2:
            self.workers.append(await copy_worker.start_worker(*self.where))

    async def kill_one(self) -> None:
        victim = self.workers.pop(0)
        victim.kill()
        await victim.wait()

    async def close(self) -> None:
        for child in self.workers:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


async def one_kill(dsn: str, pool: Pool, crew: Crew, cast: copy_stage.Cast, processes: Processes, first: int) -> float:
    """Seconds by which the latest of 50 decisions missed its time."""
    keys: list[str] = []

    async def start(number: int) -> None:
        keys.append(await copy_stage.detect(pool, cast, first + number, DELAY))
        await processes.copy_group(keys[-1])

    starting = asyncio.create_task(copy_stage.paced(IN_FLIGHT, RATE, start))
    await asyncio.sleep(IN_FLIGHT / RATE + random.uniform(0, DELAY.total_seconds()))
    await crew.kill_one()
    await starting
    await copy_stage.all_decided(dsn, first + IN_FLIGHT, 30)
    found = await stage.rows(dsn, WORST, keys)
    return max(float(row["seconds"]) for row in found)


async def measure() -> bool:
    found: list[float] = []
    with stage.directory() as directory:
        async with (
            running_postgres(directory / "postgres", durable=True) as server,
            running_temporal(directory / "temporal") as workflows,
            copy_stage.venue() as venue,
        ):
            dsn = await stage.new_database(server, "bench")
            cast = await copy_stage.populate(dsn, venue, LEADERS)
            processes = Processes(await temporal.connect(workflows.address, "default"))
            crew = Crew(dsn, workflows.address, venue.clob_url)
            try:
                async with make_pool(dsn, size=8, name="bench") as pool:
                    for number in range(KILLS):
                        await crew.fill()
                        await asyncio.sleep(1)
                        found.append(await one_kill(dsn, pool, crew, cast, processes, number * IN_FLIGHT))
                        print(f"kill {number + 1}: latest decision {found[-1]:.2f} s after it was due", flush=True)
            finally:
                await crew.close()
            await copy_stage.check_decisions(dsn, KILLS * IN_FLIGHT)
    worst = report.Line("worst delay of all kills", "s", (report.sooner(max(found), LIMIT_S),), target=1.0)
    usual = report.Line("delay of a kill", "s", tuple(report.sooner(seconds, LIMIT_S) for seconds in found))
    note = (
        f"{KILLS} kills, {KILLS * IN_FLIGHT} attempts, none lost, none doubled; median {statistics.median(found):.2f} s"
    )
    return report.show("recovery", [worst, usual], sides=("ours", "limit"), note=note)


if __name__ == "__main__":
    report.main(measure)
