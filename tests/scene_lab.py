"""From a leader's deed to both decisions: the real client on the local venue, the product's steps, no Temporal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from activities.copytrade.attempts import AttemptActivities
from activities.copytrade.feed_turn import FeedTurn
from domain.copytrade.entries import Scope
from domain.copytrade.feed_messages import FollowStep
from domain.copytrade.messages import CopyGroup
from domain.shared.errors import Unavailable
from localnet.polymarket.markets import Market
from storage.copytrade.configs import change_general
from storage.copytrade.drain import drain
from storage.copytrade.drains import UserDrains
from storage.copytrade.inputs import InputsStore
from storage.database import transaction
from storage.intents.copytrade import Leader, follow
from tests.feed_lab import BANKROLL, FeedLab, open_feed_lab
from tests.world.venue import RunningVenue

LADDER = ([("0.50", "100000"), ("0.49", "100000")], [("0.51", "100000"), ("0.52", "100000")])

_DECIDED = """
SELECT a.*, a.portfolio_scope::text AS scope, a.decision::text AS verdict, g.kind::text AS kind, g.condition_id
FROM copytrade.copy_attempts a JOIN copytrade.event_groups g USING (group_key)
WHERE a.group_key = ANY(%s) ORDER BY a.ordinal
"""
_UNDECIDED = """
SELECT group_key FROM copytrade.event_groups WHERE user_decided_at IS NULL OR global_decided_at IS NULL
ORDER BY detect_time, group_key
"""


class Scenes:
    """`feed` has begun; leaders' deeds are three seconds old when they are told of, so that their window has ended."""

    def __init__(self, lab: FeedLab, feed: FeedTurn) -> None:
        self.lab, self.feed = lab, feed
        self.users: list[str] = []

    @property
    def venue(self) -> RunningVenue:
        return self.lab.venue

    async def rows(self, statement: Any, *values: Any) -> list[dict[str, Any]]:
        return await self.lab.rows(statement, *values)

    async def market(self, slug: str, ladder: Any = LADDER, **more: Any) -> Market:
        """A market without fees, with a deep book around 0.505 unless another is given."""
        made = await self.venue.market(slug, **more)
        if ladder is not None:
            await self.venue.book(made.tokens[0].id, *ladder)
        return made

    async def follow(self, name: str, *, bankroll: int = BANKROLL, leg_policy: str = "hold") -> str:
        """Followed for an hour, as far as its rows are concerned; what it held until now is the baseline."""
        if not self.lab.operator:
            self.lab.operator = await self.lab.account("operator")
        leader = Leader(name, self.venue.address(name), "", bankroll, "full", leg_policy)
        async with transaction(self.lab.books.pool) as connection:
            opened = await follow(connection, leader, principal=self.lab.operator)
        await self.lab.baseline(FollowStep(user_id=opened.subject_id, operation_id=opened.operation_id))
        await self.rows("UPDATE copytrade.followed_users SET followed_since = clock_timestamp() - interval '1 hour'")
        self.users.append(opened.subject_id)
        return opened.subject_id

    async def rules(self, **sections: dict[str, Any]) -> None:
        """General rules from now on."""
        async with transaction(self.lab.books.pool) as connection:
            await change_general(connection, sections, actor="test", reason="scene")

    async def buy(self, name: str, token: str, shares: str, price: str = "0.51", **more: Any) -> None:
        await self.venue.trade(name, token, "BUY", shares, price=price, **{"ago_s": 3, **more})

    async def sell(self, name: str, token: str, shares: str, price: str = "0.50", **more: Any) -> None:
        await self.venue.trade(name, token, "SELL", shares, price=price, **{"ago_s": 3, **more})

    async def copied(self) -> list[dict[str, Any]]:
        """Look once, decide everything that was grouped in both portfolios; the new attempts in their order."""
        await self.feed.look()
        with contextlib.suppress(Unavailable):  # read again by the next look
            await self.feed.facts.catch_up()
        await self.feed.look()
        keys = [row["group_key"] for row in await self.rows(_UNDECIDED)]
        decided = await self.decided(keys)
        assert await self.rows(_UNDECIDED) == []
        return decided

    async def decided(self, keys: list[str]) -> list[dict[str, Any]]:
        """The attempts of these groups, each at its due time; whatever comes after one that is left out waits."""
        pool, clob = self.lab.books.pool, self.lab.polymarket.clob
        attempts = AttemptActivities(InputsStore(pool), clob, UserDrains(pool), self.lab.jobs.quarantine)
        await asyncio.gather(*(attempts.take_inputs(CopyGroup(group_key=key)) for key in keys))
        for key in keys:
            await attempts.drain_user(CopyGroup(group_key=key))
        async with transaction(pool) as connection:
            await drain(connection, Scope.EXEC_GLOBAL, None)
        return await self.rows(_DECIDED, keys)

    async def held(self, scope: str, token: str) -> int:
        found = await self.rows(
            """SELECT coalesce(sum(p.share_micros), 0)::bigint AS shares FROM copytrade.positions p
               JOIN copytrade.portfolios f ON f.id = p.portfolio_id
               WHERE f.portfolio_scope = %s::copytrade.portfolio_scope AND p.token_id = %s""",
            *(scope, token),
        )
        return int(found[0]["shares"])


@asynccontextmanager
async def scenes(dsn: str) -> AsyncIterator[Scenes]:
    """Without delay and jitter: nothing here is about them."""
    async with open_feed_lab(dsn, world=False) as lab, lab.feed() as feed:
        made = Scenes(lab, feed)
        await made.rules(guardrails={"decision_latency_ms": 0, "jitter_ms_max": 0})
        yield made
