"""A small world for ingest: a database, the local venue at the wire, our feed between them. No Temporal."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.copytrade.drift import DriftActivities
from activities.copytrade.feed_turn import FeedTurn, Settings
from activities.copytrade.following import FollowingActivities
from activities.copytrade.market_facts import FactsReader, Receipts
from activities.copytrade.reading import OddRows
from activities.copytrade.settlement import SettlementActivities
from domain.copytrade.feed_messages import (
    BaselineTaken,
    DriftFound,
    FollowEnded,
    FollowStep,
    LeaderRef,
    MarketSettled,
)
from gateways.polymarket.client import Polymarket
from gateways.polymarket.data import DataApiV2
from storage.books import Books
from storage.copytrade.drift import DriftStore, Fill
from storage.copytrade.feed import FeedStore
from storage.copytrade.fence import FEED, fenced
from storage.copytrade.following import FollowingStore
from storage.copytrade.markets import MarketStore
from storage.copytrade.settlement import SettlementStore
from storage.database import make_pool, transaction
from storage.intents.copytrade import Leader, follow
from storage.jobs import JobStore
from tests.world.books import BooksSide
from tests.world.venue import RunningVenue, running_venue

SEED = "test"
BANKROLL = 10_000_000_000


class FeedLab(BooksSide):
    """`started`: groups whose process was started."""

    def __init__(self, dsn: str, books: Books, venue: RunningVenue, polymarket: Polymarket) -> None:
        super().__init__(dsn)
        self.books, self.venue, self.polymarket = books, venue, polymarket
        self.jobs = JobStore(books)
        self.started: list[str] = []
        self.receipts: Receipts | None = None
        self.operator = ""
        self._turns: list[FeedTurn] = []

    # Parts as composition/copytrade_feed.py makes them.

    def facts(self) -> FactsReader:
        store = MarketStore(self.books.pool, SEED)
        venue = self.polymarket
        return FactsReader(store, venue.gamma, venue.data, self.receipts, self.jobs.quarantine)

    def following(self) -> FollowingActivities:
        store, odd = FollowingStore(self.books.pool, BANKROLL), OddRows(self.jobs.quarantine)
        return FollowingActivities(store, self.polymarket.gamma, self.polymarket.data, self.facts(), odd, settle_s=0.01)

    @asynccontextmanager
    async def feed(self, poll_s: float = 0, cold_start_s: float = 900) -> AsyncIterator[FeedTurn]:
        """The feed, begun; each `look()` polls everybody."""

        async def start(key: str) -> None:
            self.started.append(key)

        async with fenced(self.dsn, FEED) as connection:
            turn = FeedTurn(
                FeedStore(connection, SEED), self.polymarket.data, self.facts(), OddRows(self.jobs.quarantine), start,
                Settings(poll_s, 0, cold_start_s),
            )  # fmt: skip
            self._turns.append(turn)
            await turn.begin()
            yield turn
            await turn.aclose()

    def small_pages(self, *, page: int, pages: int) -> None:
        """The client reads so many rows a request, and hands over after so many requests."""
        transport = self.polymarket._transport
        self.polymarket.data = DataApiV2(transport, self.jobs.quarantine, page=page, pages=pages)

    def forget_limits(self) -> None:
        """As if the time had passed for which the venue wanted to be left alone."""
        self.polymarket = connected(self.venue, self.jobs)
        for turn in self._turns:
            turn.data = self.polymarket.data

    async def show_late_rows(self) -> None:
        """Everything that was held back is indexed now."""
        feed = self.venue.venue.feed
        for rows in (feed._rows, *feed._by_wallet.values()):
            rows[:] = [replace(row, seen_ms=0) for row in rows]

    async def chain_log(self, user_id: str, tx_hash: str) -> None:
        """A log of the leader's wallet, as the chain trigger records it."""
        await self.rows(
            """INSERT INTO copytrade.chain_logs (tx_hash, log_index, block_hash, block_number, contract, kind, wallet,
                 share_micros, usdc_micros, followed_user_id, arrived_at, raw)
               SELECT %s, 1, '0xb', 1, '0xc', 'fill', wallet, 1, 1, followed_user_id, clock_timestamp(), '{}'
               FROM copytrade.followed_wallets WHERE followed_user_id = %s""",
            tx_hash,
            user_id,
        )

    # What operators do.

    async def wish(self, name: str, *, profile: str = "") -> FollowStep:
        """The row and operation as the API writes them."""
        if not self.operator:
            self.operator = await self.account("operator")
        wallet = "" if profile else self.venue.address(name)
        leader = Leader(name, wallet, profile, BANKROLL, "full", "hold")
        async with transaction(self.books.pool) as connection:
            opened = await follow(connection, leader, principal=self.operator)
        return FollowStep(user_id=opened.subject_id, operation_id=opened.operation_id)

    async def follow(self, name: str) -> str:
        """Followed, with baseline; returns the id."""
        step = await self.wish(name)
        await self.baseline(step)
        return step.user_id

    async def baseline(self, step: FollowStep) -> BaselineTaken:
        """What the process does, step by step; each activity is called as Temporal would, without its context."""
        following = self.following()
        resolved = await following.resolve_leader(step)
        taken = await quietly(following, step.model_copy(update={"wallet": resolved.wallet}))
        await following.close_follow(FollowEnded(user_id=step.user_id, operation_id=step.operation_id))
        return taken

    # What periodic processes do, step by step.

    async def settle(self) -> int:
        """Returns positions paid out."""
        pool = self.books.pool
        made = SettlementActivities(SettlementStore(pool), MarketStore(pool, SEED), self.polymarket.data)
        due = await made.list_unresolved()
        resolved = await made.keep_resolutions(await made.read_resolutions(due))
        done = [await made.settle_market(MarketSettled(condition_id=one)) for one in resolved.condition_ids]
        return sum(one.positions for one in done)

    async def compared(self, user_id: str) -> DriftFound:
        made = DriftActivities(DriftStore(self.books.pool), self.polymarket.data, Fill)
        found: DriftFound = await ActivityEnvironment().run(made.compare_leader, LeaderRef(user_id=user_id))
        return found

    async def drift(self, user_id: str) -> int:
        return (await self.compared(user_id)).tokens

    # What the books say.

    async def shadow(self, user_id: str) -> dict[str, int]:
        """Shares by token, what is not zero."""
        found = await self.rows(
            """SELECT p.token_id, p.share_micros FROM copytrade.positions p JOIN copytrade.portfolios f
                 ON f.id = p.portfolio_id WHERE f.portfolio_scope = 'SHADOW_USER' AND f.followed_user_id = %s
                 AND p.share_micros <> 0""",
            user_id,
        )
        return {row["token_id"]: row["share_micros"] for row in found}

    async def cash(self, user_id: str) -> int:
        row = await self.row(
            """SELECT cash_micros FROM copytrade.portfolios WHERE portfolio_scope = 'SHADOW_USER'
               AND followed_user_id = %s""",
            user_id,
        )
        return int(row["cash_micros"])

    async def trades(self, user_id: str, *, baseline: bool = False) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT * FROM copytrade.trade_events WHERE followed_user_id = %s AND baseline = %s
               ORDER BY event_time, ordinal""",
            user_id,
            baseline,
        )

    async def activities(self, user_id: str) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT e.*, a.state::text AS state, a.detail, a.legs FROM copytrade.activity_events e
               LEFT JOIN copytrade.activity_applications a ON a.event_id = e.id
               WHERE e.followed_user_id = %s ORDER BY e.event_time, e.ordinal""",
            user_id,
        )

    async def groups(self, user_id: str) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT *, kind::text AS kind FROM copytrade.event_groups WHERE followed_user_id = %s
               ORDER BY detect_time, group_key""",
            user_id,
        )

    async def check_shadow(self) -> None:
        """Positions and sums are those of the ledger."""
        wrong = await self.rows(
            """SELECT p.token_id, p.share_micros, l.shares, p.cost_micros, l.cost FROM copytrade.positions p
               LEFT JOIN (SELECT portfolio_id, token_id, sum(share_delta_micros) AS shares,
                 sum(cost_delta_micros) AS cost FROM copytrade.ledger_entries GROUP BY 1, 2) l
                 USING (portfolio_id, token_id)
               WHERE p.share_micros <> coalesce(l.shares, 0) OR p.cost_micros <> coalesce(l.cost, 0)
               UNION ALL SELECT f.id::text, f.cash_micros, l.cash, f.realized_micros, l.realized
               FROM copytrade.portfolios f JOIN (SELECT portfolio_id, sum(cash_delta_micros) AS cash,
                 sum(realized_micros) AS realized FROM copytrade.ledger_entries GROUP BY 1) l ON l.portfolio_id = f.id
               WHERE f.cash_micros <> l.cash OR f.realized_micros <> l.realized"""
        )
        assert wrong == []


async def quietly(following: FollowingActivities, step: FollowStep) -> BaselineTaken:
    """`take_baseline` outside of Temporal."""
    taken: BaselineTaken = await ActivityEnvironment().run(following.take_baseline, step)
    return taken


def now() -> int:
    return int(time.time())


@asynccontextmanager
async def open_feed_lab(dsn: str, **venue: Any) -> AsyncIterator[FeedLab]:
    async with running_venue(**venue) as served, make_pool(dsn, size=4, name="test-feed") as pool:
        books = Books(pool)
        jobs = JobStore(books)
        opened = FeedLab(dsn, books, served, connected(served, jobs))
        try:
            yield opened
        finally:
            await opened.polymarket.aclose()


def connected(venue: RunningVenue, jobs: JobStore) -> Polymarket:
    """The real client on the local venue, without limits of its own."""
    return Polymarket.connect(
        quarantine=jobs.quarantine,
        data_url=venue.data_url,
        clob_url=venue.clob_url,
        gamma_url=venue.gamma_url,
        max_rps=10_000,
        burst=10_000,
        timeout_s=5,
    )
