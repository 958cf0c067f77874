"""A copy attempt: the due time, one book, everything a decision depends on, the decision of the leader's portfolio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from temporalio import activity

from domain.copytrade.asked import Asked
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.messages import CopyGroup, InputsTaken, UserDrained
from domain.shared.errors import Failure, Rejected, Unavailable

if TYPE_CHECKING:
    from gateways.protocols import OrderBooks
    from storage.copytrade.drains import UserDrains
    from storage.copytrade.inputs import Facts, InputsStore

HOLD: Final = timedelta(seconds=3)
"""The longest wait inside an activity; what is due later is waited for by a timer of the workflow first."""
PATIENCE: Final = timedelta(seconds=2)
"""Failed requests of a book are repeated until so long after the due time (design/copytrade.md 4); after an outage,
until so long after the first of them."""
AGAIN_S: Final = 0.1
"""Between two requests of a book, and between two tries to persist."""

Clock = Callable[[], datetime]
Quarantine = Callable[[str, str, str, Any], Awaitable[None]]


def wall_clock() -> datetime:
    return datetime.now(UTC)


class AttemptActivities:
    def __init__(
        self,
        store: InputsStore,
        books: OrderBooks,
        drains: UserDrains,
        quarantine: Quarantine,
        clock: Clock = wall_clock,
    ) -> None:
        self.store, self.books, self.drains = store, books, drains
        self.quarantine, self.clock = quarantine, clock

    @activity.defn
    async def take_inputs(self, command: CopyGroup) -> InputsTaken:
        """At the due time: request the one book, read everything else a decision depends on, keep both.

        Effect: one row of group_inputs.
        Again:  the first row persisted stays; a crash between the venue's answer and the row asks once more.
        Raises: Rejected not_found.
        """
        due = await self.store.group(command.group_key)
        if due is None:
            raise Rejected("not_found", f"no group {command.group_key}")
        if due.taken:
            return InputsTaken()
        left = due.group.due_at - self.clock()
        if left > HOLD:
            return InputsTaken(wait_ms=left // timedelta(milliseconds=1))
        await self._until(due.group.due_at)
        return await self._take(due.group)

    @activity.defn
    async def drain_user(self, command: CopyGroup) -> UserDrained:
        """Decide every group of this leader that has its inputs, in order of detection, up to the first without.

        Effect: per batch one transaction: attempts, fills, ledger, positions, portfolio, events.
        Again:  a group that is decided is not looked at again.
        """
        return await self.drains.drain(command.group_key)

    async def _until(self, moment: datetime) -> None:
        """Never early: a sleep may end before the wall clock is there."""
        while (left := (moment - self.clock()).total_seconds()) > 0:  # noqa: ASYNC110  (a clock, not an event)
            await asyncio.sleep(left)

    async def _take(self, group: Group) -> InputsTaken:
        asked, facts = await self._ask(group)
        while True:
            # tried again here and not by Temporal: that would request a second book
            try:
                await self.store.keep(group, asked, facts)
                break
            except Unavailable:
                await asyncio.sleep(AGAIN_S)
        late = asked.requested_at - group.due_at
        return InputsTaken(
            book=asked.book is not None, requests=asked.requests, lateness_us=late // timedelta(microseconds=1)
        )

    async def _ask(self, group: Group) -> tuple[Asked, Facts]:
        """The book and the rest at the same time, so that neither waits for the other."""
        facts = asyncio.create_task(self._facts(group.group_key))
        try:
            return await self._book(group), await facts
        finally:
            facts.cancel()

    async def _facts(self, key: str) -> Facts:
        while True:
            try:
                return await self.store.facts(key)
            except Unavailable:
                await asyncio.sleep(AGAIN_S)

    async def _book(self, group: Group) -> Asked:
        token = await self._token(group)
        requested_at = self.clock()
        if token is None:
            return Asked(requested_at, requested_at, 0)
        requests, until = 0, max(group.due_at, requested_at) + PATIENCE
        while (left := (until - self.clock()).total_seconds()) > 0:
            requests += 1
            try:
                async with asyncio.timeout(left):
                    read = await self.books.read_book(token)
            except Failure as failure:
                await self._tell(failure)
            except TimeoutError:
                break
            else:
                return Asked(requested_at, read.received_at, requests, read.book, read.raw, read.source)
            await asyncio.sleep(min(AGAIN_S, left))
        return Asked(requested_at, self.clock(), requests)

    async def _token(self, group: Group) -> str | None:
        if group.kind in (GroupKind.BUY, GroupKind.SELL):
            return group.token_ids[0]
        if group.kind in (GroupKind.MERGE, GroupKind.REDEEM):
            return await self.store.held_leg(group.group_key)
        return None

    async def _tell(self, failure: Failure) -> None:
        """A shape nobody knows is kept for operators; an absent answer is only tried again."""
        if failure.code == "quarantined":
            parts = [str(failure.data.get(name, "")) for name in ("source", "kind", "reason")]
            with contextlib.suppress(Unavailable):
                await self.quarantine(parts[0], parts[1], parts[2], failure.data.get("payload"))
