"""The log of transfers, booked again into empty books, gives the same balances."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from domain.shared.ledger import Transfer
from storage.books import Books
from tests.properties.test_books_model import BooksMachine, in_a_loop, opened, run_machine


async def stored(books: Books) -> list[list[Transfer]]:
    """Every transfer as it can be read back, in the order of booking: any other may overdraw on its way.

    Those of one transaction may have been booked in one call, where one may spend what another brings.
    """
    async with books.begin() as book:
        cursor = await book.connection.execute(
            """SELECT t.key, t.kind, t.ref, t.phase::text, h.key AS resolves, t.xmin::text AS written_by,
                 jsonb_agg(jsonb_build_object('account', p.account, 'unit', p.unit, 'amount', p.amount)
                           ORDER BY p.id) AS postings
               FROM platform.transfers t JOIN platform.postings p ON p.transfer_id = t.id
               LEFT JOIN platform.transfers h ON h.id = t.resolves GROUP BY t.id, h.key ORDER BY t.id"""
        )
        rows = await cursor.fetchall()
    together: list[list[Transfer]] = []
    last = ""
    for row in rows:
        transfer = Transfer.model_validate({name: value for name, value in row.items() if name != "written_by"})
        if row["written_by"] != last or transfer.resolves in {t.key for t in together[-1]}:
            together.append([])
        together[-1].append(transfer)
        last = row["written_by"]
    return together


async def replayed(source: Books, target: Books) -> None:
    async with target.begin() as book:
        for transfers in await stored(source):
            assert {b.replayed for b in await book.book(*transfers)} == {False}


async def test_replaying_the_log_into_an_empty_database_gives_the_same_balances(
    database: str, new_database: Callable[[], Awaitable[str]]
) -> None:
    empty = await new_database()

    def work(runner: asyncio.Runner) -> None:
        source, target = runner.run(opened(database)), runner.run(opened(empty))
        try:
            run_machine(runner, source, examples=8, steps=20)
            before = runner.run(BooksMachine.compare(source, None))
            assert before
            runner.run(replayed(source, target))
            assert runner.run(BooksMachine.compare(target, None)) == before
        finally:
            runner.run(source.pool.close())
            runner.run(target.pool.close())

    await asyncio.to_thread(in_a_loop, work)
