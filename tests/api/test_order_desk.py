"""Many orders at once: accepted together, each exactly once, whatever else fails."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from api.exchange.desk import OrderDesk
from domain.exchange.trading import Order
from domain.shared.errors import Unavailable
from storage.database import transaction
from storage.events import new_id
from storage.intents import orders
from storage.intents.idempotency import Claim
from storage.intents.orders import PATH, Ask
from tests.api.lab import Api, problem
from tests.api.market_lab import asset, engine, order, trader
from tests.patience import until


async def _count(api: Api, account_id: str) -> int:
    [row] = await api.rows("SELECT count(*)::int AS n FROM exchange.trades WHERE account_id = %s", account_id)
    return int(row["n"])


def _desk(api: Api) -> OrderDesk:
    desk: OrderDesk = api.app.state.desk
    return desk


def _ask(asset_id: str, account_id: str, key: str, *, asked: int = 1_000_000, body: bytes = b"b", **more: Any) -> Ask:
    claim = Claim(account_id, "POST", PATH, key, body.ljust(32))
    return Ask(claim, new_id(), asset_id, account_id, Order("buy", asked, **more), waits=False)


async def test_the_same_request_gets_the_same_answer(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    idem = secrets.token_hex(8)
    first = await order(api, key, asset_id, account_id, idem=idem, amount_usdc="1")
    again = await order(api, key, asset_id, account_id, idem=idem, amount_usdc="1")
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-hit"] == "true"
    other = await order(api, key, asset_id, account_id, idem=idem, amount_usdc="2")
    problem(other, 422, "idempotency_key_reused")
    assert await _count(api, account_id) == 1
    # another principal's key of the same name is another key
    operator = await order(api, "admin", asset_id, account_id, idem=idem, amount_usdc="1")
    assert operator.json()["id"] != first.json()["id"]


async def test_many_at_once_make_one(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    idem = secrets.token_hex(8)
    answers = await asyncio.gather(
        *(order(api, key, asset_id, account_id, idem=idem, amount_usdc="1") for _ in range(20)),
        *(order(api, key, asset_id, account_id, idem=idem, amount_usdc="2") for _ in range(20)),
    )
    won = [a for a in answers if a.status_code == 202]
    assert len({a.json()["id"] for a in won}) == 1
    assert len(won) == 20
    assert [a.headers.get("idempotency-hit") for a in won].count("true") == 19
    for lost in (a for a in answers if a.status_code != 202):
        problem(lost, 422, "idempotency_key_reused")
    assert await _count(api, account_id) == 1


async def test_two_processes_make_one(database: str) -> None:
    async with Api.open(database) as one, Api.open(database) as two:
        asset_id = await asset(one)
        account_id, key = await trader(one)
        idem = secrets.token_hex(8)
        answers = await asyncio.gather(
            *(order(api, key, asset_id, account_id, idem=idem, amount_usdc="1") for api in (one, two) for _ in range(9))
        )
        for answer in answers:
            if answer.status_code != 202:
                problem(answer, 409, "idempotency_in_flight")
        assert len({a.json()["id"] for a in answers if a.status_code == 202}) == 1
        assert await _count(one, account_id) == 1


async def test_every_order_of_a_crowd_is_accepted_once_and_in_order(fresh_api: Api) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api, 1_000)
    answers = await asyncio.gather(
        *(order(api, key, asset_id, account_id, amount_usdc=f"0.{n:03}") for n in range(1, 201))
    )
    assert {a.status_code for a in answers} == {202}
    rows = await api.rows("SELECT id, asked FROM exchange.trades ORDER BY seq")
    assert {r["asked"] for r in rows} == {1_000 * n for n in range(1, 201)}
    assert [r["id"] for r in rows] == sorted(r["id"] for r in rows), "ids are drawn as orders arrive"
    transactions = await api.rows("SELECT count(DISTINCT xmin::text)::int AS n FROM exchange.trades")
    assert transactions[0]["n"] < 100, "orders that arrive together share a commit"


async def test_a_refusal_is_repeated_too(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api, 1)
    idem = secrets.token_hex(8)
    answers = await asyncio.gather(
        *(order(api, key, asset_id, account_id, idem=idem, amount_usdc="5") for _ in range(5))
    )
    [decided] = [a for a in answers if "idempotency-hit" not in a.headers]
    first = problem(decided, 409, "insufficient_funds")
    await api.fund(account_id, 100_000_000)
    answers.append(await order(api, key, asset_id, account_id, idem=idem, amount_usdc="5"))
    assert all(a.json() == first for a in answers)
    assert [a.headers.get("idempotency-hit") for a in answers].count("true") == 5
    assert (await order(api, key, asset_id, account_id, amount_usdc="5")).status_code == 202


async def test_malformed_requests_and_unknown_assets_do_not_use_up_the_key(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    idem = secrets.token_hex(8)
    problem(await order(api, key, asset_id, account_id, idem=idem, amount_usdc="x"), 400, "validation_failed")
    problem(await order(api, key, new_id(), account_id, idem=idem, amount_usdc="1"), 404, "not_found")
    assert (await order(api, key, asset_id, account_id, idem=idem, amount_usdc="1")).status_code == 202


async def test_what_was_waited_for_is_repeated_whole(fresh_api: Api) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api)
    idem, late = secrets.token_hex(8), secrets.token_hex(8)
    waited = await order(api, key, asset_id, account_id, idem=late, wait=1, amount_usdc="2")
    assert waited.status_code == 202
    async with engine(api):
        first = await order(api, key, asset_id, account_id, idem=idem, wait=10, amount_usdc="1")
    assert (first.status_code, first.json()["status"]) == (200, "filled")
    for wait in (0, 5):
        again = await order(api, key, asset_id, account_id, idem=idem, wait=wait, amount_usdc="1")
        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["preference-applied"] == "wait"
        assert again.headers["idempotency-hit"] == "true"
    # the first client was told 202; so is whoever repeats it
    once_more = await order(api, key, asset_id, account_id, idem=late, wait=5, amount_usdc="2")
    assert (once_more.status_code, once_more.json()) == (202, waited.json())
    assert "preference-applied" not in once_more.headers


async def test_a_client_that_leaves_changes_nothing(fresh_api: Api) -> None:
    """Its order is accepted, and repeating the request tells what became of it."""
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api)
    idem = secrets.token_hex(8)
    task = asyncio.create_task(order(api, key, asset_id, account_id, idem=idem, wait=10, amount_usdc="1"))
    await until(lambda: _count(api, account_id))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await _count(api, account_id) == 1
    pending = await order(api, key, asset_id, account_id, idem=idem, wait=10, amount_usdc="1")
    assert (pending.status_code, pending.json()["status"]) == (202, "pending")
    async with engine(api):
        await order(api, key, asset_id, account_id, wait=10, amount_usdc="1")
    ended = await order(api, key, asset_id, account_id, idem=idem, wait=10, amount_usdc="1")
    assert (ended.status_code, ended.json()["status"]) == (200, "filled")
    assert await _count(api, account_id) == 2


async def test_a_client_that_leaves_at_once_leaves_nobody_hanging(api: Api) -> None:
    asset_id = await asset(api)
    account_id, _ = await trader(api)
    desk, first = _desk(api), _ask(asset_id, account_id, secrets.token_hex(8))
    one = asyncio.create_task(desk.place(first, 0, ""))
    two = asyncio.create_task(desk.place(first._replace(trade_id=new_id()), 0, ""))
    await asyncio.sleep(0)
    one.cancel()
    assert (await two).hit
    assert await _count(api, account_id) == 1


async def test_when_the_database_fails_everybody_may_come_again(
    fresh_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api)
    keys = [secrets.token_hex(8) for _ in range(10)]

    async def everybody() -> list[Any]:
        return await asyncio.gather(
            *(order(api, key, asset_id, account_id, idem=idem, wait=1, amount_usdc="1") for idem in keys)
        )

    await api.rows("ALTER TABLE exchange.trades RENAME TO away")
    with monkeypatch.context() as patch:
        patch.setattr(api.deps.writes, "timeout", 0.2)
        for answer in await everybody():
            problem(answer, 503, "database_unavailable")
            assert answer.headers["retry-after"]
    await api.rows("ALTER TABLE exchange.away RENAME TO trades")
    assert await api.rows("SELECT * FROM platform.idempotency_keys WHERE path = %s", PATH) == []
    assert await _count(api, account_id) == 0
    for answer in await everybody():
        assert answer.status_code == 202
    assert await _count(api, account_id) == 10


async def test_a_lost_connection_is_told_as_such(fresh_api: Api) -> None:
    """The sessions are ended by the server in the middle of the transaction."""
    api = fresh_api
    asset_id = await asset(api)
    account_id, _ = await trader(api)
    async with transaction(api.deps.writes) as blocker:
        await blocker.execute("LOCK TABLE exchange.trades IN ACCESS EXCLUSIVE MODE")
        asks = [_ask(asset_id, account_id, secrets.token_hex(8)) for _ in range(5)]
        tasks = [asyncio.create_task(_desk(api).place(ask, 0, "")) for ask in asks]

        async def end_who_waits() -> bool:
            await blocker.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'"""
            )
            return all(task.done() for task in tasks)

        await until(end_who_waits)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(o, Unavailable) and o.code == "database_unavailable" for o in outcomes)
    assert await _count(api, account_id) == 0
    assert [a.accepted for a in await asyncio.gather(*(_desk(api).place(ask, 0, "") for ask in asks))] == [True] * 5


async def test_one_order_that_cannot_be_written_fails_alone(fresh_api: Api) -> None:
    """Validation should not let such a one pass; if it does, those beside it are accepted all the same."""
    api = fresh_api
    asset_id = await asset(api)
    account_id, _ = await trader(api)
    asks = [_ask(asset_id, account_id, f"key-{n}") for n in range(9)]
    asks[4] = _ask(asset_id, account_id, "key-4", min_out=-1)
    outcomes = await asyncio.gather(*(_desk(api).place(ask, 0, "") for ask in asks), return_exceptions=True)
    assert [isinstance(o, Unavailable) for o in outcomes] == [n == 4 for n in range(9)]
    assert await _count(api, account_id) == 8
    kept = await api.rows("SELECT key FROM platform.idempotency_keys WHERE path = %s ORDER BY key", PATH)
    assert [k["key"] for k in kept] == [f"key-{n}" for n in range(9) if n != 4]


async def test_a_defect_leaves_nobody_waiting(fresh_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, _ = await trader(api)

    async def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    ask = _ask(asset_id, account_id, "key")
    with monkeypatch.context() as patch:
        patch.setattr(orders, "take", broken)
        with pytest.raises(Unavailable):
            await _desk(api).place(ask, 0, "")
    assert (await _desk(api).place(ask, 0, "")).accepted
