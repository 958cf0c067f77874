"""Oracle signals over HTTP: the list, one with its provenance, asking for a fresh one."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime

from domain.exchange.oracle import Found, Signal, sources_from
from domain.exchange.oracle_messages import Attempt, RecordRefresh
from storage.books import Books
from storage.events import new_id
from storage.exchange.oracle import OracleStore
from tests.api.lab import Api, problem
from tests.world.assets import funded_asset

SOURCES = sources_from([[Found(title=f"t{n}", url=f"https://s{n}.example.com/x", snippet="s") for n in range(3)]])


async def signal_for(api: Api, asset_id: str, *, good: bool = True) -> str:
    """A row as the worker writes it."""
    signal = Signal(
        delta_bps=700, applied_bps=500, confidence_bps=8_500, summary="Good news.", cited=(1, 2),
        source_urls=tuple(s.url for s in SOURCES[:2]),
    )  # fmt: skip
    signal_id = new_id()
    attempt = Attempt(number=1, model="m", answer="{…}", prompt_sha256="ab", reason="" if good else "not_json")
    command = RecordRefresh(
        asset_id=asset_id,
        operation_id=None,
        signal_id=signal_id,
        workflow_id=f"oracle:{asset_id}:x",
        now=datetime.now(UTC),
        queries=("q",),
        sources=SOURCES,
        attempts=(attempt,),
        signal=signal if good else None,
    )
    await OracleStore(Books(api.deps.writes), {}, 3_600).record(command)
    return signal_id


async def test_signals_are_listed_with_their_links_newest_first(api: Api) -> None:
    asset = await funded_asset(api.deps.database_url)
    names = [await signal_for(api, asset, good=good) for good in (True, False, True)]
    _, key = await api.account()
    first = (await api.get(f"/api/exchange/assets/{asset}/signals?limit=2", key)).json()
    assert [item["id"] for item in first["items"]] == names[:0:-1]
    rest = (await api.get(f"/api/exchange/assets/{asset}/signals?limit=2&cursor={first['next_cursor']}", key)).json()
    (oldest,) = rest["items"]
    assert (oldest["status"], oldest["delta_bps"], oldest["applied_bps"]) == ("accepted", 700, 500)
    assert (oldest["delta_percent"], oldest["confidence_bps"], oldest["model"]) == ("5", 8_500, "m")
    assert oldest["source_urls"] == [s.url for s in SOURCES[:2]]
    failed = (await api.get(f"/api/exchange/assets/{asset}/signals?status=failed", key)).json()["items"]
    assert [(item["reason"], item["delta_percent"]) for item in failed] == [("not_json", None)]
    table = await api.get(f"/api/exchange/assets/{asset}/signals", key, accept="text/csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.count("\n") == 4


async def test_one_signal_shows_what_led_to_it(api: Api) -> None:
    asset, other = await funded_asset(api.deps.database_url), await funded_asset(api.deps.database_url)
    name = await signal_for(api, asset)
    found = (await api.get(f"/api/exchange/assets/{asset}/signals/{name}")).json()
    assert found["provenance"]["queries"] == ["q"]
    assert found["provenance"]["attempts"][0]["answer"] == "{…}"
    assert [s["number"] for s in found["provenance"]["sources"]] == [1, 2, 3]
    problem(await api.get(f"/api/exchange/assets/{other}/signals/{name}"), 404, "not_found")


async def test_an_unknown_asset_has_no_signals(api: Api) -> None:
    problem(await api.get(f"/api/exchange/assets/{new_id()}/signals"), 404, "not_found")


async def test_an_operator_asks_for_a_fresh_signal_once_per_key(api: Api) -> None:
    asset = await funded_asset(api.deps.database_url)
    path, key = f"/api/exchange/assets/{asset}/refresh-signal", secrets.token_hex(8)
    problem(await api.post(path), 400, "idempotency_key_required")
    answers = [await api.post(path, Idempotency_Key=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    operation = (await api.get(answers[0].headers["location"])).json()
    assert (operation["kind"], operation["status"]) == ("oracle_refresh", "running")
    assert [step["name"] for step in operation["steps"]] == ["search", "analysis", "record"]
    (row,) = await api.rows("SELECT * FROM platform.operations WHERE subject_id = %s", asset)
    assert row["workflow_id"].startswith(f"oracle:{asset}:asked-")
    assert json.loads(answers[0].content)["operation_id"] == str(row["id"])


async def test_only_staff_ask_and_only_about_assets_that_trade(api: Api) -> None:
    _, key = await api.account()
    asset = await funded_asset(api.deps.database_url)
    named = {"Idempotency_Key": secrets.token_hex(8)}
    problem(await api.post(f"/api/exchange/assets/{asset}/refresh-signal", None, key, **named), 403, "forbidden")
    for status, code in (
        ("funding", "asset_not_active"),
        ("cancelled", "asset_not_active"),
        ("halted", "asset_halted"),
    ):
        asset = await funded_asset(api.deps.database_url, status=status)
        named = {"Idempotency_Key": secrets.token_hex(8)}
        problem(await api.post(f"/api/exchange/assets/{asset}/refresh-signal", **named), 409, code)
        assert await api.rows("SELECT id FROM platform.operations WHERE subject_id = %s", asset) == []
