"""Beginning to follow a leader: who it is at the venue, what is held, from when on rows are signals."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from temporalio import activity

from activities.beating import beating
from activities.copytrade.reading import ActivityFeed, OddRows, read_wallet
from domain.copytrade.baseline import LOOK_BACK_S, Look, fits, same
from domain.copytrade.feed_messages import BaselineTaken, FollowEnded, FollowStep, LeaderResolved
from domain.copytrade.readings import sort_rows
from domain.copytrade.venue import ActivityRow, Profile
from domain.shared.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from activities.copytrade.market_facts import FactsReader
    from storage.copytrade.following import Candidate, FollowingStore

LOOKS: Final = 12
"""Looks in one try; a leader who trades without a pause is tried again."""
FITTING_LOOKS: Final = 6
"""Until then positions must also say the same time as rows; then two equal looks have to do."""


class Profiles(Protocol):
    async def profile(self, who: str) -> Profile | None: ...


class FollowingActivities:
    """`settle_s` between two looks: the venue rebuilds its lists every few seconds."""

    def __init__(
        self,
        store: FollowingStore,
        profiles: Profiles,
        data: ActivityFeed,
        facts: FactsReader,
        odd: OddRows,
        settle_s: float = 2.0,
    ) -> None:
        self.store, self.profiles, self.data, self.facts, self.odd = store, profiles, data, facts, odd
        self.settle_s = settle_s

    @activity.defn
    async def resolve_leader(self, command: FollowStep) -> LeaderResolved:
        """Which wallet trades for whom the operator named.

        Effect: the wallet of the leader, one transaction after one question to the venue.
        Again:  the same question, the same row.
        Raises: Rejected profile_not_found, already_followed.
        """
        candidate = await self.store.candidate(command.user_id)
        who = candidate.wallet or candidate.profile
        profile = await self.profiles.profile(who)
        if profile is None:
            raise Rejected("profile_not_found", f"the venue knows nobody called {who[:80]}")
        await self.store.own(candidate, profile.wallet, command.operation_id)
        return LeaderResolved(wallet=profile.wallet, name=profile.name or profile.pseudonym)

    @activity.defn
    async def take_baseline(self, command: FollowStep) -> BaselineTaken:
        """Read what the leader holds and what he just did until both tell of the same moment, then begin.

        Effect: one transaction: baseline rows, opening entries, portfolios; he is followed.
        Again:  nothing is written before the looks agree; who is followed already stays as he is.
        Raises: Unavailable while he trades too fast or the venue is away.
        """
        candidate = await self.store.candidate(command.user_id)
        if candidate.done:
            return BaselineTaken()
        async with beating():
            look, looks = await self._agreed(command.wallet)
            found = sort_rows(command.user_id, [look.after])
            await self.odd.tell(found)
            newest = max((row.timestamp for row in look.after), default=look.since - 1)
            since = datetime.fromtimestamp(newest + 1, UTC)
            await self.store.begin(candidate, look.positions, found.taken, since, command.operation_id)
            await self._facts(candidate)
        return BaselineTaken(positions=len(look.positions), rows=len(found.taken), looks=looks)

    @activity.defn
    async def close_follow(self, command: FollowEnded) -> None:
        """Show the end of the operation; who could not be followed is given up.

        Effect: operation, leader: one transaction.
        Again:  sets the same values.
        """
        await self.store.close(command.user_id, command.operation_id, command.code, command.summary)

    async def _agreed(self, wallet: str) -> tuple[Look, int]:
        since = int(time.time()) - LOOK_BACK_S
        last = await self._look(wallet, since)
        for number in range(2, LOOKS + 1):
            await asyncio.sleep(self.settle_s)
            now = await self._look(wallet, since)
            if same(last, now) and (fits(now) or number > FITTING_LOOKS):
                return now, number
            last = now
        raise Unavailable("venue_unavailable", f"{wallet} moves while its positions are read", retry_after_s=5)

    async def _look(self, wallet: str, since: int) -> Look:
        before = await self._rows(wallet, since)
        positions = await self.data.positions(wallet)
        return Look(since, before, tuple(positions), await self._rows(wallet, since))

    async def _rows(self, wallet: str, since: int) -> tuple[ActivityRow, ...]:
        readings, onward = await read_wallet(self.data, wallet, since)
        if onward is not None:
            raise Unavailable("venue_unavailable", f"{wallet} has too many rows to be compared", retry_after_s=5)
        return tuple(row for reading in readings for row in reading)

    async def _facts(self, candidate: Candidate) -> None:
        """Facts of the markets he holds; what cannot be had now is read later."""
        try:
            await self.facts.catch_up()
        except Unavailable as away:
            activity.logger.info("facts of %s come later: %s", candidate.user_id, away)
