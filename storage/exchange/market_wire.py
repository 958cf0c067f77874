"""The engine's session without cursors: prepared statements, many on their way, one wait for all answers.

A batch is a dozen statements, and the driver's bookkeeping for each cost as much as the rules for a few orders. So
this speaks to libpq by psycopg.pq: everything is prepared once, a statement is on its way as soon as it is sent, and
Postgres works while the next is being made. Errors and values are the driver's, by its own classes and loaders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format, PipelineStatus
from psycopg.pq.abc import PGresult

from storage.database import Connection

Argument = str | int | bytes | datetime
"""`bytes` are what the type's binary form is; everything else is sent as text."""
Rows = list[tuple[Any, ...]]

_GOOD: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class Wire:
    """One connection that nobody else uses meanwhile. `statements`: name → SQL with a %s for each argument."""

    def __init__(self, connection: Connection, statements: Mapping[str, str]) -> None:
        self.connection = connection
        self._statements = statements
        self._prepared = False
        self._transformer = Transformer(connection)

    async def run(self, name: str, *arguments: Argument) -> Rows:
        """One statement, and what it says."""
        await self.open()
        self.send(name, *arguments)
        return (await self.answers())[-1]

    async def open(self) -> None:
        """Prepare everything, once a session."""
        if not self._prepared:
            for name, statement in self._statements.items():
                self._begin()
                self.connection.pgconn.send_prepare(name.encode(), _numbered(statement))
            await self.answers()
            self._prepared = True

    def send(self, name: str, *arguments: Argument) -> None:
        """Send a statement of an open wire; `answers` says what came of it and of all before it.

        Raises: psycopg.OperationalError when the connection is gone.
        """
        self._begin()
        values = [_wire_form(argument) for argument in arguments]
        formats = [Format.BINARY if isinstance(argument, bytes) else Format.TEXT for argument in arguments]
        self.connection.pgconn.send_query_prepared(name.encode(), values, formats)
        self.connection.pgconn.flush()

    async def answers(self) -> list[Rows]:
        """The rows of every statement sent since the last time, in order; none of those that only do something.

        Raises: the error of the first statement that failed; those after it were not carried out, COMMIT included.
        """
        try:
            found = await self._results()
        except BaseException:
            # nobody knows what is on its way: whoever comes next must not read these answers for its own
            await self.connection.close()
            raise
        for result in found:
            if result.status not in _GOOD:
                raise psycopg.errors.error_from_result(result)
        return [self._rows(result) for result in found]

    def _begin(self) -> None:
        if self.connection.pgconn.pipeline_status == PipelineStatus.OFF:
            self.connection.pgconn.enter_pipeline_mode()

    async def _results(self) -> list[PGresult]:
        pgconn, found = self.connection.pgconn, []
        pgconn.pipeline_sync()
        while pgconn.flush():
            await self._ready(writing=True)
            pgconn.consume_input()
        while True:
            while pgconn.is_busy():
                await self._ready()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None and pgconn.status == ConnStatus.BAD:
                raise psycopg.OperationalError("the connection is lost")
            if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
                break
            if result is not None:
                found.append(result)
        pgconn.exit_pipeline_mode()
        return found

    async def _ready(self, *, writing: bool = False) -> None:
        """Until the socket has something for us, or, if asked, takes more."""
        loop, socket = asyncio.get_running_loop(), self.connection.pgconn.socket
        ready = loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(socket, wake)
        if writing:
            loop.add_writer(socket, wake)
        try:
            await ready
        finally:
            loop.remove_reader(socket)
            if writing:
                loop.remove_writer(socket)

    def _rows(self, result: PGresult) -> Rows:
        if result.status != ExecStatus.TUPLES_OK:
            return []
        self._transformer.set_pgresult(result, format=Format.TEXT)
        return self._transformer.load_rows(0, result.ntuples, tuple)


def _numbered(statement: str) -> bytes:
    first, *rest = statement.split("%s")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(rest, start=1))).encode()


def _wire_form(argument: Argument) -> bytes:
    if isinstance(argument, bytes):
        return argument
    return (argument.isoformat() if isinstance(argument, datetime) else str(argument)).encode()
