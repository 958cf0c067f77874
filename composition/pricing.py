"""The wiring of prices: the event feed, price engines, halts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.exchange.pricing import FeedActivities, HaltActivities, PricingActivities
from composition.parts import Parts
from domain.exchange.price_messages import AssetNews, PriceEngineState
from domain.exchange.pricing import MILLION, Policy
from domain.shared import ids
from domain.shared.money import USDC_ONE
from settings import WorkerSettings
from storage.exchange.feed import FeedStore
from storage.exchange.halts import HaltStore
from storage.exchange.pricing import Pace, PricingStore


def pricing(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity that has to do with prices."""

    async def tell(asset_id: str, news: AssetNews) -> None:
        state = PriceEngineState(asset_id=asset_id)
        engine, summary = ids.price_engine(asset_id), f"Prices of asset {asset_id}"
        await opened.processes.wake(asset_id, "PriceEngine", engine, state, "trades", news, summary=summary)

    feed = FeedActivities(FeedStore(opened.books), tell, opened.listener.listen)
    halts = HaltActivities(HaltStore(opened.books))
    return [
        feed.feed_prices,
        PricingActivities(make_pricing(settings, opened)).record_tick,
        *(halts.read_halt, halts.end_halt, halts.extend_halt),
    ]


def make_pricing(settings: WorkerSettings, opened: Parts) -> PricingStore:
    return PricingStore(
        opened.books, price_policy(settings), Pace(heartbeat_s=settings.tick_heartbeat_s, halt_s=settings.halt_s)
    )


def price_policy(settings: WorkerSettings) -> Policy:
    """The formula's parameters as whole numbers; what is finer than a millionth is dropped."""
    return Policy(
        beta_millionths=int(settings.default_ema_beta * MILLION),
        volume_scale=max(1, int(settings.default_v0 * USDC_ONE)),
        delta_cap_bps=settings.oracle_delta_cap_bps,
        decay_bps=settings.fundamental_decay_bps,
    )
