"""A small load generator in a process of its own: keep-alive connections, each asking again when it was answered.

Standard input: {"host", "port", "key", "paths", "clients", "seconds"}; output: {"answers", "p50_ms", "p99_ms"}.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.report import percentile

WARM_UP_S = 0.5


async def client(job: dict[str, Any], paths: Iterator[str], seen: list[float]) -> None:
    reader, writer = await asyncio.open_connection(job["host"], job["port"])
    started = time.perf_counter()
    counts, ends = started + WARM_UP_S, started + WARM_UP_S + job["seconds"]
    while (asked := time.perf_counter()) < ends:
        writer.write(
            f"GET {next(paths)} HTTP/1.1\r\nHost: {job['host']}\r\nAuthorization: Bearer {job['key']}\r\n"
            "Accept: application/json\r\n\r\n".encode()
        )
        await answer(reader)
        if asked >= counts:
            seen.append(time.perf_counter() - asked)
    writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """One response with a Content-Length, as both servers give it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if not head.startswith("http/1.1 200"):
        raise AssertionError(head)
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return await reader.readexactly(length)


async def main() -> None:
    job = json.loads(sys.stdin.read())
    paths, seen = itertools.cycle(job["paths"]), list[float]()
    await asyncio.gather(*(client(job, paths, seen) for _ in range(job["clients"])))
    figures = {"answers": len(seen), "p50_ms": 1000 * percentile(seen, 0.5), "p99_ms": 1000 * percentile(seen, 0.99)}
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main())
