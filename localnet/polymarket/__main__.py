"""The process: serves until SIGTERM or SIGINT. Faults and settings are told over /control."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from localnet.polymarket.journal import Journal
from localnet.polymarket.leaders import Leaders, Rounds
from localnet.polymarket.server import VenueServer
from localnet.polymarket.tape import Tape, package_data
from localnet.polymarket.venue import Venue
from localnet.polymarket.world import furnish

INDEX_DELAY_MS = 3_200
"""How long after its block a row is in the API, as measured at the real one."""


async def tape_of(directory: Path) -> Tape | None:
    """The real books, converted by another process when they are not there; None without the package."""
    path = directory / "books.tape"
    with contextlib.suppress(OSError, ValueError):
        return Tape(path)
    if package_data() is None:
        return None
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "localnet.polymarket.tape", str(path))
    return Tape(path) if await process.wait() == 0 else None


@contextlib.asynccontextmanager
async def opened(asked: argparse.Namespace) -> AsyncIterator[VenueServer]:
    """The world as it was left, its leaders, and the server."""
    directory: Path = asked.directory
    journal, tape = Journal(directory / "journal.jsonl", int(time.time())), await tape_of(directory)
    venue = Venue(asked.seed)
    server = VenueServer(asked.port, venue=venue, moving=True, limits=asked.limits)
    furnish(venue, server.shelf, tape, journal.born)
    facts = journal.replay(venue)
    venue.index_delay_ms = INDEX_DELAY_MS
    server.control.journal = journal
    print(f"{facts} facts remembered, books are {'real ones' if tape else 'drawn'}", flush=True)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(journal.close)
        if asked.polygon:
            from localnet.polymarket.chain import PolygonExchange

            server.control.chain = chain = PolygonExchange(asked.polygon)
            stack.push_async_callback(chain.close)
            await chain.prepare()
        await stack.enter_async_context(server)
        if asked.deeds_a_minute > 0:
            await stack.enter_async_context(_going(Leaders(server.control, asked.seed, asked.deeds_a_minute)))
        if asked.round_s > 0:
            await stack.enter_async_context(_going(Rounds(server.control, asked.round_s, tape)))
        yield server


@contextlib.asynccontextmanager
async def _going(work: Leaders | Rounds) -> AsyncIterator[None]:
    """Goes on while the block runs."""
    task = asyncio.create_task(_kept_going(work), name=type(work).__name__)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _kept_going(work: Leaders | Rounds) -> None:
    """A chain that is down for a while stops nobody for good."""
    while True:
        try:
            await work.run()
        except Exception as error:  # noqa: BLE001 - told, and tried again
            print(f"{type(work).__name__}: {type(error).__name__}: {error}", flush=True)
            await asyncio.sleep(1)


async def serve(asked: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with opened(asked):
        await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="local Polymarket")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deeds-a-minute", type=float, default=12.0)
    parser.add_argument("--round-s", type=int, default=900)
    parser.add_argument("--polygon", default="", help="HTTP address of the local Polygon")
    parser.add_argument("--limits", type=float, default=1.0, help="factor of the rate limits, 0 for none")
    asyncio.run(serve(parser.parse_args()))
