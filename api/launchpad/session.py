"""One client of `/api/sync`: what it follows, and the messages that go out to it, all from one task.

A channel begins with a snapshot and its `seq`, a place in the outbox; each delta names the `seq` it comes `after` and
its own, so a client sees that it missed nothing and can go on from there with another connection or another server.
What a snapshot shows may come again as an event; nothing is left out.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from api.deps import Deps
from api.events.hub import Subscription
from api.http.scopes import Principal
from api.launchpad.channels import CHANNELS, Channel
from domain.shared.errors import Rejected, Unavailable
from storage.reads import events
from storage.reads.base import reading
from storage.reads.events import OutboxRow, Position

TOPIC: Final = "launchpad"
FOLLOWED_MOST: Final = 50
SAID_MOST: Final = 32
"""Messages of a client that wait to be answered."""
PENDING_MOST: Final = 1_000
"""Events that wait for a client to read what it was sent."""
BACKLOG_MOST: Final = 5_000
"""Events looked through for a client that resumes; beyond it gets a snapshot."""
SEND_S: Final = 10.0
LOOK_S: Final = 1.0
"""After a delta the state is looked at once more, not sooner."""
_SEQ: Final = re.compile(r"(-?[0-9]{1,18})-([0-9]{1,18})\Z", re.ASCII)
BEFORE_ALL: Final = Position(-(2**63), 0)
Send = Callable[[str], Awaitable[None]]


class Ended(Exception):
    """The connection is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


TOO_SLOW: Final = (4008, "too slow: connect again and resume")
TOO_FAST: Final = (4029, "too many messages at once")
OVER: Final = (4010, "the connection has lasted its time: connect again and resume")
GOING: Final = (1012, "the server is going: connect again and resume")


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says."""

    op: Literal["subscribe", "unsubscribe", "ping"]
    channel: str = ""
    key: str = ""
    seq: str | None = None


@dataclass
class Following:
    """`told`: the state the client has, by field; `pending`: events it has not been told. `look_at`: when the state is
    looked at once more, because what is read off the chain is booked a moment after the events."""

    name: str
    key: str
    channel: Channel
    seq: Position = BEFORE_ALL
    told: dict[str, msgspec.Raw] = field(default_factory=dict)
    pending: list[OutboxRow] = field(default_factory=list)
    ready: bool = False
    due: float = 0.0
    look_at: float = math.inf

    @property
    def next_at(self) -> float:
        return min(self.due, self.look_at) if self.pending else self.look_at

    def offer(self, row: OutboxRow) -> None:
        if self.channel.concerns(msgspec.json.decode(row.payload), self.key):
            self.pending.append(row)

    def begin(self, seq: Position) -> None:
        """Told up to `seq`; what was offered meanwhile is put in order, once each."""
        self.seq, self.ready = seq, True
        newer = {row.position: row for row in self.pending if row.position > seq}
        self.pending = [newer[position] for position in sorted(newer)]

    def head(self, op: str, **more: Any) -> dict[str, Any]:
        return {"op": op, "channel": self.name, "key": self.key, **more}


class Session:
    """`hear` takes rows from the hub, `say` takes what the client sent; `run` answers until the connection ends."""

    def __init__(self, deps: Deps, subscription: Subscription, principal: Principal | None, send: Send) -> None:
        self._deps, self._subscription, self._principal, self._send = deps, subscription, principal, send
        self._follows: dict[tuple[str, str], Following] = {}
        self._said: deque[str] = deque()
        self._wake = asyncio.Event()
        self._fault: Ended | None = None

    def say(self, text: str) -> None:
        if len(self._said) >= SAID_MOST:
            self.end(*TOO_FAST)
        if self._fault is None:
            self._said.append(text)
            self._wake.set()

    def end(self, code: int, reason: str) -> None:
        self._fault = self._fault or Ended(code, reason)
        self._wake.set()

    async def hear(self) -> None:
        """Until the hub ends it."""
        while not self._subscription.ended:
            row = await self._subscription.queue.get()
            if row is None or row.topic != TOPIC or not self._may_see(row):
                continue
            for follow in self._follows.values():
                follow.offer(row)
                if len(follow.pending) > PENDING_MOST:
                    self.end(*TOO_SLOW)
            self._wake.set()
        self.end(*GOING)

    def _may_see(self, row: OutboxRow) -> bool:
        return row.account_id is None or (self._principal is not None and self._principal.sees(row.account_id))

    async def run(self) -> None:
        """Raises: Ended."""
        ends = time.monotonic() + self._deps.config.event_stream_s
        while True:
            if self._fault is not None:
                raise self._fault
            if time.monotonic() >= ends:
                raise Ended(*OVER)
            self._wake.clear()
            while self._said and self._fault is None:
                await self._answer(self._said.popleft())
            for follow in [f for f in self._follows.values() if f.next_at <= time.monotonic()]:
                await self._tell(follow)
            await self._rest(ends)

    async def _rest(self, ends: float) -> None:
        """Until something is to be done, or a heartbeat is."""
        heartbeat = time.monotonic() + self._deps.config.heartbeat_s
        until = min([heartbeat, ends, *(f.next_at for f in self._follows.values())])
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            if until == heartbeat:
                await self._put({"op": "heartbeat"})

    # what a client says

    async def _answer(self, text: str) -> None:
        try:
            said = msgspec.json.decode(text, type=Said)
        except msgspec.DecodeError as error:
            await self._refuse("malformed_request", str(error))
            return
        try:
            if said.op == "ping":
                await self._put({"op": "pong"})
            elif said.op == "subscribe":
                await self._subscribe(said)
            else:
                self._follows.pop((said.channel, said.key), None)
                await self._put({"op": "unsubscribed", "channel": said.channel, "key": said.key})
        except (Rejected, Unavailable) as refusal:
            self._follows.pop((said.channel, said.key), None)
            await self._refuse(refusal.code, refusal.detail, channel=said.channel, key=said.key)

    async def _refuse(self, code: str, detail: str, **where: str) -> None:
        await self._put({"op": "error", "code": code, "detail": detail, **where})

    async def _subscribe(self, said: Said) -> None:
        follow = Following(said.channel, said.key, self._allowed(said))
        after = _position(said.seq)
        self._follows[said.channel, said.key] = follow
        if after is not None and await self._resumed(follow, after):
            await self._put(follow.head("resumed", seq=str(follow.seq)))
            return
        async with reading(self._deps.reads) as connection:
            seq = await events.now(connection)  # before the state: nothing falls between them
        state = await follow.channel.snapshot(self._deps, follow.key)
        if state is None:
            raise Rejected("not_found", "no such project")
        follow.begin(seq)
        follow.told = msgspec.json.decode(state, type=dict[str, msgspec.Raw])
        follow.due = time.monotonic() + follow.channel.ceiling_s(self._deps.config)
        reset = {} if after is None else {"reset": True}
        await self._put(follow.head("snapshot", seq=str(seq), **reset, state=msgspec.Raw(state.encode())))

    def _allowed(self, said: Said) -> Channel:
        channel = CHANNELS.get(said.channel)
        if channel is None:
            raise Rejected("validation_failed", f"channels are {', '.join(CHANNELS)}")
        if channel.signed_in and self._principal is None:
            raise Rejected("unauthorized", "this channel is for whoever is signed in")
        if channel.signed_in and self._principal is not None and "launchpad:read" not in self._principal.scopes:
            raise Rejected("forbidden", "the key lacks the scope launchpad:read")
        if not channel.wanted(said.key):
            raise Rejected("validation_failed", "not a key of this channel")
        if len(self._follows) >= FOLLOWED_MOST:
            raise Rejected("rate_limited", f"a connection follows {FOLLOWED_MOST} at most")
        return channel

    async def _resumed(self, follow: Following, after: Position) -> bool:
        """Take up what happened after a position the client knows; False when it cannot be known any more, or when
        it is too much."""
        if await events.resumable(self._deps.reads, after) is not None:
            return False
        if await follow.channel.snapshot(self._deps, follow.key) is None:
            raise Rejected("not_found", "no such project")
        at, seen = after, 0
        while rows := await events.backlog(self._deps.reads, at, [TOPIC]):
            for row in filter(self._may_see, rows):
                follow.offer(row)
            at, seen = rows[-1].position, seen + len(rows)
            if seen >= BACKLOG_MOST or len(follow.pending) > PENDING_MOST:
                return False
        follow.begin(after)
        follow.look_at = time.monotonic()  # figures may have changed with events the client had
        return True

    # what is told

    async def _tell(self, follow: Following) -> None:
        """Everything that waits, as one delta, with the fields of the state that are not what the client has."""
        if not follow.ready:
            return
        rows = [row for row in follow.pending if row.position > follow.seq]
        follow.pending = []
        state = await follow.channel.snapshot(self._deps, follow.key)
        if state is None:
            del self._follows[follow.name, follow.key]
            await self._put(follow.head("gone"))
            return
        fields = msgspec.json.decode(state, type=dict[str, msgspec.Raw])
        changed = {name: value for name, value in fields.items() if follow.told.get(name) != value}
        ceiling_s = follow.channel.ceiling_s(self._deps.config)
        follow.due = time.monotonic() + ceiling_s
        follow.look_at = time.monotonic() + max(ceiling_s, LOOK_S) if rows else math.inf
        if not rows and not changed:
            return
        after, follow.told = follow.seq, fields
        follow.seq = rows[-1].position if rows else after
        told = [{"id": str(r.position), "type": r.type, "payload": msgspec.Raw(r.payload.encode())} for r in rows]
        await self._put(follow.head("delta", after=str(after), seq=str(follow.seq), events=told, state=changed))

    async def _put(self, message: dict[str, Any]) -> None:
        """Raises: Ended when the client does not read."""
        try:
            async with asyncio.timeout(SEND_S):
                await self._send(msgspec.json.encode(message).decode())
        except TimeoutError as slow:
            raise Ended(*TOO_SLOW) from slow


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    match = _SEQ.match(text)
    if match is None:
        raise Rejected("validation_failed", "seq is not one of ours")
    return Position(int(match.group(1)), int(match.group(2)))
