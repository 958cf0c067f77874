"""Verdicts a second when everybody buys the same asset: the engine against an ORM session per trade.

Each buyer places the next order when it has the verdict of the last. Ours: orders are accepted by group commit as the
API does it, the engine runs in a process of its own, verdicts are read from the books. Theirs: market_obvious.py, with
as many connections as suit it best. Both write the same rows through the same domain functions, with durable commits.
Afterwards every rule of the market must hold on both sides, and a replay of ours must give every verdict again.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks import market, report, stage
from benchmarks.market import Cast, Run
from benchmarks.market_obvious import Obvious
from localnet.running import RunningPostgres, running_postgres
from storage.database import make_pool
from storage.reads.invariants import RULES, check
from storage.reads.market_log import differences
from storage.reads.market_rules import MARKET_RULES

SECONDS = 3.0
WARM_UP_S = 1.0
ROUNDS = 3
CONNECTIONS = 8
TARGETS = {64: 40.0, 256: 100.0}
P99_MS = 25.0


class Sides(NamedTuple):
    ours: list[Run]
    theirs: list[Run]
    serializable: list[Run]


async def ours(dsn: str, cast: Cast, clients: int, seed: int) -> Run:
    async with (
        make_pool(dsn, size=4, name="bench") as pool,
        market.engine_process(dsn),
        market.Intake(pool, dsn).open() as intake,
    ):
        await market.drive(intake.buy, cast, clients, WARM_UP_S, seed)
        return await market.drive(intake.buy, cast, clients, SECONDS, seed + 1)


async def theirs(dsn: str, cast: Cast, clients: int, seed: int, *, serializable: bool = False) -> Run:
    obvious = Obvious(dsn, connections=CONNECTIONS, serializable=serializable)
    try:
        await market.drive(obvious.buy, cast, clients, WARM_UP_S, seed)
        return await market.drive(obvious.buy, cast, clients, SECONDS, seed + 1)
    finally:
        obvious.close()


async def sound(dsn: str, cast: Cast, *, replays: bool) -> None:
    """Nothing lost, nothing made, every figure follows."""
    await stage.check_books(dsn)
    names = {name for name, _, _ in MARKET_RULES}
    async with make_pool(dsn, size=1, name="bench-check", statement_timeout_ms=120_000) as pool:
        for rule in RULES:
            if rule.name in names and not (verdict := await check(pool, rule)).ok:
                raise AssertionError(f"{rule.name}: expected {verdict.expected}, found {verdict.actual}")
        for asset in cast.assets if replays else ():
            if found := await differences(pool, asset):
                raise AssertionError(f"the replay differs: {found[:3]}")


async def compare(server: RunningPostgres, clients: int) -> Sides:
    sides = Sides([], [], [])
    databases = [await stage.new_database(server, f"{name}_{clients}") for name in ("ours", "theirs")]
    casts = [await market.populate(dsn, clients, 1) for dsn in databases]
    for number in range(ROUNDS):
        for side in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
            if side == "ours":
                sides.ours.append(await ours(databases[0], casts[0], clients, 10 * number))
            else:
                sides.theirs.append(await theirs(databases[1], casts[1], clients, 10 * number))
    if clients == min(TARGETS):
        sides.serializable.append(await theirs(databases[1], casts[1], clients, 99, serializable=True))
    for dsn, cast in zip(databases, casts, strict=True):
        # the other side may give orders the verdict numbers of one another's time: it has no clock of a batch
        await sound(dsn, cast, replays=dsn == databases[0])
    return sides


async def measure() -> bool:
    lines, notes = [], []
    with stage.directory() as directory:
        async with running_postgres(directory / "postgres", durable=True) as server:
            for clients, target in TARGETS.items():
                sides = await compare(server, clients)
                pairs = list(zip(sides.ours, sides.theirs, strict=True))
                rate = tuple(report.faster(a.per_s, b.per_s) for a, b in pairs)
                p99 = tuple(report.sooner(a.p99_ms, P99_MS) for a in sides.ours)
                lines.append(report.Line(f"{clients} buyers", "trades/s", rate, target))
                lines.append(report.Line(f"{clients} buyers, p99 against {P99_MS:g} ms", "ms", p99, 1.0))
                if sides.serializable:
                    serializable = sides.serializable[0].per_s
                    rows = tuple(report.faster(a.per_s, serializable) for a in sides.ours)
                    lines.append(report.Line(f"{clients} buyers, against SERIALIZABLE with retries", "trades/s", rows))
                notes += [market.told(f"{clients} ours", sides.ours), market.told(f"{clients} theirs", sides.theirs)]
    return report.show(
        "hot_curve", lines, sides=("ours", "theirs"), note="trades/s, p50 ms, p99 ms\n" + "\n".join(notes)
    )


if __name__ == "__main__":
    report.main(measure)
