"""pg_dump and pg_restore as child processes: streams in and out, passwords never in an argument, no orphans."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.shared.errors import Broken, Unavailable

Sink = Callable[[bytes], Awaitable[None]]

PIECE: Final = 1 << 18
_SECRET: Final = ("password", "sslpassword", "oauth_client_secret")
_AWAY: Final = re.compile(r"connection|could not (?:connect|translate)|database system is|terminating", re.IGNORECASE)
_KEPT: Final = ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR")


class PgTools:
    """The programs of one directory, or of PATH."""

    def __init__(self, bin_dir: str = "") -> None:
        self.bin_dir = bin_dir

    async def dump(self, dsn: str, sink: Sink, *, snapshot: str | None = None) -> None:
        """Write a database, in pg_dump's custom format (compressed), piece by piece into `sink`.

        Args:   snapshot  of pg_export_snapshot(): dump exactly what that transaction sees.
        Raises: Unavailable database_unavailable; Broken backup_failed for everything else.
        """
        options = ["--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=60s"]
        options += [f"--snapshot={snapshot}"] if snapshot else []
        async with self._run("pg_dump", options, dsn, stdout=PIPE) as process:
            assert process.stdout is not None
            while piece := await process.stdout.read(PIECE):
                await sink(piece)

    async def restore(self, dsn: str, source: AsyncIterator[bytes], *, clean: bool = False) -> None:
        """Load a dump into a database, all of it or nothing.

        Args:   clean  drop the objects of the dump first, where they exist.
        Raises: as `dump`.
        """
        options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
        options += ["--clean", "--if-exists"] if clean else []
        async with self._run("pg_restore", options, dsn, stdin=PIPE) as process:
            await _feed(process, source)

    async def read_through(self, source: AsyncIterator[bytes]) -> None:
        """Read a dump from its first byte to its last as a restore would, without a database. Raises: as `dump`."""
        async with self._run("pg_restore", [f"--file={os.devnull}"], None, stdin=PIPE) as process:
            await _feed(process, source)

    @asynccontextmanager
    async def _run(
        self, name: str, options: Sequence[str], dsn: str | None, *, stdin: int = DEVNULL, stdout: int = DEVNULL
    ) -> AsyncIterator[Process]:
        """Run until it ended well; whatever else ends the block kills it."""
        argument, secrets = _connection(dsn) if dsn is not None else ([], {})
        process = await asyncio.create_subprocess_exec(
            self._program(name), *options, *argument,
            stdin=stdin, stdout=stdout, stderr=PIPE, env=_environment(secrets), limit=PIECE,
        )  # fmt: skip
        assert process.stderr is not None
        complaints = asyncio.create_task(_tail(process.stderr))
        try:
            yield process
            status = await process.wait()
            said = await complaints
        finally:
            complaints.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        if status != 0:
            raise _failure(name, status, said)

    def _program(self, name: str) -> str:
        found = str(Path(self.bin_dir) / name) if self.bin_dir else shutil.which(name)
        if not found or not os.access(found, os.X_OK):
            raise Broken("backup_failed", f"{name} is not in {self.bin_dir or 'PATH'}")
        return found


def database_of(dsn: str, name: str) -> str:
    """The DSN of another database of the same server."""
    return make_conninfo(dsn, dbname=name)


def name_of(dsn: str) -> str:
    """The database a DSN names."""
    return str(conninfo_to_dict(dsn).get("dbname") or conninfo_to_dict(dsn).get("user") or "")


def _connection(dsn: str) -> tuple[list[str], dict[str, str]]:
    """Arguments everybody may see, and environment only we and the child see."""
    parameters = conninfo_to_dict(dsn)
    password = parameters.get("password")
    shown = {name: str(value) for name, value in parameters.items() if value is not None and name not in _SECRET}
    return [f"--dbname={make_conninfo('', **shown)}"], {"PGPASSWORD": str(password)} if password else {}


def _environment(secrets: dict[str, str]) -> dict[str, str]:
    """libpq's own variables pass, as they do for our connections; nothing else of ours (keys!) reaches the child."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "PGAPPNAME": "holdfast-backup", **secrets}


async def _feed(process: Process, source: AsyncIterator[bytes]) -> None:
    """Give it everything, or as much as it takes: one that ends early says why by its status."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        async for piece in source:
            process.stdin.write(piece)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _tail(stream: asyncio.StreamReader) -> str:
    """The last two kilobytes of what it complained about."""
    said = b""
    while piece := await stream.read(4096):
        said = (said + piece)[-2048:]
    return said.decode("utf-8", "replace")


def _failure(name: str, status: int, said: str) -> Broken | Unavailable:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    detail = f"{name} ended {status}: {' · '.join(lines[-3:])[:600]}"
    if _AWAY.search(said):
        return Unavailable("database_unavailable", detail, retry_after_s=5)
    return Broken("backup_failed", detail)
