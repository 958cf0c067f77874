"""What does following three leaders at the ordinary cadences take from the machine, while they trade moderately?

Memory is the proportional set size of everything `holdfast up` starts, itself included: the limit is 1.5 GiB. Processor
time is what workers, API, Postgres and Temporal use: the limit is a quarter of one core. What stands for the outside
world (chains, venue, upstreams, and the supervisor that carries some of it) is told apart.

The leaders are the local venue's own, which act twelve times a minute together. Two minutes by default, `--seconds 600`
for the long look (`make soak`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import report, stage
from benchmarks.idle_memory import look, name_of, stack

MEMORY_LIMIT_MIB = 1.5 * 1024
CPU_LIMIT = 25.0
LEADERS = ("steady-whale", "quick-fox", "patient-owl")
ROUNDS = 3
SETTLE_S = 30
OUTSIDE = ("anvil", "polymarket", "svm", "upstreams", "supervisor", "watchdog.py")

HAPPENED = """
SELECT (SELECT count(*) FROM copytrade.trade_events WHERE NOT baseline) AS fills,
  (SELECT count(*) FROM copytrade.event_groups) AS groups,
  (SELECT count(*) FROM copytrade.copy_attempts) AS attempts,
  (SELECT count(*) FROM copytrade.portfolio_snapshots) AS snapshots,
  (SELECT count(*) FROM copytrade.mark_prices) AS marks,
  (SELECT count(*) FROM platform.quarantine) AS quarantined
"""


class Taken(NamedTuple):
    """`cpu`: percent of one core by process name. `memory`: MiB of the whole tree at the end of the round."""

    cpu: dict[str, float]
    memory: float

    def of(self, *, outside: bool) -> float:
        return sum(share for name, share in self.cpu.items() if (name in OUTSIDE) == outside)


def spent(root: psutil.Process) -> dict[str, float]:
    """Seconds of processor time by name. A child that ended is counted by its parent, which has waited for it."""
    found: dict[str, float] = {}
    for process in [root, *root.children(recursive=True)]:
        try:
            name, times = name_of(process), process.cpu_times()
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
        total = times.user + times.system + times.children_user + times.children_system
        found[name] = found.get(name, 0.0) + total
    return found


async def follow(endpoints: dict[str, Any]) -> None:
    """The venue's own leaders, until each is followed."""
    headers = {"Authorization": f"Bearer {endpoints['admin_api_key']}"}
    async with httpx.AsyncClient(base_url=endpoints["api_url"], headers=headers, timeout=20) as api:
        for name in LEADERS:
            told = await api.post(f"{endpoints['polymarket']['control_url']}/wallet", json={"name": name})
            body = {"label": name, "wallet": told.raise_for_status().json()["address"], "bankroll_usdc": "10000"}
            (await api.post("/api/copytrade/users", json=body, headers={"Idempotency-Key": name})).raise_for_status()
        async with asyncio.timeout(60):
            while True:
                users = (await api.get("/api/copytrade/users")).json()["items"]
                if all(one["status"] == "following" for one in users):
                    return
                await asyncio.sleep(0.5)


async def looks(root: psutil.Process, seconds: float) -> list[Taken]:
    """Some looks of equal length, one after the other."""
    found = []
    for _ in range(ROUNDS):
        before, began = spent(root), time.monotonic()
        await asyncio.sleep(seconds / ROUNDS)
        after, took = spent(root), time.monotonic() - began
        cpu = {name: 100 * (total - before.get(name, 0.0)) / took for name, total in after.items()}
        found.append(Taken(cpu, sum(size for _, size in look(root).values())))
    return found


def show(found: list[Taken], memory: dict[str, tuple[int, float]]) -> None:
    table = Table(title="following three leaders, by process", title_justify="left")
    for column in ("process", "count", "PSS MiB", "% of one core"):
        table.add_column(column, justify="left" if column == "process" else "right")
    for name, (count, size) in sorted(memory.items(), key=lambda item: -item[1][1]):
        share = statistics.median(one.cpu.get(name, 0.0) for one in found)
        table.add_row(name, str(count), f"{size:,.0f}", f"{share:.1f}")
    Console(width=100).print(table)


async def measure(seconds: float = 120) -> bool:
    with stage.directory() as directory:
        async with stack(directory / "stack") as root:
            endpoints = json.loads((Path(directory) / "stack" / "endpoints.json").read_text())
            await follow(endpoints)
            await asyncio.sleep(SETTLE_S)
            found = await looks(root, seconds)
            show(found, look(root))
            [happened] = await stage.rows(endpoints["postgres_dsn"], HAPPENED)
    if not happened["attempts"] or happened["quarantined"]:
        raise AssertionError(f"nothing to measure: {happened}")
    lines = [
        report.Line("PSS of the whole stack", "MiB", _rounds((t.memory for t in found), MEMORY_LIMIT_MIB), target=1.0),
        report.Line("processor: product, Postgres, Temporal", "% of a core",
                    _rounds((t.of(outside=False) for t in found), CPU_LIMIT), target=1.0),
        report.Line("processor: local chains and venue", "% of a core",
                    _rounds((t.of(outside=True) for t in found), CPU_LIMIT)),
    ]  # fmt: skip
    return report.show("copytrade_idle", lines, sides=("ours", "limit"), note=f"meanwhile: {happened}")


def _rounds(values: Any, limit: float) -> tuple[report.Round, ...]:
    return tuple(report.sooner(value, limit) for value in values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    asked = parser.parse_args()
    report.main(lambda: measure(asked.seconds))
