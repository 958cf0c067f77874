"""Connections: one psycopg pool a process, transactions, and the translation of database errors into ours.

Whole numbers stay whole: NUMERIC is loaded as `int` (the schema has no fractions) and uuid as `str`.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import Loader
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Json
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.shared.errors import Rejected, Unavailable

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

STATEMENT_TIMEOUT_MS = 5_000


class WireJson(Json):
    """A batch of rows as a JSON parameter. Whole numbers of more than 64 bits go as strings; Postgres reads both."""

    def __init__(self, rows: Sequence[object]) -> None:
        super().__init__(rows, msgspec.json.encode)


class _WholeNumber(Loader):
    def load(self, data: Any) -> int:
        return int(bytes(data))


async def adapt(connection: Connection) -> None:
    """Have a connection load whole numbers and ids as this house does."""
    connection.adapters.register_loader("numeric", _WholeNumber)
    connection.adapters.register_loader("uuid", TextLoader)


def make_pool(
    dsn: str,
    *,
    size: int,
    name: str,
    read_only: bool = False,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
) -> Pool:
    """A closed pool; open it with `async with`. `read_only` connections cannot write, whatever the SQL says."""
    options = f"-c timezone=UTC -c statement_timeout={statement_timeout_ms} -c lock_timeout={STATEMENT_TIMEOUT_MS}"
    if read_only:
        options += " -c default_transaction_read_only=on"
    return AsyncConnectionPool(
        dsn,
        connection_class=AsyncConnection[DictRow],
        kwargs={"row_factory": dict_row, "options": options, "application_name": f"holdfast-{name}"},
        configure=adapt,
        min_size=1,
        max_size=size,
        timeout=5,
        max_idle=60,
        reconnect_timeout=30,
        open=False,
        name=name,
    )


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn driver errors into the house's: lost connections into Unavailable, overdrafts into Rejected."""
    try:
        yield
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name == "ck_balances_not_negative":
            raise Rejected("insufficient_funds", "the available balance is smaller than the amount") from error
        raise
    except (
        PoolTimeout,
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.SerializationFailure,
    ) as error:
        raise Unavailable("database_unavailable", type(error).__name__) from error


@asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[Connection]:
    """A connection of the pool whose server is still there; committed, or rolled back, and given back.

    The pool's own `check` waits between connections that were left, for seconds after a restart of Postgres.
    """
    connection = await pool.getconn()
    while _left(connection):
        await connection.close()
        await pool.putconn(connection)
        connection = await pool.getconn()
    try:
        async with connection:
            yield connection
    finally:
        await pool.putconn(connection)


def _left(connection: Connection) -> bool:
    """Without a round trip: a server that went away has said so on the socket, and an idle one says nothing else."""
    said = select.poll()
    said.register(connection.fileno(), select.POLLIN)
    return bool(said.poll(0))


@asynccontextmanager
async def pipelined(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction whose statements wait for no answer until one is fetched: BEGIN goes with the first, COMMIT with
    the last. What the last ones say can be fetched after the block; when it raises, nothing was changed.
    """
    async with translated(), connected(pool) as connection:
        async with connection.pipeline(), connection.transaction():
            yield connection


@asynccontextmanager
async def alone(pool: Pool) -> AsyncIterator[Connection]:
    """A connection whose statements commit themselves: for one that needs no other, in one round trip."""
    async with translated(), connected(pool) as connection:
        await connection.set_autocommit(True)
        try:
            yield connection
        finally:
            if not connection.closed:
                await connection.set_autocommit(False)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction, READ COMMITTED: committed when the block ends, rolled back when it raises."""
    async with translated(), connected(pool) as connection, connection.transaction():
        yield connection
