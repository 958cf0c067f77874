"""Snapshots of portfolios by the minute: the previous one plus what was booked since.

A bucket holds the lines booked before it, whatever the hour at which it is written: who changes a portfolio locks its
row first and the database stamps lines after that, so under the lock nothing older can still come. Minutes that were
missed are written later and come out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from domain.copytrade.snapshots import (
    EMPTY,
    MINUTE,
    Holding,
    Line,
    Snapshot,
    Standing,
    curve,
    is_hour,
    minute_after,
    minute_of,
    snapshot,
    unfolded,
)
from storage.books import Books
from storage.copytrade import drawdown, marks
from storage.database import Connection

PAGE: Final = 360
"""Minutes a transaction."""
MINUTES_KEPT: Final = timedelta(days=30)

_LOCK: Final = """
SELECT id, portfolio_scope::text AS scope, followed_user_id, epoch, watched_peak_micros, watched_latched_at,
  drawdown_reset_at, clock_timestamp() AS now
FROM copytrade.portfolios WHERE id = %s FOR NO KEY UPDATE
"""
# the hours too: of an outage longer than minutes are kept, only hours are written
_NEWEST: Final = """
SELECT * FROM (
  (SELECT bucket_time, epoch, ledger_id, cash_micros, contributed_micros FROM copytrade.portfolio_snapshots
   WHERE portfolio_id = %(id)s ORDER BY bucket_time DESC LIMIT 1)
  UNION ALL
  (SELECT bucket_time, epoch, ledger_id, cash_micros, contributed_micros FROM copytrade.portfolio_hours
   WHERE portfolio_id = %(id)s ORDER BY bucket_time DESC LIMIT 1)) newest
ORDER BY bucket_time DESC LIMIT 1
"""
_LINES: Final = """
SELECT id, created_at AS at, epoch, token_id, share_delta_micros AS shares, cash_delta_micros AS cash,
  cost_delta_micros AS cost, realized_micros AS realized
FROM copytrade.ledger_entries WHERE portfolio_id = %s AND id > %s ORDER BY id
"""
_POSITIONS: Final = """
SELECT token_id, share_micros AS shares, cost_micros AS cost FROM copytrade.positions
WHERE portfolio_id = %s AND (share_micros <> 0 OR cost_micros <> 0)
"""
_HELD_THEN: Final = """
SELECT token_id, sum(share_delta_micros)::bigint AS shares, sum(cost_delta_micros)::bigint AS cost
FROM copytrade.ledger_entries WHERE portfolio_id = %s AND epoch = %s AND id <= %s AND token_id <> ''
GROUP BY token_id HAVING sum(share_delta_micros) <> 0 OR sum(cost_delta_micros) <> 0
"""
COLUMNS: Final = (*Snapshot._fields,)
_WRITE: Final[dict[str, LiteralString]] = {
    table: f"""
INSERT INTO copytrade.{table} AS s (portfolio_id, bucket_time, equity_micros, cash_micros, exposure_micros,
  unrealized_pnl_micros, realized_pnl_micros, contributed_micros, unpriced, epoch, ledger_id)
SELECT %s, * FROM unnest(%s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
  %s::bigint[], %s::int[], %s::int[], %s::bigint[])
ON CONFLICT (portfolio_id, bucket_time) DO UPDATE SET equity_micros = excluded.equity_micros,
  cash_micros = excluded.cash_micros, exposure_micros = excluded.exposure_micros,
  unrealized_pnl_micros = excluded.unrealized_pnl_micros, realized_pnl_micros = excluded.realized_pnl_micros,
  contributed_micros = excluded.contributed_micros, unpriced = excluded.unpriced, epoch = excluded.epoch,
  ledger_id = excluded.ledger_id
WHERE (s.equity_micros, s.cash_micros, s.exposure_micros, s.unrealized_pnl_micros, s.realized_pnl_micros,
    s.contributed_micros, s.unpriced, s.epoch, s.ledger_id)
  IS DISTINCT FROM (excluded.equity_micros, excluded.cash_micros, excluded.exposure_micros,
    excluded.unrealized_pnl_micros, excluded.realized_pnl_micros, excluded.contributed_micros, excluded.unpriced,
    excluded.epoch, excluded.ledger_id)
"""
    for table in ("portfolio_snapshots", "portfolio_hours")
}

Row = dict[str, Any]


class Taken(NamedTuple):
    """`more`: there are further minutes to write."""

    written: int = 0
    unpriced: int = 0
    latched: bool = False
    more: bool = False


class SnapshotStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def portfolios(self) -> list[str]:
        async with self.books.begin() as book:
            rows = await (await book.connection.execute("SELECT id FROM copytrade.portfolios ORDER BY id")).fetchall()
        return [row["id"] for row in rows]

    async def take(self, portfolio_id: str) -> Taken:
        """Write the minutes up to now that are missing, at most a page of them: one transaction."""
        async with self.books.begin() as book:
            connection = book.connection
            portfolio = await lock(connection, portfolio_id)
            await marks.settled(connection)
            start, after, lines = await _since_newest(connection, portfolio)
            times = minutes(after, minute_of(portfolio["now"]))
            if not times:
                return Taken()
            page = times[:PAGE]
            found = await valued(connection, page, curve(start, lines, page))
            await write(connection, portfolio_id, found, keep_after=portfolio["now"] - MINUTES_KEPT)
            latched = await drawdown.watch(connection, portfolio, found)
            return Taken(len(found), found[-1][1].unpriced, latched, more=len(times) > PAGE)


async def lock(connection: Connection, portfolio_id: str) -> Row:
    row = await (await connection.execute(_LOCK, [portfolio_id])).fetchone()
    assert row is not None
    return row


async def lines_after(connection: Connection, portfolio_id: str, ledger_id: int) -> list[Line]:
    return [Line(**row) for row in await (await connection.execute(_LINES, [portfolio_id, ledger_id])).fetchall()]


async def _since_newest(connection: Connection, portfolio: Row) -> tuple[Standing, datetime | None, list[Line]]:
    """The standing of the newest snapshot, its minute, and the lines booked since. Nothing yet: from the first line."""
    portfolio_id = portfolio["id"]
    newest = await (await connection.execute(_NEWEST, {"id": portfolio_id})).fetchone()
    if newest is None:
        lines = await lines_after(connection, portfolio_id, 0)
        return EMPTY, minute_after(lines[0].at) - MINUTE if lines else None, lines
    lines = await lines_after(connection, portfolio_id, newest["ledger_id"])
    epoch = newest["epoch"]
    if portfolio["epoch"] == epoch:
        held = unfolded(await _holdings(connection, _POSITIONS, [portfolio_id]), lines)
    else:
        held = await _holdings(connection, _HELD_THEN, [portfolio_id, epoch, newest["ledger_id"]])
    standing = Standing(epoch, newest["ledger_id"], newest["cash_micros"], newest["contributed_micros"], held)
    return standing, newest["bucket_time"], lines


async def _holdings(connection: Connection, statement: LiteralString, parameters: list[Any]) -> dict[str, Holding]:
    rows = await (await connection.execute(statement, parameters)).fetchall()
    return {row["token_id"]: Holding(row["shares"], row["cost"]) for row in rows}


def minutes(after: datetime | None, through: datetime) -> list[datetime]:
    """Every full minute later than `after`, up to and with `through`."""
    if after is None:
        return []
    return [after + step * MINUTE for step in range(1, (through - after) // MINUTE + 1)]


async def valued(
    connection: Connection, times: Sequence[datetime], standings: Sequence[Standing]
) -> list[tuple[datetime, Snapshot]]:
    """Each standing at the marks of its time."""
    tokens = {token for standing in standings for token in standing.holdings}
    known = await marks.before(connection, tokens, times)
    return [(time, snapshot(at, known[time])) for time, at in zip(times, standings, strict=True)]


async def write(
    connection: Connection, portfolio_id: str, found: Sequence[tuple[datetime, Snapshot]], *, keep_after: datetime
) -> int:
    """Put snapshots where they belong; returns how many were missing or said something else."""
    young = [one for one in found if one[0] > keep_after]
    hours = [one for one in found if is_hour(one[0])]
    changed = 0
    for table, rows in (("portfolio_snapshots", young), ("portfolio_hours", hours)):
        if rows:
            columns = [[time for time, _ in rows], *([*column] for column in zip(*(s for _, s in rows), strict=True))]
            changed += (await connection.execute(_WRITE[table], [portfolio_id, *columns])).rowcount
    return changed
