"""Statements: opening + lines = closing, whatever the period, and the closing of now is the balance."""

from __future__ import annotations

import asyncio
import csv
import io
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from domain.shared.ledger import WORLD, Transfer, available, hold, move, void
from domain.shared.money import USDC
from storage.books import Books
from storage.events import new_id
from storage.reads import statements
from tests.api.lab import Api, problem

BUCKETS = ("available", "held")


async def busy(api: Api) -> tuple[str, str, str]:
    """An account with a deposit, a hold given back, one that stands, and shares. Returns id, key, asset."""
    account_id, key = await api.account()
    asset = new_id()
    await api.fund(account_id, 100_000_001)
    async with Books(api.deps.writes).begin() as book:
        await book.book(hold(f"a:{account_id}", "test_hold", account_id, USDC, 30_000_000))
    async with Books(api.deps.writes).begin() as book:
        await book.book(void(f"a:{account_id}", "test_void", account_id, USDC, 30_000_000))
        await book.book(hold(f"b:{account_id}", "test_hold", account_id, USDC, 7_500_000))
    async with Books(api.deps.writes).begin() as book:
        postings = move(asset, 3, WORLD, available(account_id))
        await book.book(Transfer(key=f"s:{account_id}", kind="test", postings=postings))
    await api.fund(account_id, 2)
    return account_id, key, asset


def check(body: dict[str, Any]) -> None:
    """Exactly, in decimals."""
    for bucket in BUCKETS:
        moved = sum(Decimal(line["amount"]) for line in body["lines"] if line["bucket"] == bucket)
        assert Decimal(body["opening"][bucket]) + moved == Decimal(body["closing"][bucket]), bucket
    for end in ("opening", "closing"):
        assert Decimal(body[end]["total"]) == sum(Decimal(body[end][bucket]) for bucket in BUCKETS)


async def statement(api: Api, account_id: str, key: str, **query: str) -> dict[str, Any]:
    asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    answer = await api.get(f"/api/accounts/{account_id}/statement?{asked}", key)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    check(body)
    return body


async def test_a_statement_of_everything_ends_with_the_balance(api: Api) -> None:
    account_id, key, asset = await busy(api)
    body = await statement(api, account_id, key)
    assert (body["account_id"], body["asset"], body["from"], body["to"]) == (account_id, "USDC", None, None)
    assert body["opening"] == {"available": "0", "held": "0", "total": "0"}
    assert body["closing"] == {"available": "92.500003", "held": "7.5", "total": "100.000003"}
    balances = (await api.get(f"/api/accounts/{account_id}/balances", key)).json()["items"]
    (usdc,) = [item for item in balances if item["asset"] == "USDC"]
    assert {name: usdc[name] for name in BUCKETS} == {name: body["closing"][name] for name in BUCKETS}
    listed = (await api.get(f"/api/accounts/{account_id}/ledger?limit=200", key)).json()["items"]
    assert body["lines"] == [line for line in reversed(listed) if line["asset"] == "USDC"]
    shares = await statement(api, account_id, key, asset=asset)
    assert shares["closing"]["total"] == "0.000000000000000003"
    assert len(shares["lines"]) == 1


async def test_any_cut_of_time_adds_up(api: Api) -> None:
    """Every statement ends where the next one begins."""
    account_id, key, _ = await busy(api)
    whole = await statement(api, account_id, key)
    cuts = sorted({line["created_at"] for line in whole["lines"]})
    assert len(cuts) >= 4
    for cut in cuts:
        before = await statement(api, account_id, key, to=cut)
        after = await statement(api, account_id, key, **{"from": cut})
        assert before["closing"] == after["opening"]
        assert before["lines"] + after["lines"] == whole["lines"]
        assert after["closing"] == whole["closing"]
    between = await statement(api, account_id, key, **{"from": cuts[1], "to": cuts[2]})
    assert {line["created_at"] for line in between["lines"]} == {cuts[1]}
    nothing = await statement(api, account_id, key, **{"from": "2000-01-01T00:00:00Z", "to": "2000-01-02T00:00:00Z"})
    assert (nothing["lines"], nothing["closing"]["total"]) == ([], "0")
    ever = {"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-12:00"}
    assert (await statement(api, account_id, key, **ever))["lines"] == whole["lines"]


async def test_it_adds_up_while_money_moves(api: Api) -> None:
    account_id, key, _ = await busy(api)

    async def move_on() -> None:
        for _ in range(10):
            await api.fund(account_id, 1)

    moving = [asyncio.ensure_future(move_on()) for _ in range(3)]
    while not all(task.done() for task in moving):
        await statement(api, account_id, key)
    await asyncio.gather(*moving)
    assert (await statement(api, account_id, key))["closing"]["total"] == "100.000033"


async def test_a_statement_as_csv(api: Api) -> None:
    account_id, key, _ = await busy(api)
    body = await statement(api, account_id, key)
    answer = await api.get(f"/api/accounts/{account_id}/statement", key, Accept="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="statement.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["kind"] for row in rows[:2] + rows[-2:]] == ["opening", "opening", "closing", "closing"]
    assert [row["id"] for row in rows[2:-2]] == [line["id"] for line in body["lines"]]
    for bucket in BUCKETS:
        amounts = [Decimal(row["amount"]) for row in rows if row["bucket"] == bucket]
        assert sum(amounts[:-1]) == amounts[-1]
        assert rows[-2 if bucket == "available" else -1]["amount"] == body["closing"][bucket]
    problem(await api.get(f"/api/accounts/{account_id}/statement", key, Accept="image/png"), 406, "not_acceptable")


async def test_bad_questions_and_other_peoples_accounts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id, key, _ = await busy(api)
    _, other = await api.account()
    path = f"/api/accounts/{account_id}/statement"
    problem(await api.get(path, other), 404, "not_found")
    problem(await api.get(f"/api/accounts/{uuid4()}/statement"), 404, "not_found")
    problem(await api.get(path, None), 401, "unauthorized")
    for query in ("asset=EUR", "from=yesterday", "from=2026-01-01T00:00:00", "to=2026-01-01T00:00:00",
                  "from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z", "from=1767312000",
                  "to=0.5", "to=2026-01-01"):  # fmt: skip
        problem(await api.get(f"{path}?{query}", key), 400, "validation_failed")
    monkeypatch.setattr(statements, "LINES_MAX", 2)
    refused = problem(await api.get(path, key), 400, "validation_failed")
    assert "shorter" in refused["detail"]
