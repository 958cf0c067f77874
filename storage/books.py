"""The only writer of money. A request never comes here: see storage/intents.py.

`Books.begin()` opens one transaction; `Book.book()` writes balanced transfers into it, each once per key. The
database refuses what does not balance and keeps balances by itself (migrations: foundation.sql).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
from psycopg.types.json import Json
from pydantic import BaseModel

from domain.shared.errors import Broken
from domain.shared.ledger import Booking, Transfer, check_booking
from storage.columns import numbers, texts
from storage.database import Connection, Pool, transaction

_BOOK = """
WITH written AS (
  INSERT INTO platform.transfers (key, kind, ref, phase, resolves)
  SELECT w.key, w.kind, w.ref, w.phase, (SELECT p.id FROM platform.transfers p WHERE p.key = w.resolves)
  FROM json_to_recordset(%(transfers)s)
    AS w(key text, kind text, ref text, phase platform.transfer_phase, resolves text)
  ON CONFLICT (key) DO NOTHING RETURNING id, key
), lines AS (
  INSERT INTO platform.postings (transfer_id, account, unit, amount)
  SELECT t.id, l.account, l.unit, l.amount
  FROM json_to_recordset(%(lines)s) AS l(key text, account text, unit text, amount numeric) JOIN written t USING (key)
)
SELECT id, key FROM written
"""
"""JSON and not arrays: for `unnest` of a parameter Postgres plans anew each time, which costs a fifth of the work."""

BOOK_NEW = """
WITH written AS (
  INSERT INTO platform.transfers (key, kind, ref, phase)
  SELECT w.key, w.kind, w.ref, 'single' FROM unnest(%s::text[], %s::text[], %s::text[]) AS w(key, kind, ref)
  RETURNING id, key
)
INSERT INTO platform.postings (transfer_id, account, unit, amount)
SELECT t.id, l.account, l.unit, l.amount
FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[]) AS l(key, account, unit, amount)
JOIN written t USING (key)
"""
"""Many transfers that were certainly not booked before, as columns (`new_bookings`); answers nothing.

For the market engine, whose orders carry the status that makes them happen once: the same grammar and guards as `book`,
without the look for replays; a key that was booked before is a UniqueViolation. Arrays and not JSON: this one runs on a
session that keeps its plans (storage/exchange/market_fence.py).
"""

_STORED = """
SELECT t.key, t.id, p.account, p.unit, p.amount
FROM platform.transfers t JOIN platform.postings p ON p.transfer_id = t.id
WHERE t.key = ANY(%s) ORDER BY p.id
"""

_GUARDS = frozenset({"transfer_balanced", "transfer_resolves", "ck_transfers_resolves", "uq_transfers_resolves"})
"""Constraints that only a defect or a lost race breaks: a hold resolved twice or wrongly, lines that do not balance."""


class Booked(BaseModel):
    """`replayed`: the key had been booked before with the same lines; nothing was written now."""

    id: int
    key: str
    replayed: bool


class Book:
    """One open transaction with the right to move money. Use `connection` for the rows that belong to the same fact."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def book(self, *transfers: Transfer) -> list[Booked]:
        """Write transfers, each at most once per key.

        Args:     transfers  balanced by construction; the database checks again at commit.
        Returns:  one Booked per transfer, in order.
        Raises:   Rejected insufficient_funds when an account would go below zero; Broken ledger_mismatch when a key
                  was booked before with other lines, or a hold was resolved before in another way.
        """
        asked = _once_per_key(transfers)
        cursor = await self.connection.execute(
            _BOOK,
            {
                "transfers": Json([t.model_dump(exclude={"postings"}) for t in asked]),
                "lines": Json([{"key": t.key, **p.model_dump()} for t in asked for p in t.postings]),
            },
        )
        written = {row["key"]: row["id"] for row in await cursor.fetchall()}
        replays = [t for t in asked if t.key not in written]
        known = await self._check_replays(replays) if replays else {}
        return [
            Booked(id=written.get(t.key) or known[t.key], key=t.key, replayed=t.key not in written) for t in transfers
        ]

    async def _check_replays(self, transfers: list[Transfer]) -> dict[str, int]:
        cursor = await self.connection.execute(_STORED, [[t.key for t in transfers]])
        stored: dict[str, list[tuple[str, str, int]]] = {}
        ids: dict[str, int] = {}
        for row in await cursor.fetchall():
            stored.setdefault(row["key"], []).append((row["account"], row["unit"], row["amount"]))
            ids[row["key"]] = row["id"]
        for transfer in transfers:
            if sorted(stored.get(transfer.key, [])) != _lines(transfer):
                raise Broken("ledger_mismatch", f"transfer {transfer.key} was booked before with other lines")
        return ids


def new_bookings(bookings: Sequence[Booking]) -> list[str]:
    """The columns of BOOK_NEW.

    Raises: ValueError when a booking is not balanced or names no account.
    """
    for booking in bookings:
        check_booking(booking)
    lines = [(b.key, *line) for b in bookings for line in b.lines]
    heads = (b.key for b in bookings), (b.kind for b in bookings), (b.ref for b in bookings)
    keys, accounts, units, amounts = zip(*lines, strict=True)
    return [*map(texts, heads), texts(keys), texts(accounts), texts(units), numbers(amounts)]


def _lines(transfer: Transfer) -> list[tuple[str, str, int]]:
    return sorted((p.account, p.unit, p.amount) for p in transfer.postings)


def _once_per_key(transfers: tuple[Transfer, ...]) -> list[Transfer]:
    """A transfer named twice in one call is one transfer; two that differ under one key are a defect."""
    once: dict[str, Transfer] = {}
    for transfer in transfers:
        first = once.setdefault(transfer.key, transfer)
        if first is not transfer and _lines(first) != _lines(transfer):
            raise Broken("ledger_mismatch", f"transfer {transfer.key} was asked for twice with other lines")
    return list(once.values())


class Books:
    """The right to open books; held by workers and the CLI only."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Book]:
        """One transaction: everything in the block is committed together or not at all.

        Raises: Broken ledger_mismatch, also at the end, when a guard of the database refuses.
        """
        try:
            async with transaction(self.pool) as connection:
                yield Book(connection)
        except psycopg.errors.IntegrityError as error:
            if error.diag.constraint_name not in _GUARDS:
                raise
            raise Broken("ledger_mismatch", error.diag.message_primary or str(error)) from error
