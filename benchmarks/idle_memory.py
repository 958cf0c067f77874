"""How much memory does the whole embedded stack take when nothing happens? Proportional set size of every process.

PSS counts a page shared by n processes as a n-th in each, so the sum is what the stack really takes from the machine.
The limit is 1.2 GiB for everything `holdfast up` starts, itself included.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import report, stage

LIMIT_MIB = 1.2 * 1024
SETTLE_S = 20
LOOKS = 3
PAUSE_S = 5
START_S = 90
MIB = 2**20
SERVERS = ("postgres", "temporal", "anvil")


@asynccontextmanager
async def stack(directory: Path) -> AsyncIterator[psutil.Process]:
    """`holdfast up` on an empty directory, until it says that it is up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "up", "--data-dir", str(directory),
        cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    drain: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(START_S):
            while not (directory / "endpoints.json").exists() or b"Logs" not in await process.stdout.readline():
                if process.returncode is not None:
                    raise RuntimeError("the stack did not start")
        drain = asyncio.create_task(process.stdout.read())
        yield psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
            drain = drain or asyncio.create_task(process.stdout.read())
            await asyncio.wait_for(process.wait(), 60)
        if drain is not None:
            await drain


def name_of(process: psutil.Process) -> str:
    """What people call it."""
    words = process.cmdline() or [process.name()]
    for word in words:
        for server in SERVERS:
            if server in Path(word).name:
                return server
    for word in words:
        if word.endswith("worker.py"):
            return f"worker {words[-1]}"
        if word.endswith("server.py"):
            return "api"
        if word in ("localnet.upstreams", "localnet.polymarket", "localnet.svm"):
            return word.removeprefix("localnet.")
    return "supervisor" if "up" in words else Path(words[-1]).name


def pss_mib(process: psutil.Process) -> float:
    for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / MIB
    return 0.0


def look(root: psutil.Process) -> dict[str, tuple[int, float]]:
    """By name: how many processes, and their PSS together."""
    found: dict[str, tuple[int, float]] = {}
    for process in [root, *root.children(recursive=True)]:
        try:
            name, size = name_of(process), pss_mib(process)
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            continue
        count, total = found.get(name, (0, 0.0))
        found[name] = (count + 1, total + size)
    return found


def show(found: dict[str, tuple[int, float]]) -> None:
    table = Table(title="idle memory by process", title_justify="left")
    for column in ("process", "count", "PSS MiB"):
        table.add_column(column, justify="left" if column == "process" else "right")
    for name, (count, size) in sorted(found.items(), key=lambda item: -item[1][1]):
        table.add_row(name, str(count), f"{size:,.0f}")
    Console(width=100).print(table)


async def measure() -> bool:
    with stage.directory() as directory:
        async with stack(directory / "stack") as root:
            await asyncio.sleep(SETTLE_S)
            rounds = []
            for _ in range(LOOKS):
                found = look(root)
                missing = [s for s in (*SERVERS, "api", "supervisor") if s not in found]
                if missing:
                    raise AssertionError(f"not running: {missing}; seen: {sorted(found)}")
                rounds.append(report.sooner(sum(size for _, size in found.values()), LIMIT_MIB))
                await asyncio.sleep(PAUSE_S)
            show(found)
    line = report.Line("PSS of the whole stack, idle", "MiB", tuple(rounds), target=1.0)
    return report.show("idle_memory", [line], sides=("ours", "limit"))


if __name__ == "__main__":
    report.main(measure)
