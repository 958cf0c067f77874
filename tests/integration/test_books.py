"""The books against a real Postgres: what no writer gets around, whichever way it tries."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from domain.shared.errors import Broken, Rejected
from domain.shared.ledger import Posting, Transfer, available, move
from domain.shared.money import USDC
from storage.events import new_id
from tests.books_desk import POOL, Desk, open_desk, pay


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: str) -> AsyncIterator[Desk]:
    async with open_desk(database) as opened:
        yield opened


# --- what is written stays -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["transfers", "postings", "audit_log"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_history_is_only_appended_to(desk: Desk, table: str, statement: str) -> None:
    await desk.fund(new_id(), 5)
    await desk.sql("INSERT INTO platform.audit_log (principal, action, subject) VALUES ('p', 'a', 's')")
    column = "amount" if table == "postings" else "created_at"
    before = await desk.sql(f"SELECT * FROM platform.{table} ORDER BY id")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        await desk.sql(statement.format(f"platform.{table}", column, column))
    assert await desk.sql(f"SELECT * FROM platform.{table} ORDER BY id") == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO platform.balances VALUES ('world', 'USDC', 5)",
        "UPDATE platform.balances SET balance = balance + 1",
        "UPDATE platform.balances SET balance = balance WHERE false",
        "INSERT INTO platform.balances VALUES ('world', 'USDC', 5) ON CONFLICT DO NOTHING",
        "DELETE FROM platform.balances",
        "TRUNCATE platform.balances",
    ],
)
async def test_balances_are_never_written_by_hand(desk: Desk, statement: str) -> None:
    user = new_id()
    await desk.fund(user, 5)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never written by hand"):
        await desk.sql(statement)
    assert await desk.balance(available(user)) == 5


INSERT_TRANSFER = "INSERT INTO platform.transfers (key, kind, phase) VALUES (%s, 'test', 'single') RETURNING id"
INSERT_LINE = "INSERT INTO platform.postings (transfer_id, account, unit, amount) VALUES (%s, %s, %s, %s)"


async def test_a_transfer_without_lines_is_refused_at_commit(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="has no postings"):
        await desk.sql(INSERT_TRANSFER, "empty")
    assert await desk.sql("SELECT 1 FROM platform.transfers") == []


async def test_lines_that_do_not_sum_to_zero_are_refused(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="sum to zero"):
        await desk.sql(
            """WITH t AS (INSERT INTO platform.transfers (key, kind, phase) VALUES ('k', 'test', 'single') RETURNING id)
               INSERT INTO platform.postings (transfer_id, account, unit, amount)
               SELECT t.id, l.account, 'USDC', l.amount
               FROM t, (VALUES ('world', -5), ('platform:fees', 4)) AS l(account, amount)"""
        )
    assert await desk.sql("SELECT 1 FROM platform.postings") == []


async def test_units_do_not_pay_for_each_other(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="sum to zero"):
        await desk.sql(
            """WITH t AS (INSERT INTO platform.transfers (key, kind, phase) VALUES ('k', 'test', 'single') RETURNING id)
               INSERT INTO platform.postings (transfer_id, account, unit, amount)
               SELECT t.id, l.account, l.unit, l.amount
               FROM t, (VALUES ('world', 'ETH', -5), ('platform:fees', 'USDC', 5)) AS l(account, unit, amount)"""
        )


async def test_one_line_at_a_time_cannot_be_written(desk: Desk) -> None:
    async with await psycopg.AsyncConnection.connect(desk.dsn) as connection:
        row = await (await connection.execute(INSERT_TRANSFER, ["k"])).fetchone()
        assert row is not None
        with pytest.raises(psycopg.errors.CheckViolation, match="written together"):
            await connection.execute(INSERT_LINE, [row[0], "world", USDC, -5])


async def test_no_line_is_added_to_an_old_transfer(desk: Desk) -> None:
    transfer = await desk.fund(new_id(), 5)
    [row] = await desk.sql("SELECT id FROM platform.transfers WHERE key = %s", transfer.key)
    with pytest.raises(psycopg.errors.CheckViolation):
        await desk.sql(INSERT_LINE, row["id"], "platform:fees", USDC, 1)


async def test_not_even_balanced_lines_are_added_to_an_old_transfer(desk: Desk) -> None:
    user = new_id()
    transfer = await desk.fund(user, 5)
    before = await desk.everything()
    with pytest.raises(psycopg.errors.CheckViolation):
        await desk.sql(
            """INSERT INTO platform.postings (transfer_id, account, unit, amount)
               SELECT t.id, l.account, 'USDC', l.amount FROM platform.transfers t,
                 (VALUES ('world', -5), (%s, 5)) AS l(account, amount) WHERE t.key = %s""",
            available(user),
            transfer.key,
        )
    assert await desk.everything() == before


# --- once per key ----------------------------------------------------------------------------------------------------


async def test_the_same_transfer_again_changes_nothing(desk: Desk) -> None:
    user = new_id()
    transfer = await desk.fund(user, 5)
    before = await desk.everything()
    assert await desk.book(transfer) == [True]
    assert await desk.everything() == before


async def test_the_same_transfer_twice_in_one_call_is_booked_once(desk: Desk) -> None:
    user = new_id()
    transfer = Transfer(key="twice", kind="test", postings=move(USDC, 5, POOL, available(user)))
    await desk.book(transfer, transfer)
    assert await desk.balance(available(user)) == 5


async def test_two_transfers_with_one_key_in_one_call_are_refused(desk: Desk) -> None:
    user = new_id()
    lines = [move(USDC, n, POOL, available(user)) for n in (5, 6)]
    with pytest.raises(Broken) as broken:
        await desk.book(*(Transfer(key="same", kind="test", postings=p) for p in lines))
    assert broken.value.code == "ledger_mismatch"
    assert await desk.everything() == [[], [], []]


@pytest.mark.parametrize("change", ["amount", "account", "more lines"])
async def test_a_key_used_before_with_other_lines_stops_the_work(desk: Desk, change: str) -> None:
    user = new_id()
    transfer = await desk.fund(user, 5)
    lines = {
        "amount": move(USDC, 6, POOL, available(user)),
        "account": move(USDC, 5, POOL, available(new_id())),
        "more lines": (*transfer.postings, *move(USDC, 1, POOL, available(user))),
    }
    before = await desk.everything()
    with pytest.raises(Broken) as broken:
        await desk.book(transfer.model_copy(update={"postings": lines[change]}))
    assert broken.value.code == "ledger_mismatch"
    assert await desk.everything() == before


async def test_the_order_of_lines_does_not_matter_to_a_replay(desk: Desk) -> None:
    transfer = await desk.fund(new_id(), 5)
    assert await desk.book(transfer.model_copy(update={"postings": transfer.postings[::-1]})) == [True]


async def test_what_is_new_beside_a_replay_is_booked(desk: Desk) -> None:
    user, other = new_id(), new_id()
    old = await desk.fund(user, 5)
    assert await desk.book(old, pay("new", 2, user, other)) == [True, False]
    assert (await desk.balance(available(user)), await desk.balance(available(other))) == (3, 2)


async def test_one_of_many_who_book_the_same_at_once_writes(desk: Desk) -> None:
    user = new_id()
    transfer = Transfer(key="race", kind="test", postings=move(USDC, 5, POOL, available(user)))
    answers = await asyncio.gather(*(desk.book(transfer) for _ in range(12)))
    assert sorted(replayed for [replayed] in answers) == [False] + [True] * 11
    assert await desk.balance(available(user)) == 5


# --- no overdraft ----------------------------------------------------------------------------------------------------


async def test_an_overdraft_is_refused_and_nothing_of_its_transaction_is_written(desk: Desk) -> None:
    user, other = new_id(), new_id()
    await desk.fund(user, 5)
    before = await desk.everything()

    async def two_steps() -> None:
        async with desk.books.begin() as book:
            await book.book(pay("first", 3, user, other))
            await book.book(pay("second", 3, user, other))

    with pytest.raises(Rejected) as refused:
        await two_steps()
    assert refused.value.code == "insufficient_funds"
    assert await desk.everything() == before


async def test_the_last_unit_can_be_spent(desk: Desk) -> None:
    user, other = new_id(), new_id()
    await desk.fund(user, 5)
    await desk.book(pay("all", 5, user, other))
    assert await desk.balance(available(user)) == 0


async def test_one_of_two_who_spend_the_same_money_at_once_succeeds(desk: Desk) -> None:
    user, other = new_id(), new_id()
    await desk.fund(user, 5)
    answers = await asyncio.gather(
        *(desk.book(pay(f"spend:{n}", 3, user, other)) for n in range(6)), return_exceptions=True
    )
    assert sum(1 for a in answers if a == [False]) == 1
    assert all(a.code == "insufficient_funds" for a in answers if isinstance(a, Rejected))
    assert await desk.balance(available(user)) == 2


async def test_larger_than_bigint_is_still_exact(desk: Desk) -> None:
    whole = 10**30 + 1
    postings = (
        Posting(account="world", unit="WEI", amount=-whole),
        Posting(account="platform:treasury", unit="WEI", amount=whole),
    )
    await desk.book(Transfer(key="wei", kind="test", postings=postings))
    [row] = await desk.sql("SELECT balance FROM platform.balances WHERE account = 'platform:treasury'")
    assert row["balance"] == whole


# --- at once ---------------------------------------------------------------------------------------------------------


async def test_many_transfers_among_few_accounts_neither_deadlock_nor_lose(desk: Desk) -> None:
    users = [new_id() for _ in range(8)]
    for user in users:
        await desk.fund(user, 1_000)
    ring = itertools.cycle(range(8))
    batches = [
        [pay(f"t:{n}:{m}", 7 + m, users[next(ring)], users[(n * 3 + m) % 8]) for m in range(3)]
        for n in range(32)
    ]  # fmt: skip
    answers = await asyncio.gather(*(desk.book(*batch) for batch in batches), return_exceptions=True)
    assert [a for a in answers if isinstance(a, BaseException)] == []
    balances = [await desk.balance(available(user)) for user in users]
    assert sum(balances) == 8_000
    assert min(balances) >= 0
    expected = {user: 1_000 for user in users}
    for transfer in itertools.chain.from_iterable(batches):
        for line in transfer.postings:
            expected[line.account.split(":")[1]] += line.amount
    assert dict(zip(users, balances, strict=True)) == expected


async def test_accounts_that_appear_for_the_first_time_at_once(desk: Desk) -> None:
    """Their balance rows do not exist yet: every transaction wants to make the same ones."""
    users = [new_id() for _ in range(4)]
    transfers = [
        Transfer(key=f"new:{n}", kind="test", postings=move(USDC, 1, POOL, available(users[n % 4]))) for n in range(32)
    ]
    await asyncio.gather(*(desk.book(t) for t in transfers))
    assert [await desk.balance(available(user)) for user in users] == [8] * 4
    assert await desk.balance(POOL) == -32
