"""The oracle's rows: signals with their provenance, daily budgets, degradation of an asset without a signal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Final

from psycopg.types.json import Jsonb

from domain.exchange.oracle import queries_for
from domain.exchange.oracle_messages import (
    BudgetTaken,
    RecordRefresh,
    RefreshEnded,
    RefreshOpened,
    RefreshRef,
    RoundAssets,
    RoundPage,
    TakeBudget,
)
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.money import format_amount
from storage.books import Books
from storage.database import Connection
from storage.events import emit, new_id, raise_alert, resolve_alert
from storage.exchange.pricing import clear, degrade
from storage.operations import mark_step, set_operation

CODE: Final = "oracle_degraded"
PLATFORM: Final = "oracle"
"""Subject of the alert that is about no asset: nothing is configured."""
PAGE: Final = 100

_TAKE: Final = """
INSERT INTO platform.budgets AS b (resource, day, used) SELECT %(resource)s, %(day)s, %(calls)s
WHERE %(calls)s <= %(limit)s
ON CONFLICT (resource, day) DO UPDATE SET used = b.used + excluded.used WHERE b.used + excluded.used <= %(limit)s
RETURNING used
"""
_CLOSE: Final = """
INSERT INTO platform.budgets AS b (resource, day, used) VALUES (%(resource)s, %(day)s, %(limit)s + 1)
ON CONFLICT (resource, day) DO UPDATE SET used = excluded.used WHERE b.used < excluded.used RETURNING used
"""
"""One more than the limit: the day is over for this resource, and its alert has been given."""


class OracleStore:
    """`budgets`: calls a day by resource."""

    def __init__(self, books: Books, budgets: Mapping[str, int], degraded_s: int) -> None:
        self.books = books
        self.budgets = budgets
        self.degraded = timedelta(seconds=degraded_s)

    async def assets(self, page: RoundPage) -> RoundAssets:
        """Active assets after one, in id order."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT id FROM exchange.assets WHERE status = 'active' AND (%(after)s = '' OR id > %(uuid)s::uuid)
                   ORDER BY id LIMIT %(limit)s""",
                {"after": page.after, "uuid": page.after or None, "limit": PAGE + 1},
            )
            found = [str(row["id"]) for row in await cursor.fetchall()]
        return RoundAssets(asset_ids=tuple(found[:PAGE]), more=len(found) > PAGE)

    async def open(self, ref: RefreshRef) -> RefreshOpened:
        """What a refresh of this asset works with."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                "SELECT symbol, name, status::text AS status, oracle_queries FROM exchange.assets WHERE id = %s",
                [ref.asset_id],
            )
            row = await cursor.fetchone()
            if row is None:
                raise Rejected("not_found", f"asset {ref.asset_id}")
            skip = "" if row["status"] == "active" else f"the asset is {row['status']}"
            if skip:
                await set_operation(book.connection, ref.operation_id, "cancelled", f"Not refreshed: {skip}")
            else:
                await mark_step(book.connection, ref.operation_id, "search", "running")
        symbol, name = row["symbol"], row["name"]
        queries = queries_for(symbol, name, row["oracle_queries"])
        return RefreshOpened(signal_id=new_id(), symbol=symbol, name=name, queries=queries, skip=skip)

    async def take_budget(self, command: TakeBudget) -> BudgetTaken:
        """Take calls from the day's budget, all or none. The first refusal of a day closes it and gives its alert."""
        limit, day = self.budgets[command.resource], command.now.astimezone(UTC).date().isoformat()
        values = {"resource": command.resource, "day": day, "calls": command.calls, "limit": limit}
        subject, detail = f"budget:{command.resource}", f"{limit} {command.resource} of {day} are used up"
        async with self.books.begin() as book:
            if await (await book.connection.execute(_TAKE, values)).fetchone() is not None:
                await resolve_alert(book.connection, CODE, subject, "oracle")
                return BudgetTaken(granted=True)
            if await (await book.connection.execute(_CLOSE, values)).fetchone() is not None:
                await raise_alert(book.connection, CODE, subject, detail, day=day)
        return BudgetTaken(granted=False, detail=detail)

    async def record(self, command: RecordRefresh) -> RefreshEnded:
        """Write the row once; accepted ones end degradation, failed ones begin it or make it last longer."""
        async with self.books.begin() as book:
            connection = book.connection
            if not await _insert(connection, command):
                return await _known(connection, command)
            if command.signal is not None:
                ended = await self._accept(connection, command)
            else:
                ended = await self._degrade(connection, command)
            await _show(connection, command, ended)
            return ended

    async def _accept(self, connection: Connection, command: RecordRefresh) -> RefreshEnded:
        signal = command.signal
        assert signal is not None
        await clear(connection, command.asset_id)
        await resolve_alert(connection, CODE, command.asset_id, "oracle")
        await resolve_alert(connection, CODE, PLATFORM, "oracle")
        await emit(connection, _event(command))
        percent = format_amount(signal.applied_bps, 2)
        capped = (
            "" if signal.applied_bps == signal.delta_bps else f" (asked for {format_amount(signal.delta_bps, 2)} %)"
        )
        summary = f"Signal of {percent} %{capped}, confidence {format_amount(signal.confidence_bps, 4)}"
        return _ended(command, "accepted", summary)

    async def _degrade(self, connection: Connection, command: RecordRefresh) -> RefreshEnded:
        until = command.now + self.degraded
        await degrade(connection, command.asset_id, until)
        why = _reason(command)
        detail = (
            f"no signal after {len(command.attempts)} attempts ({why}); the market weighs 0.95 until {until:%H:%M} UTC"
        )
        if command.stopped == "not_configured":
            await raise_alert(connection, CODE, PLATFORM, "no web search or no language model is configured")
        elif not command.stopped:
            await raise_alert(connection, CODE, command.asset_id, detail, signal_id=command.signal_id)
        return _ended(command, "failed", f"No signal: {why}")


async def _show(connection: Connection, command: RecordRefresh, ended: RefreshEnded) -> None:
    """The operation of a refresh that an operator asked for."""
    if command.operation_id is None:
        return
    good = ended.status == "accepted"
    asked = [attempt for attempt in command.attempts if attempt.stage != "search"]
    found = f"{len(command.sources)} sources"
    said = f"attempts: {len(asked)}" + ("" if good or not asked else f", the last refused: {asked[-1].reason}")
    steps = (
        ("search", "done" if command.sources else "failed", found),
        ("analysis", "done" if good else "failed" if asked else "skipped", said),
        ("record", "done", ended.summary),
    )
    for name, status, detail in steps:
        await mark_step(connection, command.operation_id, name, status, detail)
    outcome = ("completed", None) if good else ("failed", CODE)
    await set_operation(connection, command.operation_id, outcome[0], ended.summary, outcome[1])


def _ended(command: RecordRefresh, status: str, summary: str) -> RefreshEnded:
    return RefreshEnded(status=status, summary=summary, signal_id=command.signal_id, attempts=len(command.attempts))


def _reason(command: RecordRefresh) -> str:
    """The last attempt's reason, or why nothing was asked."""
    return command.stopped or (command.attempts[-1].reason if command.attempts else "unknown")


async def _insert(connection: Connection, command: RecordRefresh) -> bool:
    """The row with everything that led to it; False when it was written before."""
    signal = command.signal
    provenance = {
        "workflow_id": command.workflow_id,
        "search_provider": command.search_provider,
        "queries": command.queries,
        "sources": [source.model_dump() for source in command.sources],
        "cited": signal.cited if signal is not None else [],
        "attempts": [attempt.model_dump() for attempt in command.attempts],
    }
    cursor = await connection.execute(
        """INSERT INTO exchange.oracle_signals (id, asset_id, status, reason, delta_bps, applied_bps, confidence_bps,
             summary, source_urls, provenance, operation_id)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING RETURNING id""",
        [
            command.signal_id,
            command.asset_id,
            "failed" if signal is None else "accepted",
            _reason(command) if signal is None else "",
            signal.delta_bps if signal is not None else None,
            signal.applied_bps if signal is not None else None,
            signal.confidence_bps if signal is not None else None,
            signal.summary if signal is not None else "",
            Jsonb(list(signal.source_urls) if signal is not None else []),
            Jsonb(provenance),
            command.operation_id,
        ],
    )
    return await cursor.fetchone() is not None


async def _known(connection: Connection, command: RecordRefresh) -> RefreshEnded:
    cursor = await connection.execute(
        "SELECT status::text AS status FROM exchange.oracle_signals WHERE id = %s", [command.signal_id]
    )
    row = await cursor.fetchone()
    status = "failed" if row is not None and row["status"] == "failed" else "accepted"
    return _ended(command, status, "Recorded before")


def _event(command: RecordRefresh) -> Event:
    """EX-051. `delta_percent` is what one signal may do, after the cap; a price is never suggested."""
    signal = command.signal
    assert signal is not None
    return Event(
        topic="oracle",
        type="oracle",
        payload={
            "asset_id": command.asset_id,
            "signal_id": command.signal_id,
            "delta_percent": format_amount(signal.applied_bps, 2),
            "delta_bps": signal.applied_bps,
            "suggested_price_usdc": None,
            "confidence": format_amount(signal.confidence_bps, 4),
            "confidence_bps": signal.confidence_bps,
            "summary": signal.summary,
            "source_urls": list(signal.source_urls),
            "timestamp": command.now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        },
    )
