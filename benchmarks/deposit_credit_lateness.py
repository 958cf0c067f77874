"""How late are 200 deposits of one block credited, counted from the block that makes them deep enough?

Ours is the whole pipeline: scanner, dispatcher, head watcher, credit, and a `Deposit` workflow each that is told. The
other side is one workflow per deposit that polls every second (polling.py). Both run on one Temporal server, one
Postgres server and one chain, each with a database of its own; a round of one side begins when the other has nothing
left to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from temporalio.client import Client

from activities.exchange.deposits import DepositActivities
from benchmarks import chain, polling, report, stage
from benchmarks.stage import CHAIN_ID, Stage
from composition.custody import wallets
from composition.parts import Parts
from domain.exchange.messages import DepositRef
from domain.shared.money import USDC_ONE
from gateways.evm.chain import EvmNode
from localnet.running import RunningEvm, running_evm, running_postgres, running_temporal
from storage.database import transaction
from storage.events import new_id
from storage.exchange.chain import ChainStore
from storage.exchange.deposits import DepositStore
from storage.intents.addresses import assign

DEPOSITS = 200
CONFIRMATIONS = 12
BLOCK_S = 0.25
ROUNDS = 3
AMOUNT = 5 * USDC_ONE
TARGET = 5.0
PATIENCE_S = 60

Started = Callable[[], Awaitable[bool]]


class Side:
    """One database with its deposit addresses. `begin` makes the deposits of the newest block known to this side."""

    def __init__(self, stage_: Stage, parts: Parts) -> None:
        self.stage, self.parts = stage_, parts
        self.addresses: list[str] = []

    async def prepare(self) -> None:
        for _ in range(DEPOSITS):
            account = new_id()
            await stage.rows(
                self.stage.dsn, "INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'bench', 'trader')", account
            )
            async with transaction(self.parts.pool) as connection:
                given = await assign(
                    connection,
                    account_id=account,
                    chain_id=CHAIN_ID,
                    derive=self.stage.keys.addresses.deposit_address,
                    principal="bench",
                )
            self.addresses.append(given.address)

    async def begin(self, block: int) -> None:
        """Ours: the scanner and the dispatcher do it by themselves."""

    async def started(self, block: int) -> int:
        """Deposits of this block whose process runs."""
        [row] = await stage.rows(
            self.stage.dsn,
            """SELECT count(*) AS n FROM exchange.deposits d JOIN platform.operations o ON o.id = d.operation_id
               WHERE d.block_number = %s AND o.dispatched_at IS NOT NULL""",
            block,
        )
        return int(row["n"])

    async def told(self, block: int) -> int:
        """Deposits of this block whose process knows of the credit."""
        [row] = await stage.rows(
            self.stage.dsn, "SELECT count(told_at) AS n FROM exchange.deposits WHERE block_number = %s", block
        )
        return int(row["n"])

    async def lateness_ms(self, block: int, reached: float) -> list[float]:
        found = await stage.rows(
            self.stage.dsn,
            """SELECT extract(epoch FROM credited_at)::float8 AS at FROM exchange.deposits
               WHERE block_number = %s AND status = 'credited'""",
            block,
        )
        return [1000 * (row["at"] - reached) for row in found]


class PollingSide(Side):
    """The rows are written by the same store; then every deposit gets a workflow that polls."""

    def __init__(self, stage_: Stage, parts: Parts, client: Client) -> None:
        super().__init__(stage_, parts)
        self.client = client
        policy = stage_.settings.deposit_policy()
        self.store = ChainStore(parts.books, CHAIN_ID, policy, wallets(stage_.settings))

    async def begin(self, block: int) -> None:
        node: EvmNode = self.parts.chain
        head = await node.head()
        cursor = await self.store.cursor(block)
        logs = await node.transfers_to(self.addresses, block, block)
        await self.store.record(cursor.next_block, block, head, await node.blocks([block]), logs)
        waiting = await stage.rows(self.stage.dsn, "SELECT id FROM exchange.deposits WHERE block_number = %s", block)
        gate = asyncio.Semaphore(20)
        await asyncio.gather(*(self._start(row["id"], gate) for row in waiting))
        await stage.rows(self.stage.dsn, "UPDATE platform.operations SET dispatched_at = clock_timestamp()")

    async def _start(self, deposit_id: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            await self.client.start_workflow(
                "PollingDeposit",
                DepositRef(deposit_id=deposit_id),
                id=f"polling:{deposit_id}",
                task_queue=polling.QUEUE,
            )


async def until(look: Callable[[], Awaitable[int]], wanted: int, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (seen := await look()) < wanted:
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: {seen} of {wanted} after {PATIENCE_S} s")
        await asyncio.sleep(0.1)


async def one_round(side: Side, evm: RunningEvm, faucet: chain.Faucet) -> list[float]:
    """Lateness of every deposit, in milliseconds."""
    await faucet.mint(side.addresses, AMOUNT)
    await chain.mine(evm)
    block = await chain.head(evm)
    await side.begin(block)
    await chain.mine_slowly(evm, CONFIRMATIONS - 1, BLOCK_S)
    await until(lambda: side.started(block), DEPOSITS, "processes started")
    await asyncio.sleep(2 * polling.POLL_S)  # whoever polls has fallen into step
    reached = await chain.mine_now(evm)

    async def credited() -> int:
        return len(await side.lateness_ms(block, reached))

    await until(credited, DEPOSITS, "credited")
    await until(lambda: side.told(block), DEPOSITS, "told")
    await asyncio.sleep(1)  # workflows end
    return await side.lateness_ms(block, reached)


async def check(side: Side, rounds: int) -> None:
    """Every deposit credited exactly once, and the books add up."""
    await stage.check_books(side.stage.dsn)
    [row] = await stage.rows(
        side.stage.dsn,
        """SELECT coalesce(sum(balance), 0)::bigint AS total FROM platform.balances
           WHERE account LIKE 'users:%%:available' AND %s""",
        True,
    )
    if row["total"] != rounds * DEPOSITS * AMOUNT:
        raise AssertionError(f"credited {row['total']} micros instead of {rounds * DEPOSITS * AMOUNT}")


async def compare(ours: Side, theirs: Side, evm: RunningEvm) -> list[report.Line]:
    faucet = chain.Faucet(evm)
    for side in (ours, theirs):
        await one_round(side, evm, faucet)  # connections, plans, caches
    median, tail = [], []
    for number in range(ROUNDS):
        order = (ours, theirs) if number % 2 == 0 else (theirs, ours)
        found = {id(side): await one_round(side, evm, faucet) for side in order}
        mine, other = found[id(ours)], found[id(theirs)]
        if min(*mine, *other) < 0:
            raise AssertionError("credited before the required block")
        median.append(report.sooner(report.percentile(mine, 0.5), report.percentile(other, 0.5)))
        tail.append(report.sooner(report.percentile(mine, 0.99), report.percentile(other, 0.99)))
    for side in (ours, theirs):
        await check(side, ROUNDS + 1)
    return [report.Line("p99 lateness", "ms", tuple(tail), TARGET), report.Line("p50 lateness", "ms", tuple(median))]


async def measure() -> bool:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(stage.directory())
        server = await stack.enter_async_context(running_postgres(directory / "postgres", durable=True))
        temporal = await stack.enter_async_context(running_temporal(directory / "temporal"))
        evm = await stack.enter_async_context(running_evm(directory / "evm", block_time=None))
        await chain.mine(evm, 64)
        databases = [await stage.new_database(server, name) for name in ("ours", "polling")]
        stages = [Stage(dsn, temporal, evm, stage.Keys(), scanner_start_block=60) for dsn in databases]
        client, parts = await stack.enter_async_context(stages[0].parts())
        other_client, other_parts = await stack.enter_async_context(stages[1].parts())
        await stack.enter_async_context(stages[0].workers(client, parts, "exchange", "operations"))
        policy = stages[1].settings.deposit_policy()
        deposits = DepositActivities(
            other_parts.chain,
            DepositStore(other_parts.books, CHAIN_ID, policy),
            other_parts.processes.signal,
            other_parts.jobs.redispatch,
        )
        await stack.enter_async_context(polling.polling_worker(other_client, deposits))
        ours, theirs = Side(stages[0], parts), PollingSide(stages[1], other_parts, other_client)
        for side in (ours, theirs):
            await side.prepare()
        lines = await compare(ours, theirs, evm)
    note = f"{DEPOSITS} deposits in one block, {CONFIRMATIONS} confirmations"
    return report.show("deposit_credit_lateness", lines, sides=("ours", "polling"), note=note)


if __name__ == "__main__":
    report.main(measure)
