"""`GET /api/events`: the outbox as server-sent events, resumable, limited to what the principal may see."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from api.deps import Deps
from api.events.hub import Hub, Subscription
from api.http.documented import guarded
from api.http.edge import RequestMetrics
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from domain.shared.events import PUBLIC_TOPICS, TOPICS
from storage.reads import events
from storage.reads.events import OutboxRow, Position

_ID: Final = re.compile(r"(-?[0-9]{1,18})-([0-9]{1,18})\Z", re.ASCII)
"""A restore moves what it brings back below zero."""


def _resume_point(text: str | None) -> Position | None:
    if not text:
        return None
    match = _ID.match(text)
    if match is None:
        raise Rejected("validation_failed", "Last-Event-ID is not an id of this stream", pointer="header:Last-Event-ID")
    return Position(int(match.group(1)), int(match.group(2)))


def parse_topics(text: str | None) -> tuple[str, ...]:
    """Comma-separated topics; none means all. Raises Rejected validation_failed."""
    if not text:
        return TOPICS
    topics = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    unknown = [t for t in topics if t not in TOPICS]
    if unknown:
        raise Rejected("validation_failed", f"topics are {', '.join(TOPICS)}", pointer="query:topics")
    return topics


def frame(row: OutboxRow) -> bytes:
    """One event on the wire."""
    data = f'{{"id":"{row.position}","topic":"{row.topic}","type":"{row.type}","version":{row.version},'
    owner = f'"{row.account_id}"' if row.account_id else "null"
    data += f'"account_id":{owner},"payload":{row.payload}}}'
    return f"id: {row.position}\nevent: {row.type}\ndata: {data}\n\n".encode()


def reset_frame(asked: Position, start: Position) -> bytes:
    """Tells a client that events may be missing between what it knows and `start`: it must read its state anew."""
    data = f'{{"id":"{start}","topic":"system","type":"reset","version":1,"account_id":null,'
    data += f'"payload":{{"after":"{asked}"}}}}'
    return f"id: {start}\nevent: reset\ndata: {data}\n\n".encode()


class Telling:
    """One client's stream: backlog first, then what the hub hears, heartbeats in between, an end after a while."""

    def __init__(
        self, deps: Deps, hub: Hub, principal: Principal, topics: tuple[str, ...], after: Position | None
    ) -> None:
        self._deps = deps
        self._hub = hub
        self._principal = principal
        self._topics = topics
        self._after = after

    async def frames(self) -> AsyncIterator[bytes]:
        subscription = self._hub.subscribe()
        try:
            yield b"retry: 1000\n: connected\n\n"
            if self._after is not None:
                start = await events.resumable(self._deps.reads, self._after)
                if start is not None:
                    yield reset_frame(self._after, start)
                    self._after = start
                async for chunk in self._backlog():
                    yield chunk
            async for chunk in self._live(subscription):
                yield chunk
        finally:
            self._hub.unsubscribe(subscription)

    def _wanted(self, row: OutboxRow) -> bool:
        public = row.account_id is None and row.topic in PUBLIC_TOPICS
        return row.topic in self._topics and (public or self._principal.sees(row.account_id))

    async def _backlog(self) -> AsyncIterator[bytes]:
        assert self._after is not None
        while True:
            rows = await events.backlog(self._deps.reads, self._after, self._topics)
            if not rows:
                return
            for row in rows:
                if self._wanted(row):
                    yield frame(row)
            self._after = rows[-1].position

    async def _live(self, subscription: Subscription) -> AsyncIterator[bytes]:
        ends = time.monotonic() + self._deps.config.event_stream_s
        while (left := ends - time.monotonic()) > 0 and not subscription.ended:
            try:
                async with asyncio.timeout(min(left, self._deps.config.heartbeat_s)):
                    row = await subscription.queue.get()
            except TimeoutError:
                yield b": heartbeat\n\n"
                continue
            if row is not None and self._wanted(row) and (self._after is None or row.position > self._after):
                yield frame(row)
        yield b": end of this connection, resume with Last-Event-ID\n\n"


@get(
    "/api/events",
    **guarded("Follow events", tag="Events", scopes=("exchange:read",)),
    media_type="text/event-stream",
)
async def follow(
    request: Request[Any, Any, Any],
    deps: Deps,
    hub: Hub,
    principal: Principal,
    metrics: RequestMetrics,
    topics: Annotated[
        str | None,
        QueryParameter(
            description=f"Comma separated: {', '.join(TOPICS)}.", required=False, pattern="^[a-z, ]{0,200}$"
        ),
    ] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID", required=False, max_length=40)] = None,
) -> Stream:
    """Server-sent events from now on, or after `Last-Event-ID`. A comment every 15 s keeps the connection open; it
    ends after 10 minutes and is resumed by the same header. Events are told in commit-safe order: none is skipped.

    Operators hear everything. Others hear what concerns their account, and market data: `assets`, `prices`, `oracle`.

    An event `reset` comes first when the stream cannot go on after `Last-Event-ID` (events of that age are not kept, or
    the database was restored): read what you follow anew, the stream begins now.
    """
    telling = Telling(deps, hub, principal, parse_topics(topics), _resume_point(last_event_id))

    async def counted() -> AsyncIterator[bytes]:
        metrics.streams.inc()
        try:
            async for chunk in telling.frames():
                yield chunk
        finally:
            metrics.streams.dec()

    return Stream(
        counted(),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )
