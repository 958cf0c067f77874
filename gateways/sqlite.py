"""The embedded workflow store: one SQLite file, copied while its server writes to it.

SQLite's online backup is used and not VACUUM INTO: the store's full-text tables refer to row numbers, which a vacuum
may change.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from domain.shared.errors import Broken, Unavailable

PAGES: Final = 512
_GZIP: Final = 31


class _Stopped(Exception):
    pass


async def copy(source: Path, target: Path) -> None:
    """Copy the database as it is at one moment. Its writers are not held up (write-ahead log).

    Raises: Unavailable database_unavailable when it is locked; Broken backup_failed when it is none.
    """
    stop = threading.Event()
    copying = asyncio.ensure_future(asyncio.to_thread(_copy, source, target, stop))
    try:
        await asyncio.shield(copying)
    finally:
        stop.set()
        await asyncio.gather(copying, return_exceptions=True)  # the thread is gone before its files are


def _copy(source: Path, target: Path, stop: threading.Event) -> None:
    def progress(_status: int, _remaining: int, _total: int) -> None:
        if stop.is_set():
            raise _Stopped

    reader = writer = None
    try:
        reader = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=10, isolation_level=None)
        writer = sqlite3.connect(target)
        # an open read transaction fixes the moment: otherwise every commit of the server starts the copy again
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=PAGES, progress=progress, sleep=0)
    except _Stopped:
        return
    except sqlite3.OperationalError as failure:
        raise Unavailable("database_unavailable", f"workflow store: {failure}", retry_after_s=5) from failure
    except sqlite3.DatabaseError as failure:
        raise Broken("backup_failed", f"workflow store: {failure}") from failure
    finally:
        for connection in (reader, writer):
            if connection is not None:
                connection.close()


async def compressed(path: Path) -> AsyncIterator[bytes]:
    """The file's bytes, gzipped, piece by piece."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, 1 << 20):
            if packed := await asyncio.to_thread(packer.compress, piece):
                yield packed
    yield packer.flush()


async def unpack(source: AsyncIterator[bytes], target: Path) -> None:
    """Write the gzipped bytes of `source` to `target`, synced to disk.

    Raises: Broken backup_failed when they are not gzip, or not all of it.
    """
    unpacker = zlib.decompressobj(_GZIP)
    with target.open("xb") as file:
        try:
            async for piece in source:
                await asyncio.to_thread(file.write, unpacker.decompress(piece))
        except zlib.error as failure:
            raise Broken("backup_failed", f"workflow store: {failure}") from failure
        if not unpacker.eof:
            raise Broken("backup_failed", "workflow store: cut off")
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())


async def check(path: Path) -> None:
    """SQLite's own integrity check, and that it is a workflow store. Raises: Broken backup_failed."""
    problem = await asyncio.to_thread(_check, path)
    if problem:
        raise Broken("backup_failed", f"workflow store: {problem}")


def _check(path: Path) -> str:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        try:
            verdict = connection.execute("PRAGMA integrity_check(3)").fetchall()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            connection.close()
    except sqlite3.DatabaseError as failure:
        return str(failure)
    if verdict != [("ok",)]:
        return "; ".join(line for (line,) in verdict)
    return "" if "executions" in tables else "it has no table `executions`"
