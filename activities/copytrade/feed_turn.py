"""One turn of the feed: who is due, concurrent reads, serial writing, processes for what was grouped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from activities.beating import ended
from activities.copytrade.reading import ActivityFeed, OddRows, read_wallet
from domain.copytrade.pace import Pace
from domain.copytrade.readings import Sorted, Taken, sort_rows
from domain.shared.errors import Broken, Failure, Unavailable
from domain.shared.ids import COPYTRADE_FEED

if TYPE_CHECKING:
    from activities.copytrade.market_facts import FactsReader
    from storage.copytrade.feed import FeedStore, Leader
    from storage.copytrade.ingest import Receipts

log = structlog.get_logger(__name__)

OVERLAP: Final = timedelta(seconds=120)
"""Rows are indexed seconds late and several blocks share a second: what is re-read costs nothing, what is skipped is
lost."""
RECONCILE: Final = timedelta(seconds=120)
BATCH: Final = 2_000
"""Rows of one transaction; more only after an outage."""
READS_AT_ONCE: Final = 8
STARTS_AT_ONCE: Final = 20
MEANWHILE_S: Final = 0.5
"""Between two looks for groups without a process while leaders are read."""
APART_MAX: Final = 3
"""Rows that one round may keep apart."""
STATUS_S: Final = 60.0
LAGGING_S: Final = 300
VENUE: Final = "polymarket"
RATE_LIMITED: Final = "venue_rate_limited"

Start = Callable[[str], Awaitable[None]]
"""Start the process of a group, or find it started."""


class Settings(NamedTuple):
    """Of the deployment, in seconds."""

    poll_s: float
    reconcile_s: float
    cold_start_s: float

    @property
    def stuck_s(self) -> float:
        """So long without a successful read is an operator's matter."""
        return max(90.0, 3 * self.poll_s)


class Read(NamedTuple):
    """What one leader's wallets gave. `onward`: where each has more. `failure`: why nothing is known."""

    leader: Leader
    found: Sorted
    onward: dict[str, int | None]
    failure: Failure | None = None


class FeedTurn:
    """What the feed remembers while it runs; a new turn begins with a look 15 minutes back."""

    def __init__(
        self, store: FeedStore, data: ActivityFeed, facts: FactsReader, odd: OddRows, start: Start, settings: Settings
    ) -> None:
        self.store, self.data, self.facts, self.odd, self.start = store, data, facts, odd, start
        self.settings = settings
        self.pace = Pace(settings.poll_s, settings.reconcile_s)
        self.rows = 0
        self._apart = 0
        self._onward: dict[str, int] = {}
        self._started = time.monotonic()
        self._stuck: set[str] = set()
        self._known: set[str] = set()
        self._status_at = 0.0

    async def begin(self) -> None:
        """Start order of CT-051: checkpoints, the trigger (already listened to), 15 minutes back, a second look that
        finds nothing new or stores it, then live."""
        leaders, _ = await self.store.leaders()
        back = timedelta(seconds=self.settings.cold_start_s)
        await self._round(leaders, datetime.now(UTC) - back)
        for leader in leaders:
            self.pace.hurry(leader.user_id)
        await self._dispatch()
        await self.store.note_start(len(leaders), back)

    async def look(self) -> None:
        """Read who is due, write what is new, start what was grouped, tell of what is stuck."""
        leaders, reread = await self.store.leaders()
        now = time.monotonic()
        self.pace.keep_only({leader.user_id for leader in leaders})
        for leader in leaders:
            self.pace.hint(leader.user_id, now, on=leader.hinted)
        if reread is not None:
            self.odd.forget()
        due = [leader for leader in leaders if reread is not None or self.pace.due(leader.user_id, now)]
        if due:
            await self._round(due, reread)
        await self._dispatch()
        await self._watch(leaders)

    async def aclose(self) -> None:
        await self.facts.close()

    # One round.

    async def _round(self, leaders: Sequence[Leader], since: datetime | None) -> None:
        reads = await self._reads(leaders, since)
        now = time.monotonic()
        self.pace.limited(yes=any(r.failure is not None and r.failure.code == RATE_LIMITED for r in reads))
        good = [read for read in reads if read.failure is None]
        taken = [one for read in good for one in read.found.taken]
        self._apart = 0
        receipts = await self.facts.prepare(taken)
        for place in range(0, len(taken), BATCH):
            await self._write(taken[place : place + BATCH], receipts)
        for read in good:
            await self.odd.tell(read.found)
            self._go_on(read, now)
        for read in reads:
            if read.failure is not None:
                log.warning("leader_not_read", user=read.leader.user_id, why=str(read.failure))
                self.pace.failed(read.leader.user_id, now)
        self.facts.look_up()

    async def _reads(self, leaders: Sequence[Leader], since: datetime | None) -> list[Read]:
        """While the venue takes its time, groups of small trades close; their processes do not wait for it."""
        gate = asyncio.Semaphore(READS_AT_ONCE)
        reading = [asyncio.create_task(self._read(leader, since, gate)) for leader in leaders]
        try:
            while reading and (await asyncio.wait(reading, timeout=MEANWHILE_S))[1]:  # noqa: TID251  (not a workflow)
                await self._dispatch()
            return await asyncio.gather(*reading)
        finally:
            await asyncio.gather(*(ended(task) for task in reading))

    async def _read(self, leader: Leader, since: datetime | None, gate: asyncio.Semaphore) -> Read:
        begin = int(self._begin(leader, since).timestamp())
        async with gate:
            try:
                parts = await asyncio.gather(
                    *(read_wallet(self.data, wallet, self._onward.get(wallet, begin)) for wallet in leader.wallets)
                )
            except Failure as failure:
                return Read(leader, Sorted([], []), {}, failure)
        onward = {wallet: part.onward for wallet, part in zip(leader.wallets, parts, strict=True)}
        readings = [reading for part in parts for reading in part.readings]
        # in a thread: a backlog of thousands of rows must not silence the heartbeat
        return Read(leader, await asyncio.to_thread(sort_rows, leader.user_id, readings), onward)

    def _go_on(self, read: Read, now: float) -> None:
        """What was cut goes on where it was cut, at once; only a whole reading begins with an overlap again."""
        for wallet, onward in read.onward.items():
            self._onward.pop(wallet, None)
            if onward is not None:
                self._onward[wallet] = onward
        complete = all(onward is None for onward in read.onward.values())
        self.pace.read(read.leader.user_id, now, complete=complete)

    def _begin(self, leader: Leader, since: datetime | None) -> datetime:
        """Never later than two minutes before the newest row that is stored, whatever the clocks say."""
        begin = (leader.newest or leader.followed_since) - OVERLAP
        if since is not None:
            begin = min(begin, since)
        if self.pace.reconciles(leader.user_id, time.monotonic()):
            begin = min(begin, datetime.now(UTC) - RECONCILE)
        return begin

    async def _write(self, taken: Sequence[Taken], receipts: Receipts) -> None:
        """In one transaction; a row that makes every transaction fail it is in is found by halving and kept apart,
        so that the others do not wait for it. When nearly everything fails, the rows are not at fault: then it stops.

        Raises: Unavailable; Broken feed_stuck.
        """
        if not taken:
            return
        try:
            written = await self.store.write(taken, receipts)
        except Failure:
            raise
        except Exception as error:  # whatever it is, the other leaders must not wait for it
            if len(taken) > 1:
                half = len(taken) // 2
                await self._write(taken[:half], receipts)
                await self._write(taken[half:], receipts)
                return
            self._apart += 1
            reason = f"{type(error).__name__}: {error}"
            if self._apart > APART_MAX:
                raise Broken("feed_stuck", f"row after row cannot be written; the last: {reason}") from error
            log.warning("row_kept_apart", source_id=taken[0].source_id, error=reason)
            await self.odd.keep(taken[0].row, reason)
            return
        self.rows += written.trades + written.activities

    async def _dispatch(self) -> None:
        """Every group has its process, also those of a feed that died in between. An absent Temporal is waited out."""
        while keys := await self.store.undispatched():
            gate = asyncio.Semaphore(STARTS_AT_ONCE)

            async def one(key: str, gate: asyncio.Semaphore = gate) -> None:
                async with gate:
                    await self.start(key)

            try:
                await asyncio.gather(*(one(key) for key in keys))
            except Unavailable as away:
                log.warning("attempts_not_started", why=str(away))
                return
            await self.store.dispatched(keys)

    # Whether it flows.

    async def _watch(self, leaders: Sequence[Leader]) -> None:
        await self._judge(COPYTRADE_FEED, stuck=False, detail="")  # a look has come to its end
        now = time.monotonic()
        for leader in leaders:
            silent = self.pace.silent_s(leader.user_id, self._started, now)
            late = silent > self.settings.stuck_s * self.pace.slow
            await self._judge(leader.user_id, late, f"nothing of this leader could be read for {int(silent)} s")
        if now >= self._status_at:
            self._status_at = now + STATUS_S
            await self._judge_venue()

    async def _judge_venue(self) -> None:
        try:
            status = await self.data.status()
        except Failure:
            return
        if status is not None:
            await self.store.note_status(status)
            await self._judge(VENUE, status.lag_s > LAGGING_S, f"the venue is {status.lag_s} s behind: {status.worst}")

    async def _judge(self, subject: str, stuck: bool, detail: str) -> None:
        """Open the alert once, and close it when it flows again; one that an earlier feed opened too."""
        if stuck and subject not in self._stuck:
            self._stuck.add(subject)
            await self.store.stuck(subject, detail)
        elif not stuck and (subject in self._stuck or subject not in self._known):
            self._stuck.discard(subject)
            await self.store.flows(subject)
        self._known.add(subject)
