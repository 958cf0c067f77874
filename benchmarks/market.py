"""What the market's benchmarks share: traders with money, orders that wait for their verdicts, the engine's process."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import LiteralString, NamedTuple

from benchmarks import report, stage
from domain.shared.money import USDC_ONE
from storage.columns import numbers, words
from storage.database import Pool, pipelined
from storage.events import new_id
from storage.listen import Listener
from storage.reads.base import reading

ROOT = Path(__file__).parents[1]
EACH = 1_000_000 * USDC_ONE
AMOUNT = 10 * USDC_ONE
PRINCIPAL = 2_500 * USDC_ONE

ACCOUNTS: LiteralString = """
INSERT INTO platform.accounts (id, name, role) SELECT u, 'bench', 'trader' FROM unnest(%s::uuid[]) u
"""
MONEY: LiteralString = """
WITH t AS (INSERT INTO platform.transfers (key, kind, phase) VALUES ('bench:money', 'bench', 'single') RETURNING id)
INSERT INTO platform.postings (transfer_id, account, unit, amount)
SELECT t.id, 'users:' || u || ':available', 'USDC', %s FROM t, unnest(%s::text[]) u
UNION ALL SELECT t.id, 'world', 'USDC', %s FROM t
"""
ASSETS: LiteralString = """
WITH t AS (
  INSERT INTO platform.transfers (key, kind, phase) VALUES ('bench:principal', 'bench', 'single') RETURNING id
), p AS (
  INSERT INTO platform.postings (transfer_id, account, unit, amount)
  SELECT t.id, 'assets:' || a || ':lp_principal', 'USDC', %(principal)s FROM t, unnest(%(ids)s::text[]) a
  UNION ALL SELECT t.id, 'world', 'USDC', -%(principal)s::numeric * cardinality(%(ids)s::text[]) FROM t
), l AS (
  INSERT INTO exchange.lp_positions (asset_id, account_id, shares_micros, contributed_micros)
  SELECT a::uuid, %(owner)s, %(principal)s, %(principal)s FROM unnest(%(ids)s::text[]) a
)
INSERT INTO exchange.assets (id, symbol, name, status, p0_micros, k_atto, fee_bps, lp_part_bps, breaker_bps,
  soft_cap_micros, hard_cap_micros, funding_deadline, shard, lp_shares_micros, created_by, activated_at)
SELECT a::uuid, 'B' || n, 'Bench', 'active', 1000000, 10000000000000000, 50, 9000, 0, %(principal)s,
  %(principal)s * 10, clock_timestamp() + interval '7 days', 0, %(principal)s, %(owner)s, clock_timestamp()
FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS x(a, n)
"""
ACCEPT: LiteralString = """
INSERT INTO exchange.trades (id, asset_id, account_id, side, asked, shard)
SELECT o.id, o.asset_id, o.account_id, 'buy', o.asked, 0
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[])
  WITH ORDINALITY AS o(id, asset_id, account_id, asked, place) ORDER BY o.place
"""
VERDICTS: LiteralString = """
SELECT id, status::text, shares_atto FROM exchange.trades WHERE id = ANY(%s::uuid[]) AND status <> 'pending'
"""


Buy = Callable[[str, str], Awaitable[bool]]
"""(asset, account) → filled, once the verdict is there."""


class Cast(NamedTuple):
    """Who trades what."""

    traders: list[str]
    assets: list[str]


class Run(NamedTuple):
    """What a measured time gave: trades a second, and how long each client waited for its verdict."""

    per_s: float
    p50_ms: float
    p99_ms: float


async def populate(dsn: str, traders: int, assets: int) -> Cast:
    """Accounts with USDC, and active assets with one provider's principal."""
    cast = Cast([new_id() for _ in range(traders)], [new_id() for _ in range(assets)])
    await stage.rows(dsn, ACCOUNTS, cast.traders)
    await stage.rows(dsn, MONEY, EACH, cast.traders, -EACH * traders)
    values = {"ids": cast.assets, "principal": PRINCIPAL, "owner": cast.traders[0]}
    await stage.rows_named(dsn, ASSETS, values)
    await stage.rows(dsn, "ANALYZE")
    return cast


class Intake:
    """Orders as the API takes them in: those that wait are written together, each has its answer by the verdict.

    `buy` returns when the order has its verdict: True for a fill.
    """

    def __init__(self, pool: Pool, dsn: str) -> None:
        self.pool, self.listener = pool, Listener(dsn)
        self._queue: list[tuple[str, str, str]] = []
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._handed_in = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Intake]:
        tasks = [asyncio.create_task(self._accept()), asyncio.create_task(self._answer())]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def buy(self, asset: str, account: str) -> bool:
        trade_id = new_id()
        verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[trade_id] = verdict
        self._queue.append((trade_id, asset, account))
        self._handed_in.set()
        return await verdict

    async def _accept(self) -> None:
        while True:
            await self._handed_in.wait()
            self._handed_in.clear()
            orders, self._queue = self._queue, []
            columns = [words(order[n] for order in orders) for n in range(3)]
            async with pipelined(self.pool) as connection:
                await connection.execute(ACCEPT, [*columns, numbers([AMOUNT] * len(orders))])

    async def _answer(self) -> None:
        async with self.listener.listen("outbox", 0.25) as wake_ups:
            async for _ in wake_ups:
                if not self._waiting:
                    continue
                async with reading(self.pool) as connection:
                    cursor = await connection.execute(VERDICTS, [words(self._waiting)], prepare=False)
                    for row in await cursor.fetchall():
                        self._waiting.pop(row["id"]).set_result(row["status"] == "filled")


@asynccontextmanager
async def engine_process(dsn: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The engine in a process of its own, as in a worker, without Temporal around it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.market_engine", dsn, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def drive(buy: Buy, cast: Cast, clients: int, seconds: float, seed: int) -> Run:
    """`clients` buyers, each with its own account and its next order only after the verdict of the last."""
    waited: list[float] = []
    ends = time.perf_counter() + seconds

    async def client(number: int) -> None:
        dice = random.Random(f"{seed}:{number}")
        while (asked := time.perf_counter()) < ends:
            if not await buy(dice.choice(cast.assets), cast.traders[number]):
                raise AssertionError("a buyer with money was rejected")
            waited.append(time.perf_counter() - asked)

    started = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    took = time.perf_counter() - started
    return Run(len(waited) / took, 1000 * report.percentile(waited, 0.5), 1000 * report.percentile(waited, 0.99))


def told(name: str, runs: Sequence[Run]) -> str:
    """All rounds of one side in a line."""
    return f"{name}: " + json.dumps([[round(r.per_s), round(r.p50_ms, 1), round(r.p99_ms, 1)] for r in runs])
