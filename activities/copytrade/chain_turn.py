"""One turn of listening: the socket's news become rows; roster, forks, gaps and flow are looked after beside it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from temporalio import activity

from activities.beating import ended, leave_if_stopping
from activities.copytrade.chain_blocks import DEEPEST, BlockWatch
from domain.copytrade.chain_messages import ArrivedLog, PolygonFollowed, arrived
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from gateways.polymarket.chain import PolygonSocket
    from gateways.polymarket.chain_rpc import PolygonRpc
    from gateways.polymarket.chain_session import News
    from gateways.polymarket.chain_shapes import SeenLog
    from storage.copytrade.chain_checks import ChainCheckStore
    from storage.copytrade.chain_logs import ChainLogStore
    from storage.copytrade.chain_state import ChainStateStore

LOOK_S: Final = 1.0
"""How often the roster is read: a change is subscribed within so long."""
BATCH: Final = 500
REREAD_S: Final = 300
"""What the feed reads again after the socket was away (CT-056)."""
GAP_BLOCKS: Final = 150
"""How far back the chain itself is read after a gap: five minutes. Older than that the feed alone reads."""
OVERLAP_BLOCKS: Final = 5


@dataclass
class Collaborators:
    """`rpc` None: no HTTP node, so gaps are the feed's alone and forks are known by their heads only.

    Args:  alert_after  connections lost in a row that call an operator.   untold_after_s  the API shows a fill, and so
           much later the chain has not told of it: the socket is not believed.
    """

    rpc: PolygonRpc | None
    logs: ChainLogStore
    state: ChainStateStore
    checks: ChainCheckStore
    quarantine: Callable[[str, str, str, Any], Awaitable[None]]
    alert_after: int = 3
    untold_after_s: float = 20.0
    verify_s: float = 15.0


class _Told(NamedTuple):
    """News and when they arrived. `live`: from the socket, not read afterwards."""

    news: News
    at: datetime
    live: bool = True


class Turn:
    """Owns one socket."""

    def __init__(self, socket: PolygonSocket, with_: Collaborators) -> None:
        self.socket, self.logs, self.state, self.checks = socket, with_.logs, with_.state, with_.checks
        self.rpc, self.with_ = with_.rpc, with_
        self.blocks = BlockWatch(with_.logs, with_.rpc)
        self.inbox: asyncio.Queue[_Told] = asyncio.Queue(maxsize=10_000)
        self.wallets: frozenset[str] = frozenset()
        self.last_block: int | None = None
        self.up_since: datetime | None = None
        self.flowing = False
        self.distrusts = 0
        self.new_rows = 0
        self._saved_block: int | None = None
        self._saved_at = self._looked_at = self._verified_at = 0.0
        self._gap: asyncio.Task[None] | None = None

    async def run(self, until: float) -> PolygonFollowed:
        resume = await self.state.resume()
        self.last_block = self._saved_block = resume.last_block
        await self._follow_roster()
        reader = asyncio.create_task(self._read(resume.wait_s))
        try:
            while time.monotonic() < until:
                leave_if_stopping()
                await self._take(await self._next(reader))
                await self._look_after()
        finally:
            await ended(reader)
            if self._gap is not None:
                await ended(self._gap)
        return PolygonFollowed(logs=self.new_rows, connections=self.socket.connections)

    async def _read(self, wait_s: float) -> None:
        """The socket's news, each with the time of its arrival: a slow database must not make it later."""
        async with contextlib.aclosing(self.socket.news(wait_s)) as news:
            async for item in news:
                await self.inbox.put(_Told(item, datetime.now(UTC)))

    async def _next(self, reader: asyncio.Task[None]) -> list[_Told]:
        """What has arrived, after at most LOOK_S."""
        found: list[_Told] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                found.append(await self.inbox.get())
        while not self.inbox.empty() and len(found) < BATCH:
            found.append(self.inbox.get_nowait())
        if reader.done():
            reader.result()
        return found

    async def _take(self, told: list[_Told]) -> None:
        """In the order of arrival: a log that is taken back and told again stands in the end."""
        for kind, part in groupby(told, key=_kind):
            items = list(part)
            if kind == "SeenLog":
                await self._on_logs([(item.news, item.at) for item in items])  # type: ignore[misc]
                self.distrusts = 0 if any(item.live for item in items) else self.distrusts
            elif kind == "removed":
                await self._on_removed([item.news for item in items])  # type: ignore[misc]
            else:
                for item in items:
                    await self._on_other(kind, item)

    async def _on_logs(self, logs: Sequence[tuple[SeenLog, datetime]]) -> None:
        rows = [self._row(seen, at) for seen, at in logs]
        self.new_rows += await self.logs.record(rows)
        self._reach(max(row.block_number for row in rows) - 1)

    def _row(self, seen: SeenLog, at: datetime) -> ArrivedLog:
        seconds = seen.block_time or self.blocks.time_of(seen.said.block_hash)
        when = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
        return arrived(seen.said, when, at, seen.raw)

    async def _on_removed(self, logs: Sequence[SeenLog]) -> None:
        keys = [(seen.said.tx_hash, seen.said.log_index, seen.said.block_hash) for seen in logs]
        taken = await self.logs.take_back(keys)
        activity.logger.warning("a reorganisation took back %s logs", taken)

    async def _on_other(self, kind: str, told: _Told) -> None:
        news: Any = told.news
        if kind == "HeadSeen":
            await self.blocks.on_head(news)
            self._reach(news.number - 1)
            if not self.flowing and not self.distrusts:
                self.flowing = True
                await self.state.flowing()
        elif kind == "Up":
            await self._on_up(news.wallets, told.at, fresh=news.fresh)
        elif kind == "Down":
            self.up_since, self.flowing = None, False
            await self.state.down(
                news.reason,
                news.pause_s,
                throttled=news.throttled,
                failures=max(news.failures, self.distrusts),
                alert_after=self.with_.alert_after,
            )
        elif kind == "Odd":
            odd = news.what
            await self.with_.quarantine(odd.source, odd.kind, odd.reason, odd.payload)

    async def _on_up(self, wallets: int, at: datetime, *, fresh: bool) -> None:
        """A new connection does not tell what happened while there was none: the feed reads it again, and we do."""
        missed = fresh and self.last_block is not None
        await self.state.up(wallets, reread_s=REREAD_S if missed else 0)
        if not fresh:
            return
        self.up_since = at
        if self.rpc is not None:
            if self._gap is not None:
                await ended(self._gap)
            self._gap = asyncio.create_task(self._fill_gap(self.rpc, self.last_block))

    async def _fill_gap(self, rpc: PolygonRpc, last_block: int | None) -> None:
        """Beside the subscription, never before it. What cannot be read here the feed reads anyway.

        The very first connection has no gap: it begins at the head.
        """
        try:
            head = await rpc.head()
            if last_block is None:
                return self._reach(head)
            first = max(min(last_block, head) - OVERLAP_BLOCKS, head - GAP_BLOCKS, 0)
            for seen in await rpc.logs(sorted(self.wallets), first, head):
                await self.inbox.put(_Told(seen, datetime.now(UTC), live=False))
            await self.blocks.suspect(first - DEEPEST)
        except Unavailable as away:
            activity.logger.warning("the gap since block %s was not read: %s", last_block, away.detail)

    def _reach(self, block: int) -> None:
        self.last_block = block if self.last_block is None else max(block, self.last_block)

    async def _look_after(self) -> None:
        now = time.monotonic()
        if now < self._looked_at + LOOK_S:
            return
        self._looked_at = now
        await self._follow_roster()
        await self.blocks.look_after()
        if self.last_block != self._saved_block and now > self._saved_at + 5:
            await self.state.reached(self.last_block or 0)
            self._saved_block, self._saved_at = self.last_block, now
        if now > self._verified_at + self.with_.verify_s:
            self._verified_at = now
            await self.checks.verify()
            await self._check_flow()

    async def _follow_roster(self) -> None:
        self.wallets = await self.logs.roster()
        self.socket.watch(self.wallets)

    async def _check_flow(self) -> None:
        """Subscribed but silent: the socket lives and tells nothing, while the API shows fills (polymarket.md 2.4)."""
        if self.up_since is None:
            return
        untold = await self.checks.untold(self.up_since, self.with_.untold_after_s)
        if untold:
            self.distrusts += 1
            self.up_since = None
            self.socket.distrust(f"subscribed, but {untold} fills of the API were not told")


def _kind(told: _Told) -> str:
    news: Any = told.news
    name = type(news).__name__
    return "removed" if name == "SeenLog" and news.said.removed else name
