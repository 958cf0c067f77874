"""Budgets under concurrency, the row written once, pages of assets, and what the settings wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from composition.oracle import make_model, make_search
from domain.exchange.oracle_messages import Attempt, RecordRefresh, RoundPage, TakeBudget
from gateways.llm import HuggingFace, OpenAiChat
from settings import WorkerSettings
from storage.events import new_id
from tests.oracle_lab import OracleLab, open_oracle_lab

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[OracleLab]:
    async with open_oracle_lab(database) as opened:
        yield opened


def asked(calls: int = 1, now: datetime = NOON) -> TakeBudget:
    return TakeBudget(resource="searches", calls=calls, now=now)


async def test_a_budget_is_never_passed_by_calls_at_the_same_time(lab: OracleLab) -> None:
    lab.budgets["searches"] = 7
    store = lab.store()
    taken = await asyncio.gather(*(store.take_budget(asked()) for _ in range(20)))
    assert sum(one.granted for one in taken) == 7
    (alert,) = await lab.alerts("budget:searches")
    assert alert["times"] == 1
    assert "7 searches of 2026-11-21 are used up" in alert["detail"]


async def test_a_budget_is_taken_whole_or_not_and_a_new_day_begins_at_midnight_utc(lab: OracleLab) -> None:
    lab.budgets["searches"] = 4
    store = lab.store()
    assert (await store.take_budget(asked(3))).granted
    assert not (await store.take_budget(asked(3))).granted
    assert not (await store.take_budget(asked(1))).granted, "the first refusal closes the day"
    midnight = NOON + timedelta(hours=12)
    assert not (await store.take_budget(asked(1, midnight - timedelta(seconds=1)))).granted
    assert (await store.take_budget(asked(1, midnight))).granted
    assert await lab.alerts("budget:searches") == []


async def test_a_budget_of_nothing_grants_nothing(lab: OracleLab) -> None:
    lab.budgets["searches"] = 0
    assert not (await lab.store().take_budget(asked())).granted


async def test_a_raised_budget_counts_at_once(lab: OracleLab) -> None:
    lab.budgets["searches"] = 1
    assert (await lab.store().take_budget(asked())).granted
    assert not (await lab.store().take_budget(asked())).granted
    lab.budgets["searches"] = 5
    assert (await lab.store().take_budget(asked())).granted
    assert await lab.alerts("budget:searches") == []


async def test_an_outcome_recorded_twice_is_one_row_and_one_alert(lab: OracleLab) -> None:
    asset = await lab.asset()
    attempts = (Attempt(number=1, stage="validation", reason="not_json"),)
    command = RecordRefresh(
        asset_id=asset, operation_id=None, signal_id=new_id(), workflow_id="w", now=NOON, attempts=attempts
    )
    first, second = [await lab.store().record(command) for _ in range(2)]
    assert (first.status, second.status) == ("failed", "failed")
    assert len(await lab.signals(asset)) == 1
    (alert,) = await lab.alerts(asset)
    assert alert["times"] == 1
    assert await lab.degraded_until(asset) == NOON + timedelta(hours=1)


async def test_assets_come_in_pages_and_only_active_ones(lab: OracleLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.exchange.oracle.PAGE", 2)
    active = sorted([await lab.asset(symbol) for symbol in ("A", "B", "C")])
    for status in ("funding", "halted", "cancelled"):
        await lab.asset(status[:3].upper(), status=status)
    first = await lab.store().assets(RoundPage())
    second = await lab.store().assets(RoundPage(after=first.asset_ids[-1]))
    assert (first.more, second.more) == (True, False)
    assert [*first.asset_ids, *second.asset_ids] == active


def settings(**given: str) -> WorkerSettings:
    needed = {"database_url": "postgresql://x", "arbitrum_rpc_url": "http://x", "usdc_contract_address": "0x0",
              "deposit_xpub": "x", "hot_wallet_address": "0x1", "gas_wallet_address": "0x2"}  # fmt: skip
    return WorkerSettings(**{**needed, **given})  # type: ignore[arg-type]


def test_the_settings_choose_search_and_model() -> None:
    none = settings()
    assert (make_search(none), make_model(none)) == (None, None)
    search = make_search(settings(serper_api_key="k"))
    assert search is not None
    assert search.provider == "serper (google.serper.dev)"
    both = {"openai_base_url": "https://models.example/v1", "huggingface_api_key": "h"}
    assert isinstance(make_model(settings(**both)), OpenAiChat)
    assert isinstance(make_model(settings(huggingface_api_key="h")), HuggingFace)
