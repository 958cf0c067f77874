"""The oracle's wiring: which search and which model the settings name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.exchange.oracle import OracleActivities
from composition.parts import Parts
from domain.exchange.oracle import Bounds
from gateways.llm import HuggingFace, LanguageModel, OpenAiChat
from gateways.search import Serper, WebSearch
from settings import WorkerSettings
from storage.exchange.oracle import OracleStore


def oracle(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of the oracle."""
    budgets = {"searches": settings.oracle_daily_searches, "analyses": settings.oracle_daily_analyses}
    bounds = Bounds(
        cap_bps=settings.oracle_delta_cap_bps,
        confidence_bps=settings.oracle_confidence_bps,
        hosts=settings.oracle_min_hosts,
    )
    store = OracleStore(opened.books, budgets, settings.oracle_degraded_s)
    made = OracleActivities(store, make_search(settings), make_model(settings), bounds)
    return [
        *(made.list_oracle_assets, made.open_refresh, made.take_budget),
        *(made.search_web, made.analyse_sources, made.record_refresh),
    ]


def make_search(settings: WorkerSettings) -> WebSearch | None:
    """Serper, when there is a key for it."""
    key = settings.serper_api_key.get_secret_value()
    return Serper(key, settings.serper_base_url) if key else None


def make_model(settings: WorkerSettings) -> LanguageModel | None:
    """An OpenAI-compatible endpoint when one is named, else Hugging Face when there is a key for it."""
    if settings.openai_base_url:
        return OpenAiChat(settings.openai_base_url, settings.openai_api_key.get_secret_value(), settings.openai_model)
    key = settings.huggingface_api_key.get_secret_value()
    return HuggingFace(key, settings.huggingface_api_url) if key else None
