"""The feed's wiring: the venue, the fence, what begins and keeps following."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from activities.copytrade.backfill import BackfillActivities
from activities.copytrade.drift import DriftActivities
from activities.copytrade.feed import FeedActivities
from activities.copytrade.feed_turn import FeedTurn, Settings
from activities.copytrade.following import FollowingActivities
from activities.copytrade.market_facts import FactsReader, MarketFactsActivities
from activities.copytrade.reading import OddRows
from activities.copytrade.settlement import SettlementActivities
from composition.parts import Parts
from settings import WorkerSettings
from storage.copytrade.backfill import BackfillStore
from storage.copytrade.drift import DriftStore, Fill
from storage.copytrade.feed import FeedStore
from storage.copytrade.fence import FEED, fenced
from storage.copytrade.following import FollowingStore
from storage.copytrade.markets import MarketStore
from storage.copytrade.settlement import SettlementStore


def feed(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of the feed, of following, of markets."""
    following = FollowingStore(opened.pool, settings.starting_bankroll_micros, exec_user=settings.copytrade_exec_user)
    data, gamma = opened.polymarket.data, opened.polymarket.gamma
    odd, facts = OddRows(opened.jobs.quarantine), make_facts(settings, opened)
    follow = FollowingActivities(following, gamma, data, facts, odd)
    markets = MarketStore(opened.pool, settings.copytrade_jitter_seed)
    settle = SettlementActivities(SettlementStore(opened.pool), markets, data)
    drift = DriftActivities(DriftStore(opened.pool), data, Fill)
    back = BackfillActivities(BackfillStore(opened.pool, settings.copytrade_jitter_seed), data, facts, odd)
    return [
        make_feed(settings, opened).follow_leaders,
        *(follow.resolve_leader, follow.take_baseline, follow.close_follow),
        MarketFactsActivities(facts).read_market_facts,
        *(settle.list_unresolved, settle.read_resolutions, settle.keep_resolutions, settle.settle_market),
        *(drift.list_leaders, drift.compare_leader),
        *(back.plan_backfill, back.backfill_leader, back.close_backfill),
    ]


def make_feed(settings: WorkerSettings, opened: Parts) -> FeedActivities:
    dsn, seed = settings.database_url.get_secret_value(), settings.copytrade_jitter_seed
    pace = Settings(settings.copytrade_poll_s, settings.copytrade_reconcile_s, settings.copytrade_cold_start_s)

    @asynccontextmanager
    async def fence() -> AsyncIterator[FeedStore]:
        async with fenced(dsn, FEED) as connection:
            yield FeedStore(connection, seed)

    def turn(store: FeedStore) -> FeedTurn:
        odd, start = OddRows(opened.jobs.quarantine), opened.processes.copy_group
        return FeedTurn(store, opened.polymarket.data, make_facts(settings, opened), odd, start, pace)

    return FeedActivities(fence, opened.listener.listen, turn)


def make_facts(settings: WorkerSettings, opened: Parts) -> FactsReader:
    venue, store = opened.polymarket, MarketStore(opened.pool, settings.copytrade_jitter_seed)
    return FactsReader(store, venue.gamma, venue.data, opened.polygon, opened.jobs.quarantine)
