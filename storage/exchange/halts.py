"""Halts as their process changes them: ended by time or by an operator, or made longer."""

from __future__ import annotations

from datetime import datetime

from domain.exchange.price_messages import EndHalt, ExtendHalt, HaltState
from domain.shared.errors import Broken, Rejected
from storage.books import Books
from storage.database import Connection
from storage.events import audit, resolve_alert
from storage.intents.halts import lock_asset, sentence, tell
from storage.operations import mark_step, set_operation

TRIPPED = "breaker_tripped"
_READ = """
SELECT h.asset_id, h.cause, h.until, h.ended_at, h.ended_by, h.operation_id, a.symbol
FROM exchange.asset_halts h JOIN exchange.assets a ON a.id = h.asset_id WHERE h.id = %s
"""


class _Halt(HaltState):
    asset_id: str
    operation_id: str | None

    def state(self, **changes: object) -> HaltState:
        names = set(HaltState.model_fields)
        return HaltState.model_validate(self.model_dump(include=names) | changes)


class HaltStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def read(self, halt_id: str) -> HaltState:
        async with self.books.begin() as book:
            return (await _halt(book.connection, halt_id)).state()

    async def end(self, command: EndHalt) -> HaltState:
        """Trading goes on. By time only if its time is over: somebody may have made it longer."""
        async with self.books.begin() as book:
            connection = book.connection
            halt, status = await self._locked(connection, command.halt_id)
            if halt.ended or (not command.principal and command.at < halt.until):
                return halt.state()
            by = command.principal or "time"
            await connection.execute(
                "UPDATE exchange.asset_halts SET ended_at = %s, ended_by = %s WHERE id = %s",
                [command.at, by, command.halt_id],
            )
            if status == "halted":
                await connection.execute("UPDATE exchange.assets SET status = 'active' WHERE id = %s", [halt.asset_id])
            if command.principal:
                await audit(connection, by, "asset_resumed", halt.asset_id, halt_id=command.halt_id, note=command.note)
            how = "by an operator" if command.principal else "by itself"
            await mark_step(connection, halt.operation_id, "resume_trading", "done", command.note or how)
            await set_operation(connection, halt.operation_id, "completed", f"Trading in {halt.symbol} resumed {how}")
            await resolve_alert(connection, TRIPPED, halt.asset_id, by)
            told = "operator" if command.principal else "time"
            await tell(connection, "asset_resumed", halt.asset_id, command.halt_id, by=told)
            return halt.state(ended=True, ended_by=by)

    async def extend(self, command: ExtendHalt) -> HaltState:
        """It lasts until then. Raises Rejected not_halted when it has ended."""
        async with self.books.begin() as book:
            connection = book.connection
            halt, _ = await self._locked(connection, command.halt_id)
            if halt.ended:
                raise Rejected("not_halted", "the halt has ended")
            if command.until <= halt.until:
                return halt.state()
            await connection.execute(
                "UPDATE exchange.asset_halts SET until = %s WHERE id = %s", [command.until, command.halt_id]
            )
            shown = command.until.isoformat()
            await audit(
                connection, command.principal, "halt_extended", halt.asset_id, halt_id=command.halt_id,
                until=shown, note=command.note,
            )  # fmt: skip
            await set_operation(
                connection, halt.operation_id, "waiting", sentence(halt.symbol, command.until, halt.cause)
            )
            await tell(connection, "halt_extended", halt.asset_id, command.halt_id, until=shown)
            return halt.state(until=command.until)

    async def _locked(self, connection: Connection, halt_id: str) -> tuple[_Halt, str]:
        """The asset's row is locked first, as by everybody; then the halt is read as it is now."""
        before = await _halt(connection, halt_id)
        _, status = await lock_asset(connection, before.asset_id)
        return await _halt(connection, halt_id), status


async def _halt(connection: Connection, halt_id: str) -> _Halt:
    row = await (await connection.execute(_READ, [halt_id])).fetchone()
    if row is None:
        raise Broken("internal_error", f"no halt {halt_id}")
    ended_at: datetime | None = row.pop("ended_at")
    return _Halt.model_validate({**row, "ended": ended_at is not None, "ended_by": row["ended_by"] or ""})
