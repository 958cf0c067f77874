"""Holds against a real Postgres: spent or given back, exactly once and exactly as much as was held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.shared.errors import Broken
from domain.shared.ledger import Transfer, available, held, hold, move, post, void
from domain.shared.money import USDC
from storage.events import new_id
from tests.books_desk import Desk, open_desk


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: str) -> AsyncIterator[Desk]:
    async with open_desk(database) as opened:
        yield opened


def spent(user: str, amount: int, to: str = "platform:fees") -> Transfer:
    return post("hold", "test", move(USDC, amount, held(user), to))


async def a_hold(desk: Desk, amount: int = 4) -> str:
    user = new_id()
    await desk.fund(user, 10)
    await desk.book(hold("hold", "test", user, USDC, amount))
    assert (await desk.balance(available(user)), await desk.balance(held(user))) == (10 - amount, amount)
    return user


async def test_a_hold_is_spent_or_given_back(desk: Desk) -> None:
    user = await a_hold(desk)
    await desk.book(void("hold", "test", user, USDC, 4))
    assert (await desk.balance(available(user)), await desk.balance(held(user))) == (10, 0)


@pytest.mark.parametrize("first", ["post", "void"])
async def test_a_hold_resolved_in_another_way_stops_the_work(desk: Desk, first: str) -> None:
    user = await a_hold(desk)
    ways = {"post": spent(user, 4), "void": void("hold", "test", user, USDC, 4)}
    await desk.fund(new_id(), 1)
    await desk.book(ways.pop(first))
    before = await desk.everything()
    [other] = ways.values()
    with pytest.raises(Broken) as broken:
        await desk.book(other)
    assert broken.value.code == "ledger_mismatch"
    assert await desk.everything() == before


async def test_a_hold_resolved_in_the_same_way_again_is_a_replay(desk: Desk) -> None:
    user = await a_hold(desk)
    assert await desk.book(spent(user, 4)) == [False]
    assert await desk.book(spent(user, 4)) == [True]


async def test_post_and_void_of_one_hold_at_once(desk: Desk) -> None:
    """From two connections, ten holds: one way wins each, the other is told, and the hold is spent once."""
    for round_ in range(10):
        user = new_id()
        await desk.fund(user, 10)
        name = f"hold:{round_}"
        await desk.book(hold(name, "test", user, USDC, 4))
        answers = await asyncio.gather(
            desk.book(post(name, "test", move(USDC, 4, held(user), "platform:fees"))),
            desk.book(void(name, "test", user, USDC, 4)),
            return_exceptions=True,
        )
        assert sorted(a.code if isinstance(a, Broken) else str(a) for a in answers) == ["[False]", "ledger_mismatch"]
        assert await desk.balance(held(user)) == 0


@pytest.mark.parametrize("amount", [3, 5])
async def test_a_post_takes_exactly_what_was_held(desk: Desk, amount: int) -> None:
    user = await a_hold(desk)
    await desk.book(hold("beside", "test", user, USDC, 2))
    with pytest.raises(Broken) as broken:
        await desk.book(spent(user, amount))
    assert broken.value.code == "ledger_mismatch"
    assert await desk.balance(held(user)) == 6


async def test_a_hold_cannot_be_paid_from_another_account(desk: Desk) -> None:
    user = await a_hold(desk)
    other = new_id()
    await desk.fund(other, 10)
    await desk.book(hold("other", "test", other, USDC, 4))
    with pytest.raises(Broken) as broken:
        await desk.book(spent(other, 4))
    assert broken.value.code == "ledger_mismatch"
    assert (await desk.balance(held(user)), await desk.balance(held(other))) == (4, 4)


async def test_only_a_hold_can_be_resolved(desk: Desk) -> None:
    user = await a_hold(desk)
    plain = await desk.fund(user, 10)
    with pytest.raises(Broken) as broken:
        await desk.book(post(plain.key, "test", move(USDC, 4, held(user), "platform:fees")))
    assert broken.value.code == "ledger_mismatch"


async def test_a_hold_that_was_never_placed_cannot_be_resolved(desk: Desk) -> None:
    user = await a_hold(desk)
    with pytest.raises(Broken) as broken:
        await desk.book(post("unknown", "test", move(USDC, 4, held(user), "platform:fees")))
    assert broken.value.code == "ledger_mismatch"
