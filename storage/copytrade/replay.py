"""Playing a tape: the feed's own writing, at the times of the tape; the product's own processes; an empty database.

The inputs of a group are put there at the moment they were taken, so its process finds them and decides. All else is
worked out anew, and must come out the same however often, in whatever company and through whatever crashes.
Market facts are known from the start; what waited for them is applied at once.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.identity import fact_of, source_id
from domain.copytrade.portfolio import Holding, book
from domain.copytrade.readings import Taken, sort_rows
from domain.copytrade.shadow import Line
from domain.copytrade.venue import ActivityRow
from storage.copytrade import shadow
from storage.copytrade.fence import ingesting
from storage.copytrade.ingest import ingest
from storage.copytrade.settlement import SettlementStore
from storage.copytrade.shadow import Booking, Ledger
from storage.copytrade.tape import Row, Tape
from storage.database import Connection, Pool, transaction
from storage.events import new_id

Read = Callable[[str, str], ActivityRow]
"""(wallet, the venue's JSON): the row, as the gateways read it."""
Do = Callable[[str], Awaitable[None]]

_FILL: Final = """
INSERT INTO copytrade.{table} OVERRIDING SYSTEM VALUE
SELECT * FROM jsonb_populate_recordset(NULL::copytrade.{table}, %s) ON CONFLICT DO NOTHING
"""
_OPERATOR: Final = "INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'tape', 'operator')"
_PORTFOLIOS: Final = """
INSERT INTO copytrade.portfolios (id, portfolio_scope, followed_user_id, opened_at)
SELECT id, portfolio_scope, followed_user_id, opened_at FROM jsonb_populate_recordset(NULL::copytrade.portfolios, %s)
"""
_RESOLVED: Final = """
UPDATE copytrade.markets SET payouts = %s, resolved_at = %s, resolution_status = %s WHERE condition_id = %s
"""


class Batch(NamedTuple):
    """What one poll brought, at its detect time."""

    at: datetime
    taken: tuple[Taken, ...]
    backfilled: bool


class Due(NamedTuple):
    """The inputs of a group, at the moment they were taken."""

    at: datetime
    row: Row


class Settle(NamedTuple):
    """A market's settlement. Everything decided before it was decided by then."""

    at: datetime
    row: Row


Step = Batch | Due | Settle


def steps(tape: Tape, read: Read) -> list[Step]:
    """The tape as it happened: by time; of one moment rows before inputs before settlements."""
    found: list[Step] = [*_batches(tape.rows, read)]
    found += [Due(_time(row["requested_at"]), row) for row in tape.inputs]
    found += [Settle(_time(row["at"]), row) for row in tape.settlements]
    order = (Batch, Due, Settle)
    return sorted(found, key=lambda step: (step.at, order.index(type(step))))


class Player:
    """Plays steps into a database. Every step may be repeated."""

    def __init__(self, pool: Pool, tape: Tape) -> None:
        self.pool, self.tape = pool, tape

    async def prepare(self) -> None:
        """Leaders, rules, markets, portfolios and what they began with."""
        operator, unsettled = new_id(), {"payouts": None, "resolved_at": None, "resolution_status": ""}
        settled = {row["condition_id"] for row in self.tape.settlements}
        leaders = [row | {"created_by": operator, "operation_id": None} for row in self.tape.leaders]
        markets = [row | unsettled if row["condition_id"] in settled else row for row in self.tape.markets]
        async with transaction(self.pool) as connection:
            await connection.execute(_OPERATOR, [operator])
            for table, rows in (
                ("followed_users", leaders),
                ("followed_wallets", self.tape.wallets),
                ("effective_configs", self.tape.rules),
                ("markets", markets),
                ("outcome_assets", self.tape.assets),
            ):
                await _fill(connection, table, rows)
            await connection.execute(_PORTFOLIOS, [json.dumps(self.tape.portfolios)])
            await shadow.write(connection, _openings(self.tape.deposits))

    async def write(self, batch: Batch) -> None:
        """A poll, as the feed writes it, at the time of the tape."""
        async with transaction(self.pool) as connection:
            await ingesting(connection)
            await ingest(connection, batch.taken, self.tape.seed, backfilled=batch.backfilled, at=batch.at)

    async def take(self, due: Due) -> str:
        """The inputs of a group are there; its process may run. Returns its key."""
        async with transaction(self.pool) as connection:
            await _fill(connection, "group_inputs", [due.row])
        return str(due.row["group_key"])

    async def settle(self, settle: Settle) -> None:
        """A market has resolved: pay everybody."""
        row = settle.row
        async with transaction(self.pool) as connection:
            values = [row["payouts"], row["resolved_at"], row["resolution_status"], row["condition_id"]]
            await connection.execute(_RESOLVED, values)
        await SettlementStore(self.pool).settle(row["condition_id"])


async def play(
    player: Player, found: Sequence[Step], start: Do, decided: Callable[[Sequence[str]], Awaitable[None]]
) -> None:
    """All of it. `start` starts the process of a group, `decided` waits until these groups are in every scope."""
    started: list[str] = []
    for step in found:
        if isinstance(step, Batch):
            await player.write(step)
        elif isinstance(step, Due):
            started.append(await player.take(step))
            await start(started[-1])
        else:
            await decided(started)
            await player.settle(step)
    await decided(started)


def _batches(rows: Iterable[Row], read: Read) -> Iterator[Batch]:
    """Rows of one detect time were one transaction."""
    for (at, backfilled), together in groupby(rows, key=lambda row: (row["detect_time"], row["backfilled"])):
        yield Batch(_time(at), tuple(_taken(row, read) for row in together), backfilled)


def _taken(row: Row, read: Read) -> Taken:
    """Raises: ValueError when what is read today is not the event that was read then."""
    found = sort_rows(row["followed_user_id"], [[read(row["wallet"], row["raw"])]]).taken
    if len(found) == 1:
        name = source_id(fact_of(found[0].row), row["occurrence"])
        if name == row["source_id"]:
            return found[0]._replace(event_id=row["event_id"], source_id=name, occurrence=row["occurrence"])
    raise ValueError(f"row {row['source_id']} is read differently today")


def _openings(deposits: Iterable[Row]) -> list[Booking]:
    found = []
    for portfolio, rows in groupby(sorted(deposits, key=lambda r: r["portfolio_id"]), lambda r: r["portfolio_id"]):
        holdings, lines = dict[str, Holding](), list[Line]()
        for row in rows:
            told = {name: value for name, value in row.items() if name not in ("portfolio_id", "event_time")}
            entry = Entry(kind=EntryType.DEPOSIT, event_time=_time(row["event_time"]), **told)
            booked = book(holdings.get(entry.token_id, Holding()), entry)
            holdings[entry.token_id] = booked.holding
            lines.append(Line(entry, booked))
        found.append(Booking(Ledger(portfolio, 0), lines, holdings))
    return found


async def _fill(connection: Connection, table: str, rows: Sequence[Row]) -> None:
    statement: Any = _FILL.format(table=table)
    await connection.execute(statement, [json.dumps(rows)])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
