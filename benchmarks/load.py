"""A small load generator in a process of its own: keep-alive connections, each asking again when it was answered.

Standard input: {"host", "port", "key", "paths", "clients", "seconds"}; it answers
{"answers", "asked", "p50_ms", "p99_ms"}.
With "posts" instead of "paths", a list for each client of {"key", "path", "body"}: they are posted in turn, each under
an idempotency key of its own, and waited for.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

from benchmarks.report import percentile

WARM_UP_S = 0.5


class Seen:
    """All requests, and the times of those that count."""

    def __init__(self) -> None:
        self.asked = 0
        self.times: list[float] = []


async def client(job: dict[str, Any], requests: Iterator[bytes], seen: Seen) -> None:
    reader, writer = await asyncio.open_connection(job["host"], job["port"])
    started = time.perf_counter()
    counts, ends = started + WARM_UP_S, started + WARM_UP_S + job["seconds"]
    while (asked := time.perf_counter()) < ends:
        writer.write(next(requests))
        await answer(reader)
        seen.asked += 1
        if asked >= counts:
            seen.times.append(time.perf_counter() - asked)
    writer.close()


def gets(job: dict[str, Any]) -> Iterator[bytes]:
    for path in itertools.cycle(job["paths"]):
        yield (
            f"GET {path} HTTP/1.1\r\nHost: {job['host']}\r\nAuthorization: Bearer {job['key']}\r\n"
            "Accept: application/json\r\n\r\n"
        ).encode()


def posts(job: dict[str, Any], asked: list[dict[str, str]]) -> Iterator[bytes]:
    for post in itertools.cycle(asked):
        yield (
            f"POST {post['path']} HTTP/1.1\r\nHost: {job['host']}\r\nAuthorization: Bearer {post['key']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(post['body'])}\r\nPrefer: wait=10\r\n"
            f"Idempotency-Key: {uuid.uuid4().hex}\r\n\r\n{post['body']}"
        ).encode()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """One response with a Content-Length, as both servers give it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if not head.startswith("http/1.1 200"):
        raise AssertionError(head)
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return await reader.readexactly(length)


async def main() -> None:
    job = json.loads(sys.stdin.read())
    seen = Seen()
    shared = gets(job) if "paths" in job else None
    streams = [shared or posts(job, job["posts"][number]) for number in range(job["clients"])]
    await asyncio.gather(*(client(job, stream, seen) for stream in streams))
    ranks = {f"p{share}_ms": 1000 * percentile(seen.times, share / 100) for share in (50, 99)}
    print(json.dumps({"answers": len(seen.times), "asked": seen.asked} | ranks))


if __name__ == "__main__":
    asyncio.run(main())
