"""The feed: reads what every leader did and writes what is new. One for all leaders, for ever."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.copytrade.feed_turn import FeedTurn
from domain.copytrade.feed_messages import FeedRan, RunFeed

if TYPE_CHECKING:
    from storage.copytrade.feed import FeedStore

TURN_S: Final = 900
BEAT_S: Final = 0.3
CHANNEL: Final = "copytrade_trigger"
SILENCE_S: Final = 0.5
"""Longest sleep between two looks at who is due; a notification of the chain trigger ends it at once."""

Fence = Callable[[], AbstractAsyncContextManager["FeedStore"]]
"""The store that alone may write for the feed, while the block runs."""
Listen = Callable[[str, float], AbstractAsyncContextManager[AsyncIterator[None]]]


class FeedActivities:
    """`turn` makes one turn's work on a store."""

    def __init__(self, fence: Fence, listen: Listen, turn: Callable[[FeedStore], FeedTurn]) -> None:
        self.fence, self.listen, self.turn = fence, listen, turn

    @activity.defn
    async def follow_leaders(self, command: RunFeed) -> FeedRan:
        """Poll every leader for a turn: first the last 15 minutes of each, then each at its pace and when hinted.

        Effect: per look one transaction: canonical rows, shadow ledger, groups, checkpoints, events; then CopyAttempt
                processes under the ids of their groups.
        Again:  rows that are there change nothing, a group without a process is found by the next look; the lock of
                the session that writes keeps a second feed out.
        """
        until = time.monotonic() + TURN_S
        async with beating(BEAT_S), self.fence() as store:
            turn = self.turn(store)
            async with contextlib.aclosing(turn), self.listen(CHANNEL, SILENCE_S) as wakes:
                await turn.begin()
                async for _ in wakes:
                    leave_if_stopping()
                    await turn.look()
                    if time.monotonic() > until:
                        break
        return FeedRan(rows=turn.rows)
