"""Snapshots made again from the ledger, a day of one portfolio at a time. The row of the rebuild says how far it came.

By the time lines were booked this gives what was stored, to the micro: the tests hold it to that. By the time things
happened, a backfilled trade stands where it belongs. Either way the newest minute holds the same lines, so that the
next ordinary snapshot goes on from it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from domain.copytrade.portfolio_messages import RebuildDone
from domain.copytrade.snapshots import (
    EMPTY,
    MINUTE,
    Holding,
    Line,
    Standing,
    curve,
    is_hour,
    minute_after,
    minute_of,
)
from domain.shared.errors import Rejected
from storage.books import Books
from storage.copytrade import marks, snapshots
from storage.copytrade.snapshots import MINUTES_KEPT, minutes
from storage.database import Connection
from storage.operations import mark_step, set_operation

DAY: Final = timedelta(days=1)
STEP: Final = "rebuild"

_REBUILD: Final = """
SELECT id, by_event_time, portfolio_id, at_portfolio_id, at_minute, snapshots, changed, finished_at, operation_id
FROM copytrade.snapshot_rebuilds WHERE id = %s FOR NO KEY UPDATE
"""
_NEXT: Final = """
SELECT id FROM copytrade.portfolios WHERE (%(only)s::uuid IS NULL OR id = %(only)s::uuid)
  AND (%(done)s::uuid IS NULL OR id > %(done)s::uuid) ORDER BY id LIMIT 1
"""
_AT: Final[dict[bool, LiteralString]] = {False: "created_at", True: "least(event_time, created_at)"}
_FIRST: Final = "SELECT min({at}) AS at FROM copytrade.ledger_entries WHERE portfolio_id = %s"
_BEFORE: Final = """
WITH e AS (
  SELECT *, max(epoch) OVER () AS newest, max(id) OVER () AS last FROM copytrade.ledger_entries
  WHERE portfolio_id = %(id)s AND {at} < %(after)s AND created_at < %(through)s)
SELECT token_id, min(newest) AS epoch, min(last) AS last, sum(share_delta_micros)::bigint AS shares,
  sum(cost_delta_micros)::bigint AS cost, sum(cash_delta_micros)::bigint AS cash,
  sum(cash_delta_micros + cost_delta_micros - realized_micros)::bigint AS contributed
FROM e WHERE epoch = newest GROUP BY token_id
"""
_LINES: Final = """
SELECT id, {at} AS at, epoch, token_id, share_delta_micros AS shares, cash_delta_micros AS cash,
  cost_delta_micros AS cost, realized_micros AS realized
FROM copytrade.ledger_entries
WHERE portfolio_id = %(id)s AND {at} >= %(after)s AND {at} < %(until)s AND created_at < %(through)s ORDER BY 2, 1
"""
_SURPLUS: Final[dict[str, LiteralString]] = {
    table: f"""
DELETE FROM copytrade.{table} WHERE portfolio_id = %(id)s AND bucket_time <= %(until)s AND bucket_time > %(floor)s
  AND (%(after)s::timestamptz IS NULL OR bucket_time > %(after)s) AND NOT bucket_time = ANY(%(times)s)
"""
    for table in ("portfolio_snapshots", "portfolio_hours")
}
_MOVE: Final = """
UPDATE copytrade.snapshot_rebuilds SET at_portfolio_id = %s, at_minute = %s, snapshots = snapshots + %s,
  changed = changed + %s WHERE id = %s RETURNING snapshots, changed
"""


class Page(NamedTuple):
    """Minutes of one portfolio later than `after` (None: from the beginning), up to and with `until`."""

    portfolio_id: str
    after: datetime | None
    until: datetime
    through: datetime


class RebuildStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def page(self, rebuild_id: str) -> RebuildDone:
        """The next day of the next portfolio, and the cursor: one transaction."""
        async with self.books.begin() as book:
            connection = book.connection
            rebuild = await (await connection.execute(_REBUILD, [rebuild_id])).fetchone()
            if rebuild is None:
                raise Rejected("not_found", "no such rebuild")
            if rebuild["finished_at"] is not None:
                return _done(rebuild["snapshots"], rebuild["changed"], ended=True)
            portfolio = await self._portfolio(connection, rebuild)
            if portfolio is None:
                return await _finish(connection, rebuild)
            written, changed, reached = await self._write(connection, rebuild, portfolio)
            moved = await connection.execute(_MOVE, [portfolio["id"], reached, written, changed, rebuild_id])
            total = await moved.fetchone()
            assert total is not None
            return _done(total["snapshots"], total["changed"])

    async def _portfolio(self, connection: Connection, rebuild: dict[str, Any]) -> dict[str, Any] | None:
        """The portfolio at hand, locked; when its minutes are all written, the next; None: there is none left."""
        if rebuild["at_portfolio_id"] is not None:
            here = await snapshots.lock(connection, rebuild["at_portfolio_id"])
            if rebuild["at_minute"] is not None and rebuild["at_minute"] < minute_of(here["now"]):
                return here
        only, done = rebuild["portfolio_id"], rebuild["at_portfolio_id"]
        row = await (await connection.execute(_NEXT, {"only": only, "done": done})).fetchone()
        rebuild["at_minute"] = None
        return None if row is None else await snapshots.lock(connection, row["id"])

    async def _write(
        self, connection: Connection, rebuild: dict[str, Any], portfolio: dict[str, Any]
    ) -> tuple[int, int, datetime | None]:
        """One page: how many snapshots, how many of them were wrong, missing or surplus, and the minute reached."""
        await marks.settled(connection)
        at, through = _AT[rebuild["by_event_time"]], minute_of(portfolio["now"])
        after = rebuild["at_minute"]
        start = after or await _beginning(connection, portfolio["id"], at)
        if start is None or start >= through:
            return 0, 0, None
        page = Page(portfolio["id"], after, min(through, start + DAY), through)
        kept_after = portfolio["now"] - MINUTES_KEPT
        times = [time for time in minutes(start, page.until) if time > kept_after or is_hour(time)]
        standing = await _standing(connection, page, start, at)
        lines = await _lines(connection, page, start, at)
        found = await snapshots.valued(connection, times, curve(standing, lines, times))
        changed = await snapshots.write(connection, portfolio["id"], found, keep_after=kept_after)
        changed += await _remove_surplus(connection, page, times, kept_after)
        return len(found), changed, page.until


async def _beginning(connection: Connection, portfolio_id: str, at: LiteralString) -> datetime | None:
    row = await (await connection.execute(_FIRST.format(at=at), [portfolio_id])).fetchone()
    return None if row is None or row["at"] is None else minute_after(row["at"]) - MINUTE


async def _standing(connection: Connection, page: Page, after: datetime, at: LiteralString) -> Standing:
    values = {"id": page.portfolio_id, "after": after, "through": page.through}
    rows = await (await connection.execute(_BEFORE.format(at=at), values)).fetchall()
    if not rows:
        return EMPTY
    held = {row["token_id"]: Holding(row["shares"], row["cost"]) for row in rows if row["token_id"]}
    return Standing(
        epoch=rows[0]["epoch"],
        ledger_id=rows[0]["last"],
        cash=sum(row["cash"] for row in rows),
        contributed=sum(row["contributed"] for row in rows),
        holdings={token: holding for token, holding in held.items() if holding != (0, 0)},
    )


async def _lines(connection: Connection, page: Page, after: datetime, at: LiteralString) -> list[Line]:
    values = {"id": page.portfolio_id, "after": after, "until": page.until, "through": page.through}
    rows = await (await connection.execute(_LINES.format(at=at), values)).fetchall()
    return [Line(**row) for row in rows]


async def _remove_surplus(connection: Connection, page: Page, times: list[datetime], kept_after: datetime) -> int:
    """Snapshots of this page that the ledger does not give; minutes past their time are retention's."""
    values = {"id": page.portfolio_id, "after": page.after, "until": page.until, "times": times}
    hours = {"floor": "-infinity", "times": [time for time in times if is_hour(time)]}
    minute = await connection.execute(_SURPLUS["portfolio_snapshots"], values | {"floor": kept_after})
    hour = await connection.execute(_SURPLUS["portfolio_hours"], values | hours)
    return minute.rowcount + hour.rowcount


async def _finish(connection: Connection, rebuild: dict[str, Any]) -> RebuildDone:
    done = _done(rebuild["snapshots"], rebuild["changed"], ended=True)
    await connection.execute(
        "UPDATE copytrade.snapshot_rebuilds SET finished_at = clock_timestamp() WHERE id = %s", [rebuild["id"]]
    )
    await mark_step(connection, rebuild["operation_id"], STEP, "done", done.summary)
    await set_operation(connection, rebuild["operation_id"], "completed", done.summary)
    return done


def _done(count: int, changed: int, *, ended: bool = False) -> RebuildDone:
    said = f"{count} snapshots, {changed} rows changed"
    return RebuildDone(snapshots=count, changed=changed, ended=ended, summary=said)
