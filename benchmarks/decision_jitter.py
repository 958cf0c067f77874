"""How late is a decision? 60 copy attempts a second for 10 s, each due 750 ms after its detection.

Ours: the real attempt (group row, workflow, one book of the local venue, inputs, decision, both ledgers) on the
embedded stack; its lateness is that of the book request. Theirs does nothing but note the time: a workflow that sleeps
and calls an activity, all defaults; and a delayed job of BullMQ.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from benchmarks import copy_stage, copy_worker, jitter_peers, report, stage
from localnet.running import running_postgres, running_temporal

RATE = 60
SECONDS = int(os.environ.get("JITTER_SECONDS", "10"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
LEADERS = 20
LIMIT_MS = 10.0
WARM_UP = 30


async def ours(directory: Path, jobs: int) -> list[float]:
    """Lateness of each book request in seconds."""
    async with (
        running_postgres(directory / "postgres", durable=True) as server,
        running_temporal(directory / "temporal") as workflows,
        copy_stage.venue() as venue,
    ):
        dsn = await stage.new_database(server, "bench")
        cast = await copy_stage.populate(dsn, venue, LEADERS)
        worker = await copy_worker.start_worker(dsn, workflows.address, venue.clob_url)
        try:
            await copy_worker.drive(worker, cast, 0, WARM_UP, 20)
            await copy_stage.all_decided(dsn, WARM_UP, 30)
            await copy_worker.drive(worker, cast, WARM_UP, jobs, RATE)
            await copy_stage.all_decided(dsn, WARM_UP + jobs, 60)
        finally:
            worker.kill()
            await worker.wait()
        await copy_stage.check_decisions(dsn, WARM_UP + jobs)
        found = await stage.rows(
            dsn, "SELECT lateness_us, requests FROM copytrade.group_inputs ORDER BY requested_at OFFSET %s", WARM_UP
        )
        if any(row["requests"] != 1 for row in found):
            raise AssertionError("a book was requested more than once")
        return [row["lateness_us"] / 1e6 for row in found]


def p99_ms(values: list[float]) -> float:
    return 1000 * report.percentile(values, 0.99)


async def measure() -> bool:
    jobs, late, naive, queue = RATE * SECONDS, [], [], []
    for _ in range(ROUNDS):
        with stage.directory() as directory:
            late.append(await ours(directory, jobs))
            naive.append(await jitter_peers.naive(directory, jobs, RATE, copy_stage.DELAY.total_seconds()))
            queue.append(await jitter_peers.bullmq(directory, jobs, RATE, copy_stage.DELAY.total_seconds()))
        for name, values in (("ours", late), ("naive", naive), ("BullMQ", queue)):
            p50 = 1000 * statistics.median(values[-1])
            worst = 1000 * max(values[-1])
            print(f"{name}: p50 {p50:.1f} ms, p99 {p99_ms(values[-1]):.1f} ms, worst {worst:.1f} ms", flush=True)
        if (earliest := min(late[-1])) < 0:
            raise AssertionError(f"a decision was {-1000 * earliest:.3f} ms early")
    mine = [p99_ms(values) for values in late]
    lines = [
        report.Line("p99 against the limit", "ms", tuple(report.sooner(m, LIMIT_MS) for m in mine), target=1.0),
        report.Line("p99 against workflow.sleep", "ms", _pairs(mine, naive), target=50.0),
        report.Line("p99 against BullMQ", "ms", _pairs(mine, queue), target=8.0),
    ]
    return report.show("decision_jitter", lines, sides=("ours", "theirs"), note=f"{jobs} attempts a round, none early")


def _pairs(mine: list[float], theirs: list[list[float]]) -> tuple[report.Round, ...]:
    return tuple(report.sooner(m, p99_ms(t)) for m, t in zip(mine, theirs, strict=True))


if __name__ == "__main__":
    report.main(measure)
