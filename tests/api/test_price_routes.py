"""Prices and halts over HTTP."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from storage.events import new_id
from tests.api.lab import Api, problem
from tests.world.assets import funded_asset

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def tick(api: Api, asset_id: str, at: datetime, price: int, volume: int = 0) -> None:
    """A tick as the engine writes it: display `price`, market a tenth above."""
    market = price * 11 // 10
    await api.rows(
        """INSERT INTO exchange.price_ticks (asset_id, cause, display_micros, market_micros, market_low_micros,
             market_high_micros, volume_micros, fundamental_pico, weight_bps, volume_5m_micros, ticked_at)
           VALUES (%s, 'trade', %s, %s, %s, %s, %s, 1000000000000, 5000, %s, %s)""",
        asset_id, price, market, market - 1, market + 1, volume, volume, at,
    )  # fmt: skip


def ticks_of(asset_id: str, **query: Any) -> str:
    names = {key.rstrip("_"): value for key, value in query.items()}
    text = "&".join(f"{key}={value}" for key, value in names.items())
    return f"/api/exchange/assets/{asset_id}/ticks" + (f"?{text}" if text else "")


@pytest_asyncio.fixture(loop_scope="session")
async def asset(api: Api) -> str:
    """Twelve ticks, twenty seconds apart, of rising price: four minutes."""
    asset_id = await funded_asset(api.deps.database_url)
    for number in range(12):
        await tick(api, asset_id, START + timedelta(seconds=20 * number), 1_000_000 + number * 100_000, 10_000_000)
    return asset_id


async def test_ticks_come_newest_first_page_by_page(api: Api, asset: str) -> None:
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        found = await api.get(ticks_of(asset, limit=5) + (f"&cursor={cursor}" if cursor else ""))
        assert found.status_code == 200, found.text
        seen += found.json()["items"]
        cursor = found.json()["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 12
    times = [item["ticked_at"] for item in seen]
    assert times == sorted(times, reverse=True)
    assert seen[-1] == {
        "id": seen[-1]["id"],
        "asset_id": asset,
        "ticked_at": "2026-11-20T12:00:00.000000Z",
        "cause": "trade",
        "display_price_usdc": "1",
        "market_price_usdc": "1.1",
        "market_low_usdc": "1.099999",
        "market_high_usdc": "1.100001",
        "volume_usdc": "10",
        "volume_5m_usdc": "10",
        "weight_bps": 5000,
        "fundamental_price_usdc": "1",
    }


async def test_ticks_from_and_to_bound_the_time(api: Api, asset: str) -> None:
    found = await api.get(ticks_of(asset, from_="2026-11-20T12:01:00Z", to="2026-11-20T12:02:00Z"))
    assert [item["ticked_at"][14:19] for item in found.json()["items"]] == ["01:40", "01:20", "01:00"]
    naive = await api.get(ticks_of(asset, from_="2026-11-20T12:01:00"))
    problem(naive, 400, "validation_failed")
    assert (await api.get(ticks_of(asset, interval="2m"))).status_code == 400
    problem(await api.get(ticks_of(new_id())), 404, "not_found")
    problem(await api.get(ticks_of(new_id(), interval="1m")), 404, "not_found")


async def test_candles_are_computed_per_interval(api: Api, asset: str) -> None:
    found = await api.get(ticks_of(asset, interval="1m"))
    items = found.json()["items"]
    assert [item["start"] for item in items] == [f"2026-11-20T12:0{m}:00.000000Z" for m in (3, 2, 1, 0)]
    assert items[-1] == {
        "start": "2026-11-20T12:00:00.000000Z",
        "display_open_usdc": "1",
        "display_high_usdc": "1.2",
        "display_low_usdc": "1",
        "display_close_usdc": "1.2",
        "market_open_usdc": "1.1",
        "market_high_usdc": "1.320001",
        "market_low_usdc": "1.099999",
        "market_close_usdc": "1.32",
        "volume_usdc": "30",
        "ticks": 3,
    }
    assert found.json()["next_cursor"] is None
    (hour,) = (await api.get(ticks_of(asset, interval="1h"))).json()["items"]
    assert (hour["start"], hour["ticks"], hour["volume_usdc"]) == ("2026-11-20T12:00:00.000000Z", 12, "120")
    assert (hour["display_open_usdc"], hour["display_close_usdc"]) == ("1", "2.1")
    (part,) = (await api.get(ticks_of(asset, interval="5m", from_="2026-11-20T12:01:10Z", to="2026-11-20T12:02:10Z"))
               ).json()["items"]  # fmt: skip
    assert part["ticks"] == 3


async def test_candles_page_through_time_and_skip_what_has_none(api: Api, asset: str) -> None:
    await tick(api, asset, START - timedelta(days=3), 500_000)
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        found = await api.get(ticks_of(asset, interval="1m", limit=3) + (f"&cursor={cursor}" if cursor else ""))
        assert found.json()["items"], "no page is empty"
        seen += [item["start"] for item in found.json()["items"]]
        cursor = found.json()["next_cursor"]
        if cursor is None:
            break
    assert [start[5:16] for start in seen] == [
        "11-20T12:03", "11-20T12:02", "11-20T12:01", "11-20T12:00", "11-17T12:00",
    ]  # fmt: skip


@pytest.mark.parametrize("interval", [{}, {"interval": "1d"}, {"interval": "1m"}])
@pytest.mark.parametrize(
    ("begin", "end", "some"),
    [
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", True),
        ("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00", True),
        ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", False),
        ("1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z", False),
    ],
)
async def test_any_time_may_be_asked_for(
    api: Api, asset: str, interval: dict[str, str], begin: str, end: str, some: bool
) -> None:
    found = await api.get(ticks_of(asset, from_=begin, to=end, **interval))
    assert found.status_code == 200, found.text
    assert bool(found.json()["items"]) is some


async def test_candles_add_up_to_the_ticks(api: Api, asset: str) -> None:
    """EX-134: the chart shows what the ticks say, whatever the interval."""
    for interval in ("1m", "5m", "15m", "1h", "4h", "1d"):
        items = (await api.get(ticks_of(asset, interval=interval, from_="2026-11-20T00:00:00Z"))).json()["items"]
        assert sum(item["ticks"] for item in items) == 12
        assert sum(int(item["volume_usdc"]) for item in items) == 120
        assert max(item["display_high_usdc"] for item in items) == "2.1"


async def test_prices_as_csv(api: Api, asset: str) -> None:
    for query, column in (({}, "display_price_usdc"), ({"interval": "1m"}, "display_close_usdc")):
        found = await api.get(ticks_of(asset, **query), Accept="text/csv")
        rows = list(csv.DictReader(io.StringIO(found.text)))
        assert rows[-1][column] in ("1", "1.2")
