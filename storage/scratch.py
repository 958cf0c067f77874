"""Databases that exist for one restore drill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from domain.operations.messages import BooksFacts
from storage.backup_runs import books_facts
from storage.checks import VERDICT_TIMEOUT_MS, ledger_verdicts
from storage.database import Connection, make_pool, transaction, translated
from storage.reads.invariants import Verdict

PREFIX: Final = "holdfast_drill_"
STALE: Final = 2
"""Days after which a scratch database was left behind by a killed drill. Names begin with the day."""


class Inspected(NamedTuple):
    facts: BooksFacts
    verdicts: list[Verdict]


class ScratchDatabases:
    """Makes, inspects and drops them, on the server of `dsn`; its role needs CREATEDB."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def dsn_of(self, name: str) -> str:
        return make_conninfo(self.dsn, dbname=name)

    async def create(self, name: str) -> None:
        """An empty database of this name, whatever was there; what killed drills left is dropped."""
        await self.drop(name)
        async with self._server() as connection:
            await connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
            )
            # it holds everything the books hold
            await connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
            cursor = await connection.execute(
                """SELECT datname FROM pg_database WHERE datname LIKE %s AND datname < %s || to_char(
                     clock_timestamp() AT TIME ZONE 'UTC' - make_interval(days => %s), 'YYYYMMDD')""",
                [PREFIX.replace("_", r"\_") + "%", PREFIX, STALE],
            )
            left = [row["datname"] for row in await cursor.fetchall()]
        for stale in left:
            await self.drop(stale)

    async def drop(self, name: str) -> None:
        """Gone, with whoever is connected; one that never existed is fine."""
        if not name.startswith(PREFIX):
            raise ValueError(f"{name} is no scratch database")
        async with self._server() as connection:
            await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    async def inspect(self, name: str) -> Inspected:
        """The ledger's rules, and totals to compare, of a restored database."""
        pool = make_pool(
            self.dsn_of(name), size=1, name="drill", read_only=True, statement_timeout_ms=VERDICT_TIMEOUT_MS
        )
        async with translated(), pool:
            verdicts = await ledger_verdicts(pool)
            async with transaction(pool) as connection:
                return Inspected(await books_facts(connection), verdicts)

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[Connection]:
        """One connection outside transactions: databases are made and dropped only there."""
        async with translated():
            connection: Connection = await AsyncConnection.connect(
                self.dsn, autocommit=True, row_factory=dict_row, application_name="holdfast-drill"
            )
            async with connection:
                yield connection
