"""One table for people, one JSON line for machines, and whether the target was met."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Round(NamedTuple):
    """Both sides of one round. `ratio` is made so that more is better."""

    ours: float
    theirs: float
    ratio: float


class Line(NamedTuple):
    """One comparison over all rounds. Without `target` it only informs."""

    name: str
    unit: str
    rounds: tuple[Round, ...]
    target: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(r.ratio for r in self.rounds)

    @property
    def worst(self) -> float:
        return min(r.ratio for r in self.rounds)

    @property
    def met(self) -> bool:
        return self.target is None or self.median >= self.target


def faster(ours: float, theirs: float) -> Round:
    """More is better: transfers a second, blocks a second."""
    return Round(ours, theirs, ours / theirs)


def sooner(ours: float, theirs: float) -> Round:
    """Less is better: lateness, latency, memory."""
    return Round(ours, theirs, theirs / ours)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not pass (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * round(share * 1000) // 1000) - 1)]


def show(name: str, lines: Sequence[Line], *, sides: tuple[str, str] = ("ours", "theirs"), note: str = "") -> bool:
    """Print table and JSON line; True when every target was met."""
    table = Table(title=name, title_justify="left")
    for column in ("what", f"{sides[0]} (median)", f"{sides[1]} (median)", "median ratio", "worst round", "target"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for line in lines:
        ours, theirs = (statistics.median(r[side] for r in line.rounds) for side in (0, 1))
        wanted = "" if line.target is None else f"≥ {line.target:g} {'met' if line.met else 'MISSED'}"
        figures = (f"{ours:,.1f} {line.unit}", f"{theirs:,.1f} {line.unit}")
        table.add_row(line.name, *figures, f"{line.median:.2f}", f"{line.worst:.2f}", wanted)
    Console(width=140).print(table)
    if note:
        print(note)
    met = all(line.met for line in lines)
    summary = {
        "benchmark": name,
        "met": met,
        "lines": [
            {
                "name": line.name,
                "unit": line.unit,
                "median_ratio": round(line.median, 3),
                "worst_ratio": round(line.worst, 3),
                "target": line.target,
                "rounds": [[round(r.ours, 3), round(r.theirs, 3)] for r in line.rounds],
            }
            for line in lines
        ],
    }
    print(json.dumps(summary))
    return met


def main(work: Callable[[], Awaitable[bool]]) -> None:
    """Run a benchmark; exit status 1 when a target was missed, an exception when an invariant broke."""

    async def run() -> bool:
        return await work()

    sys.exit(0 if asyncio.run(run()) else 1)
