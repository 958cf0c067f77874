"""Does the chain's follower slow down when 10,000 deposits wait? Blocks a second, and from a new head to the record.

Both sides are the whole pipeline on databases of their own; one runs at a time, on the same Temporal server and chain.
The full side has 10,000 deposits that wait for more confirmations, on as many addresses as the node's log filter takes
in one call (1,000); the empty side has the addresses but nothing pending. A further line, without target, shows what
10,000 watched addresses instead of 1,000 cost.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import LiteralString

from benchmarks import chain, report, stage
from benchmarks.stage import CHAIN_ID, Stage
from domain.shared.money import USDC_ONE
from localnet.running import RunningEvm, running_evm, running_postgres, running_temporal

PENDING = 10_000
ADDRESSES = 1_000
MANY_ADDRESSES = 10_000
BLOCKS = 1_500
LOOKS = 20
ROUNDS = 3
TARGET = 0.8

WATCHED: LiteralString = """
WITH made AS (
  INSERT INTO platform.accounts (id, name, role)
  SELECT gen_random_uuid(), 'bench ' || n, 'trader' FROM generate_series(1, %s) n RETURNING id, name
)
INSERT INTO exchange.deposit_addresses (id, account_id, chain_id, derivation_index, derivation_path, address)
SELECT gen_random_uuid(), id, %s, split_part(name, ' ', 2)::int, 'bench',
  '0x' || substr(encode(sha256((current_database() || name)::bytea), 'hex'), 1, 40) FROM made
"""
WAITING: LiteralString = """
WITH places AS (
  SELECT row_number() OVER (ORDER BY derivation_index) AS place, account_id, address, count(*) OVER () AS total
  FROM exchange.deposit_addresses
), opened AS (
  INSERT INTO platform.operations (id, kind, subject_id, workflow_id, dispatched_at)
  SELECT gen_random_uuid(), 'deposit', n::text, 'deposit:bench:' || n, clock_timestamp()
  FROM generate_series(1, %(pending)s) n RETURNING id, subject_id
)
INSERT INTO exchange.deposits (id, chain_id, tx_hash, log_ordinal, block_number, block_hash, log_index, token,
  from_address, to_address, amount, account_id, status, required_confirmations, due_block, operation_id)
SELECT gen_random_uuid(), %(chain)s, '0x' || encode(sha256(o.subject_id::bytea), 'hex'), 0, 10, '0x00', 0, %(token)s,
  '0x00', p.address, 5000000, p.account_id, 'confirming', 1000000000, 1000000010, o.id
FROM opened o JOIN places p ON p.place = 1 + o.subject_id::int %% p.total
"""
RECORDED: LiteralString = """
SELECT extract(epoch FROM created_at)::float8 AS at FROM exchange.deposits WHERE tx_hash = %s
"""


class Figures:
    """What one side did in one round."""

    def __init__(self, blocks_per_s: float, latency_ms: float) -> None:
        self.blocks_per_s, self.latency_ms = blocks_per_s, latency_ms


class Side:
    def __init__(self, stage_: Stage, addresses: int, pending: int) -> None:
        self.stage, self.count, self.pending = stage_, addresses, pending
        self.target = ""

    async def prepare(self) -> None:
        await stage.rows(self.stage.dsn, WATCHED, self.count, CHAIN_ID)
        if self.pending:
            await stage.rows_named(
                self.stage.dsn,
                WAITING,
                {"pending": self.pending, "chain": CHAIN_ID, "token": self.stage.evm.usdc_address},
            )
        await stage.rows(self.stage.dsn, "ANALYZE")
        [row] = await stage.rows(self.stage.dsn, "SELECT min(address) AS address FROM exchange.deposit_addresses")
        self.target = row["address"]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.stage.parts() as (client, parts), self.stage.workers(client, parts, "exchange"):
            await self.caught_up()
            yield

    async def caught_up(self) -> None:
        head = await chain.head(self.stage.evm)
        deadline = time.monotonic() + 60
        while True:
            found = await stage.rows(self.stage.dsn, "SELECT next_block FROM exchange.chain_cursors")
            if found and found[0]["next_block"] > head:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"the scanner is at {found} and the head at {head}")
            await asyncio.sleep(0.005)

    async def measure(self, faucet: chain.Faucet) -> Figures:
        evm = self.stage.evm
        async with self.running():
            started = time.perf_counter()
            await chain.mine(evm, BLOCKS)
            await self.caught_up()
            speed = BLOCKS / (time.perf_counter() - started)
            return Figures(speed, statistics.median([await self.latency(faucet, evm) for _ in range(LOOKS)]))

    async def latency(self, faucet: chain.Faucet, evm: RunningEvm) -> float:
        [tx_hash] = await faucet.mint([self.target], USDC_ONE)
        mined = await chain.mine_now(evm)
        await self.caught_up()
        [row] = await stage.rows(self.stage.dsn, RECORDED, tx_hash)
        return 1000 * float(row["at"] - mined)

    async def check(self) -> None:
        """Everything pending still pends, and each new deposit was recorded once."""
        [row] = await stage.rows(
            self.stage.dsn,
            """SELECT count(*) FILTER (WHERE from_address = '0x00' AND status = 'confirming') AS pending,
                 count(*) FILTER (WHERE from_address <> '0x00' AND status <> 'ignored') AS recorded
               FROM exchange.deposits""",
        )
        wanted = {"pending": self.pending, "recorded": LOOKS * (ROUNDS + 1)}
        if row != wanted:
            raise AssertionError(f"{row} instead of {wanted}")
        await stage.check_books(self.stage.dsn)


async def compare(empty: Side, full: Side, crowded: Side, evm: RunningEvm) -> list[report.Line]:
    faucet = chain.Faucet(evm)
    for side in (empty, full, crowded):
        await side.prepare()
        await side.measure(faucet)
    found: dict[int, list[Figures]] = {id(side): [] for side in (empty, full, crowded)}
    for number in range(ROUNDS):
        order = [full, empty, crowded] if number % 2 == 0 else [crowded, empty, full]
        for side in order:
            found[id(side)].append(await side.measure(faucet))
    for side in (empty, full, crowded):
        await side.check()

    def line(name: str, side: Side, base: Side, *, target: float | None, speed: bool) -> report.Line:
        pairs = zip(found[id(side)], found[id(base)], strict=True)
        if speed:
            rounds = tuple(report.faster(a.blocks_per_s, b.blocks_per_s) for a, b in pairs)
            return report.Line(f"{name}: blocks/s", "blocks/s", rounds, target)
        rounds = tuple(report.sooner(a.latency_ms, b.latency_ms) for a, b in pairs)
        return report.Line(f"{name}: head to record", "ms", rounds, target)

    more = f"{MANY_ADDRESSES:,} addresses against {ADDRESSES:,}"
    return [
        line(f"{PENDING:,} pending against 0", full, empty, target=TARGET, speed=True),
        line(f"{PENDING:,} pending against 0", full, empty, target=TARGET, speed=False),
        line(more, crowded, full, target=None, speed=True),
        line(more, crowded, full, target=None, speed=False),
    ]


async def measure() -> bool:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(stage.directory())
        server = await stack.enter_async_context(running_postgres(directory / "postgres", durable=True))
        temporal = await stack.enter_async_context(running_temporal(directory / "temporal"))
        evm = await stack.enter_async_context(running_evm(directory / "evm", block_time=None))
        await chain.mine(evm, 64)
        sides = []
        for name, addresses, pending in (
            ("empty", ADDRESSES, 0),
            ("full", ADDRESSES, PENDING),
            ("crowded", MANY_ADDRESSES, PENDING),
        ):
            dsn = await stage.new_database(server, name)
            sides.append(Side(Stage(dsn, temporal, evm, stage.Keys(), scanner_start_block=60), addresses, pending))
        lines = await compare(sides[0], sides[1], sides[2], evm)
    return report.show("pending_deposits", lines, sides=("loaded", "base"))


if __name__ == "__main__":
    report.main(measure)
