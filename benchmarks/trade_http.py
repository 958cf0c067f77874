"""What does a verdict cost over HTTP? `POST /trades` with `Prefer: wait`, against the same route answering from memory.

64 keep-alive clients in a closed loop, each a trader with its own key, buying and selling on eight assets. Ours accepts
every order durably, has the engine (in a process of its own) carry it out, and answers with the fill; the other side is
the same server with a desk that knows the answer. The load comes from another process, to one side at a time.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack

from benchmarks import report, stage
from benchmarks.api_reads import ROOT, Figures, Served, environment, serving
from benchmarks.market import Cast, engine_process, populate
from localnet.running import running_postgres
from storage.accounts import add_key, new_key
from storage.database import make_pool, transaction

CLIENTS = 64
ASSETS = 8
SECONDS = 4.0
ROUNDS = 3
TARGET = 0.2
"""p50 at most five times the same route answering from memory (exchange.md 17)."""
PATH = "/api/exchange/trades"
LEFT = """
SELECT count(*) FILTER (WHERE status = 'filled') AS filled, count(*) AS orders,
  (SELECT count(*) FROM platform.transfers WHERE kind = 'trade') AS booked FROM exchange.trades
"""


async def keys(dsn: str, cast: Cast) -> list[str]:
    """A key for each trader."""
    made = [new_key() for _ in cast.traders]
    async with make_pool(dsn, size=1, name="bench") as pool, transaction(pool) as connection:
        for trader, key in zip(cast.traders, made, strict=True):
            scopes = ["exchange:read", "exchange:trade"]
            await add_key(connection, principal="bench", account_id=trader, api_key=key, scopes=scopes)
    return made


def orders(cast: Cast, given: list[str]) -> list[list[dict[str, str]]]:
    """For each client: buy 10 USDC, sell a hundredth of a share, on one asset after the other."""
    shift = [cast.assets[n:] + cast.assets[:n] for n in range(ASSETS)]
    sides: list[dict[str, str]] = [{"side": "buy", "amount_usdc": "10"}, {"side": "sell", "shares": "0.01"}]
    return [
        [
            {"key": key, "path": PATH, "body": json.dumps({"asset_id": asset, "account_id": trader, **side})}
            for asset in shift[number % ASSETS]
            for side in sides
        ]
        for number, (trader, key) in enumerate(zip(cast.traders, given, strict=True))
    ]


class Load:
    """Runs the load and counts what it had answered."""

    def __init__(self, posts: list[list[dict[str, str]]]) -> None:
        self.posts = posts
        self.asked = 0

    async def run(self, server: Served, *, counts: bool) -> Figures:
        job = {"host": "127.0.0.1", "port": server.port, "posts": self.posts, "clients": CLIENTS, "seconds": SECONDS}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.load", cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate(json.dumps(job).encode())
        if process.returncode:
            raise AssertionError("the load ended early: an order was not answered with its verdict")
        found = json.loads(output)
        self.asked += found["asked"] if counts else 0
        return Figures(found["answers"] / SECONDS, found["p50_ms"], found["p99_ms"])


async def compare(ours: Served, memory: Served, load: Load) -> list[report.Line]:
    rounds: list[tuple[Figures, Figures]] = []
    await load.run(ours, counts=True)
    await load.run(memory, counts=False)
    for number in range(ROUNDS):
        if number % 2 == 0:
            mine, theirs = await load.run(ours, counts=True), await load.run(memory, counts=False)
        else:
            theirs, mine = await load.run(memory, counts=False), await load.run(ours, counts=True)
        rounds.append((mine, theirs))
    return [
        report.Line("verdict p50", "ms", tuple(report.sooner(a.p50_ms, b.p50_ms) for a, b in rounds), TARGET),
        report.Line("verdict p99", "ms", tuple(report.sooner(a.p99_ms, b.p99_ms) for a, b in rounds)),
        report.Line("rate", "orders/s", tuple(report.faster(a.per_s, b.per_s) for a, b in rounds)),
    ]


async def measure() -> bool:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(stage.directory())
        postgres = await stack.enter_async_context(running_postgres(directory / "postgres", durable=True))
        dsn = await stage.new_database(postgres, "bench")
        cast = await populate(dsn, CLIENTS, ASSETS)
        load = Load(orders(cast, await keys(dsn, cast)))
        await stack.enter_async_context(engine_process(dsn))
        ours = await stack.enter_async_context(serving(["server.py"], environment(dsn)))
        memory = await stack.enter_async_context(serving(["-m", "benchmarks.memory_api"], environment(dsn)))
        lines = await compare(ours, memory, load)
        await stage.check_books(dsn)
        [left] = await stage.rows(dsn, LEFT)
        if not left["filled"] == left["orders"] == left["booked"] == load.asked:
            raise AssertionError(f"{load.asked} orders were answered, and the books tell of {left}")
    note = f"{CLIENTS} keep-alive clients, closed loop; clients, server, engine and database share the machine"
    return report.show("trade_http", lines, sides=("ours", "from memory"), note=note)


if __name__ == "__main__":
    report.main(measure)
