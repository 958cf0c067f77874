"""`/api/sync` with a real client against a real server: snapshots, numbered changes, resuming, who hears what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest_asyncio

from storage.accounts import add_account, add_key, new_key, open_session
from storage.database import transaction
from tests import launchpad_rows as rows
from tests.api.sync_stage import Stage, Told, staged
from tests.launchpad_rows import SOL


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Stage]:
    async with staged(await new_database()) as opened:
        yield opened


def chained(told: list[Told], start: str) -> None:
    """Each delta comes after what was told before it."""
    for delta in told:
        assert (delta["op"], delta["after"]) == ("delta", start), delta
        start = delta["seq"]


async def test_a_project_is_followed_without_a_key(stage: Stage) -> None:
    row, other = await stage.project(), await stage.project()
    async with stage.client() as client:
        snapshot = await client.follow("project", row.project_id)
        assert snapshot["op"] == "snapshot"
        assert (snapshot["state"]["sold"], snapshot["state"]["investors"]) == ("0", 0)
        deltas = []
        for number in range(1, 4):
            await stage.buy(other)
            tokens = await stage.buy(row)
            deltas.append(await client.next())
            (event,) = deltas[-1]["events"]
            assert (event["type"], event["payload"]["tokens"]) == ("sale_traded", str(tokens))
            assert deltas[-1]["state"]["investors"] == number
            assert "hard_cap_sol" not in deltas[-1]["state"], "only what changed is told"
        chained(deltas, snapshot["seq"])


async def test_what_changes_often_is_told_together_and_nothing_is_left_out(database: str) -> None:
    """The first change is told at once, the rest of them once the ceiling is over: by their numbers, in one delta."""
    async with staged(database, LAUNCHPAD_SYNC_PROJECT_S="3") as slow:
        row = await slow.project()
        async with slow.client() as client:
            snapshot = await client.follow("project", row.project_id)
            bought = [await slow.buy(row) for _ in range(5)]
            told = [await client.next()]
            while sum(len(delta["events"]) for delta in told) < 5:
                told.append(await client.next())
            chained(told, snapshot["seq"])
            assert len(told) == 1
            events = [event for delta in told for event in delta["events"]]
            assert [int(event["payload"]["tokens"]) for event in events] == bought
            assert told[-1]["state"]["investors"] == 5
            assert told[-1]["seq"] == events[-1]["id"]


async def test_a_client_resumes_over_a_restart_of_the_server(database: str) -> None:
    async with staged(database) as first:
        row = await first.project()
        async with first.client() as client:
            snapshot = await client.follow("project", row.project_id)
            await first.buy(row)
            known = await client.next()
            chained([known], snapshot["seq"])
        await first.server.stop()
        async with transaction(first.pool) as connection:
            away = [await rows.trade(connection, row, rows.wallet(), SOL) for _ in range(3)]
    async with staged(database) as second, second.client() as client:
        resumed = await client.follow("project", row.project_id, seq=known["seq"])
        assert (resumed["op"], resumed["seq"]) == ("resumed", known["seq"])
        delta = await client.next()
        chained([delta], known["seq"])
        assert [int(event["payload"]["tokens"]) for event in delta["events"]] == away
        assert (delta["state"]["investors"], delta["state"]["hard_cap_sol"]) == (4, "50"), "the state comes whole"
        live = await second.buy(row)
        following = await client.next()
        chained([following], delta["seq"])
        assert following["events"][0]["payload"]["tokens"] == str(live)


async def test_figures_that_changed_while_away_are_told_without_an_event(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client:
        await client.follow("project", row.project_id)
        await stage.buy(row)
        known = await client.next()
    async with transaction(stage.pool) as connection:
        await connection.execute("UPDATE launchpad.sales SET pool_address = 'there' WHERE id = %s", [row.sale_id])
    async with stage.client() as client:
        resumed = await client.follow("project", row.project_id, seq=known["seq"])
        assert resumed["op"] == "resumed"
        delta = await client.next()
        assert (delta["events"], delta["state"]["pool_address"]) == ([], "there")


async def test_whoever_cannot_go_on_begins_anew(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client:
        for seq in ("999999999999-7", "1-7"):
            begun = await client.follow("project", row.project_id, seq=seq)
            assert (begun["op"], begun["reset"]) == ("snapshot", True)
        assert (await client.follow("project", row.project_id, seq="x"))["code"] == "validation_failed"


async def test_a_late_commit_is_told(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client, await psycopg.AsyncConnection.connect(stage.dsn) as early:
        await client.follow("project", row.project_id)
        payload = json.dumps({"project_id": row.project_id, "n": 1})
        await early.execute(
            "INSERT INTO platform.outbox (topic, type, payload) VALUES ('launchpad', 'said', %s)", [payload]
        )
        await stage.buy(row)
        await asyncio.sleep(0.3)
        await early.commit()
        told = [await client.next()]
        while len([event for delta in told for event in delta["events"]]) < 2:
            told.append(await client.next())
        assert [event["type"] for delta in told for event in delta["events"]] == ["said", "sale_traded"]


async def test_a_wallet_is_for_whoever_is_signed_in(stage: Stage) -> None:
    row, root, buyer = await stage.project(), rows.wallet(), rows.wallet()
    async with stage.client() as nobody:
        assert (await nobody.follow("referral", root))["code"] == "unauthorized"
    key = new_key()
    async with transaction(stage.pool) as connection:
        trader = await add_account(connection, principal="t", name="t", role="trader", email=None, password_hash=None)
        await add_key(connection, principal="t", account_id=trader, api_key=key, scopes=["exchange:read"])
    async with stage.client(key) as stranger:
        assert (await stranger.follow("referral", root))["code"] == "forbidden"
        assert (await stranger.follow("project", row.project_id))["op"] == "snapshot"
    async with stage.client(stage.admin) as client:
        snapshot = await client.follow("referral", root)
        assert snapshot["state"]["earned_sol"] == "0"
        await stage.buy(row, rows.wallet())
        await stage.buy(row, buyer, (root,))
        delta = await client.next()
        chained([delta], snapshot["seq"])
        assert (delta["state"]["earned_sol"], delta["state"]["tree"][0]["wallet"]) == ("0.001", buyer)
        assert delta["events"][0]["payload"]["wallet"] == buyer
    async with stage.client("hf_wrong") as wrong:
        assert (await wrong.next())["code"] == "unauthorized"
        assert await wrong.closed() == 4401


async def test_a_session_counts_only_for_pages_of_our_own(stage: Stage) -> None:
    token, _, _ = await open_session(stage.pool, stage.admin_id, 1)
    cookie = {"Cookie": f"hf_session={token}"}
    async with stage.client(**cookie, Origin=stage.server.url) as own:
        assert (await own.follow("referral", rows.wallet()))["op"] == "snapshot"
    async with stage.client(**cookie, Origin="https://evil.example") as other:
        assert (await other.follow("referral", rows.wallet()))["code"] == "unauthorized"
        assert (await other.follow("tax-stats"))["op"] == "snapshot"


async def test_taxes_of_every_sale_are_followed(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client:
        snapshot = await client.follow("tax-stats")
        await stage.buy(row)
        delta = await client.next()
        chained([delta], snapshot["seq"])
        assert list(delta["state"]) == ["escrow_sol"]


async def test_what_is_booked_a_moment_after_its_event_is_told_too(stage: Stage) -> None:
    """Counters are read off the chain after the events: the state is looked at once more."""
    row = await stage.project()
    async with stage.client() as client:
        snapshot = await client.follow("project", row.project_id)
        await stage.buy(row)
        delta = await client.next()
        async with transaction(stage.pool) as connection:
            await connection.execute("UPDATE launchpad.sales SET read_slot = 4711 WHERE id = %s", [row.sale_id])
        late = await client.next()
        chained([delta, late], snapshot["seq"])
        assert (late["events"], late["seq"], late["state"]) == ([], delta["seq"], {"read_slot": 4711})
