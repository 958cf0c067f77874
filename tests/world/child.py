"""A process of one's own that serves, to be killed: `python -m module` that prints `ready` once it does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_READING: set[asyncio.Task[None]] = set()


async def start_child(module: str, *arguments: str) -> Process:
    """Returns when it serves; the caller ends it."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, stdout=PIPE, cwd=ROOT)
    assert child.stdout is not None
    try:
        assert await child.stdout.readline() == b"ready\n", f"{module} did not start"
    except BaseException:
        await end(child)
        raise
    reading = asyncio.create_task(_show(child.stdout))
    _READING.add(reading)
    reading.add_done_callback(_READING.discard)
    return child


async def _show(said: asyncio.StreamReader) -> None:
    """Reads on: a pipe that nobody reads stops who writes into it."""
    async for line in said:
        sys.stderr.write(line.decode())


@asynccontextmanager
async def running_child(module: str, *arguments: str) -> AsyncIterator[Process]:
    """Killed at the end if it still lives."""
    child = await start_child(module, *arguments)
    try:
        yield child
    finally:
        await end(child)


async def end(child: Process) -> None:
    """SIGKILL, and it is gone."""
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    await child.wait()
