"""The real parts a benchmark runs on: Postgres, Temporal, a chain, our workers; in a directory that is thrown away."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from bip32 import BIP32  # type: ignore[import-untyped]
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from temporalio.client import Client

import worker
from composition.parts import Parts, connect, open_parts
from composition.queues import build_queues
from gateways.evm.addresses import HdAddresses
from localnet.running import RunningEvm, RunningPostgres, RunningTemporal
from settings import WorkerSettings
from storage.migrate import upgrade
from workflows.singletons import ensure

CHAIN_ID = 421614

BOOKS_HOLD: LiteralString = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM platform.postings GROUP BY transfer_id, unit HAVING sum(amount) <> 0) x)
  + (SELECT count(*) FROM platform.balances b FULL JOIN
       (SELECT account, unit, sum(amount) AS total FROM platform.postings GROUP BY 1, 2) p USING (account, unit)
     WHERE b.balance IS DISTINCT FROM p.total) AS wrong
"""


@contextlib.contextmanager
def directory() -> Any:
    """A directory outside the repository, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


async def rows(dsn: str, query: LiteralString, *arguments: object) -> list[dict[str, Any]]:
    """One statement on a connection of its own, committed."""
    return await _run(dsn, query, arguments or None)


async def rows_named(dsn: str, query: LiteralString, arguments: Mapping[str, object]) -> list[dict[str, Any]]:
    """The same, with named parameters."""
    return await _run(dsn, query, arguments)


async def _run(dsn: str, query: LiteralString, arguments: Any) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(dsn, row_factory=dict_row) as connection:
        connection.adapters.register_loader("uuid", TextLoader)
        cursor = await connection.execute(query, arguments)
        return await cursor.fetchall() if cursor.description else []


async def new_database(server: RunningPostgres, name: str) -> str:
    """A migrated, empty database."""
    async with await psycopg.AsyncConnection.connect(server.dsn_of("postgres"), autocommit=True) as connection:
        await connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    dsn = server.dsn_of(name)
    upgrade(dsn)
    return dsn


async def check_books(dsn: str) -> None:
    """Every transfer sums to zero and every balance is the sum of its lines."""
    [found] = await rows(dsn, BOOKS_HOLD)
    if found["wrong"]:
        raise AssertionError(f"the books of {dsn.rsplit('/', 1)[-1]} do not add up: {found['wrong']} violations")


class Keys:
    """The public side of the platform's wallets; nothing is signed in a benchmark but by the faucet."""

    def __init__(self) -> None:
        tree = BIP32.from_seed(secrets.token_bytes(32))
        self.xpub = tree.get_xpub_from_path("m/44'/60'/0'")
        self.addresses = HdAddresses(self.xpub)
        self.hot, self.gas = ("0x" + secrets.token_hex(20) for _ in range(2))


class Stage:
    """One database of the product, and the settings its processes would have."""

    def __init__(self, dsn: str, temporal: RunningTemporal, evm: RunningEvm, keys: Keys, **overrides: Any) -> None:
        self.dsn, self.evm, self.keys = dsn, evm, keys
        values: dict[str, Any] = {
            "holdfast_profile": "local",
            "database_url": dsn,
            "temporal_address": temporal.address,
            "arbitrum_rpc_url": evm.rpc_url,
            "arbitrum_ws_url": evm.ws_url,
            "arbitrum_chain_id": CHAIN_ID,
            "usdc_contract_address": evm.usdc_address,
            "deposit_xpub": keys.xpub,
            "hot_wallet_address": keys.hot,
            "gas_wallet_address": keys.gas,
            "scanner_start_block": 0,
            "graceful_shutdown_s": 1,
            **overrides,
        }
        self.settings = WorkerSettings(**values)

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[tuple[Client, Parts]]:
        client = await connect(self.settings)
        async with open_parts(self.settings, client, "bench") as opened:
            yield client, opened

    @asynccontextmanager
    async def workers(self, client: Client, parts: Parts, *names: str) -> AsyncIterator[None]:
        """Our workers as worker.py builds them, in this process, and the processes there is one of."""
        async with contextlib.AsyncExitStack() as stack:
            for name, queue in build_queues(self.settings, parts, list(names)).items():
                await stack.enter_async_context(worker.build_worker(client, name, queue, self.settings, parts))
            await ensure(client, CHAIN_ID, [], list(names))
            yield
