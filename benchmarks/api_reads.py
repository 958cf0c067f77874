"""How much slower than nothing is reading? Two routes with authentication and a database, against an empty handler.

Both servers run as processes of their own with the same server settings; the load comes from a third process over eight
keep-alive connections, to one server at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import report, stage
from benchmarks.pending_deposits import WAITING, WATCHED
from benchmarks.stage import CHAIN_ID
from domain.shared.ledger import Transfer, available, custody, move
from domain.shared.money import USDC, USDC_ONE
from localnet.ports import free_port
from localnet.running import running_postgres
from storage.accounts import ensure_admin, new_key
from storage.books import Books
from storage.database import make_pool

ROOT = Path(__file__).parents[1]
CLIENTS = 8
SECONDS = 3.0
ROUNDS = 3
ACCOUNTS = 1_000
DEPOSITS = 10_000
TARGET = 0.2
"""p50 at most five times the same server answering from memory (the bound of exchange.md 17)."""


class Served(NamedTuple):
    port: int
    process: asyncio.subprocess.Process


class Figures(NamedTuple):
    per_s: float
    p50_ms: float
    p99_ms: float


@asynccontextmanager
async def serving(arguments: Sequence[str], changes: dict[str, str]) -> AsyncIterator[Served]:
    """A server process that answers."""
    port = free_port()
    environment = {**os.environ, **changes, "API_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await _answers(process, port)
        yield Served(port, process)
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 15)


async def _answers(process: asyncio.subprocess.Process, port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None:
                raise RuntimeError("the server ended at once") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError("the server did not start in 15 s")


async def load(server: Served, key: str, paths: Sequence[str]) -> Figures:
    job = {"host": "127.0.0.1", "port": server.port, "key": key, "paths": paths, "clients": CLIENTS, "seconds": SECONDS}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(json.dumps(job).encode())
    if process.returncode:
        raise AssertionError("the load ended early: a request was not answered with 200")
    found = json.loads(output)
    return Figures(found["answers"] / SECONDS, found["p50_ms"], found["p99_ms"])


async def fill(dsn: str) -> tuple[str, list[str], list[str]]:
    """Accounts with money and deposits; a key that may read them all, and the paths of both routes."""
    await stage.rows(dsn, WATCHED, ACCOUNTS, CHAIN_ID)
    await stage.rows_named(dsn, WAITING, {"pending": DEPOSITS, "chain": CHAIN_ID, "token": "0x" + "11" * 20})
    accounts = [row["id"] for row in await stage.rows(dsn, "SELECT id FROM platform.accounts")]
    key = new_key()
    async with make_pool(dsn, size=2, name="bench") as pool:
        await ensure_admin(pool, key)
        async with Books(pool).begin() as book:
            await book.book(
                *(
                    Transfer(
                        key=f"fund:{a}", kind="fund", postings=move(USDC, USDC_ONE, custody(1, "hot"), available(a))
                    )
                    for a in accounts
                )
            )
    deposits = await stage.rows(dsn, "SELECT id FROM exchange.deposits ORDER BY tx_hash LIMIT 500")
    await stage.rows(dsn, "ANALYZE")
    balances = [f"/api/accounts/{a}/balances" for a in accounts[:500]]
    return key, balances, [f"/api/exchange/deposits/{row['id']}" for row in deposits]


def environment(dsn: str) -> dict[str, str]:
    keys = stage.Keys()
    return {
        "HOLDFAST_PROFILE": "local",
        "DATABASE_URL": dsn,
        "SESSION_SECRET": "0123456789abcdef0123456789abcdef",  # pragma: allowlist secret
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "ARBITRUM_RPC_URL": "http://127.0.0.1:1",
        "ARBITRUM_CHAIN_ID": str(CHAIN_ID),
        "USDC_CONTRACT_ADDRESS": "0x" + "11" * 20,
        "HOT_WALLET_ADDRESS": keys.hot,
        "GAS_WALLET_ADDRESS": keys.gas,
        "DEPOSIT_XPUB": keys.xpub,
        "RATE_LIMIT_PER_S": "1000000",
        "LOG_LEVEL": "WARNING",
    }


async def measure() -> bool:
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(stage.directory())
        server = await stack.enter_async_context(running_postgres(directory / "postgres", durable=True))
        dsn = await stage.new_database(server, "bench")
        key, balances, deposits = await fill(dsn)
        ours = await stack.enter_async_context(serving(["server.py"], environment(dsn)))
        empty = await stack.enter_async_context(serving(["-m", "benchmarks.empty_api"], {}))
        lines = []
        for name, paths in (("GET …/balances", balances), ("GET …/deposits/{id}", deposits)):
            lines += await compare(name, ours, empty, key, paths)
        await stage.check_books(dsn)
    note = f"{CLIENTS} keep-alive clients, closed loop; client, server and database share the machine"
    return report.show("api_reads", lines, sides=("ours", "empty handler"), note=note)


async def compare(name: str, ours: Served, empty: Served, key: str, paths: Sequence[str]) -> list[report.Line]:
    rounds: list[tuple[Figures, Figures]] = []
    await load(ours, key, paths)
    for number in range(ROUNDS):
        if number % 2 == 0:
            mine = await load(ours, key, paths)
            theirs = await load(empty, key, ["/empty"])
        else:
            theirs = await load(empty, key, ["/empty"])
            mine = await load(ours, key, paths)
        rounds.append((mine, theirs))
    return [
        report.Line(f"{name} p50", "ms", tuple(report.sooner(a.p50_ms, b.p50_ms) for a, b in rounds), TARGET),
        report.Line(f"{name} p99", "ms", tuple(report.sooner(a.p99_ms, b.p99_ms) for a, b in rounds)),
        report.Line(f"{name} rate", "req/s", tuple(report.faster(a.per_s, b.per_s) for a, b in rounds)),
    ]


if __name__ == "__main__":
    report.main(measure)
