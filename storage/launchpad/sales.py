"""Sales: opened when the chain has them, and their status as their process finds it."""

from __future__ import annotations

from typing import Any, Final

from domain.launchpad.curves import Shape
from domain.launchpad.sale import SaleKeys
from domain.launchpad.sale_life import CANCELLED, PROJECT, STEPS, goes_on, shown
from domain.launchpad.sale_messages import NewSale, OpenedSale
from domain.shared import ids
from domain.shared.events import Event
from storage.books import Books
from storage.database import Connection
from storage.events import emit, new_id
from storage.operations import mark_step, open_operation, set_operation

CHANNEL: Final = "launchpad_sales"
"""NOTIFY: a sale was opened, or a transaction that concerns one has landed."""
_OPEN: Final = """
INSERT INTO launchpad.sales (id, project_id, address, mint, vault, creator, platform, program_id, token_program,
  curve_type, initial_price, target_price, decimals, sale_supply, liquidity_supply, team_supply, other_supply, most,
  max_wallet, soft_cap_lamports, hard_cap_lamports, tax_bps, referral_bps, starts_at, ends_at, cliff_seconds,
  vest_seconds, operation_id)
VALUES (%(id)s, %(project)s, %(address)s, %(mint)s, %(vault)s, %(creator)s, %(platform)s, %(program)s,
  %(token_program)s, %(shape)s, %(start_price)s, %(target_price)s, %(decimals)s, %(sale_supply)s,
  %(liquidity_supply)s, %(team_supply)s, %(other_supply)s, %(most)s, %(max_wallet)s, %(soft_cap)s, %(hard_cap)s,
  %(tax_bps)s, %(referral_bps)s, to_timestamp(%(starts_at)s), to_timestamp(%(ends_at)s), %(cliff_seconds)s,
  %(vest_seconds)s, %(operation)s)
"""


async def open_sale(connection: Connection, sale: NewSale) -> OpenedSale:
    """The sale's row and its process, once per address; the feed begins to follow it when this commits."""
    cursor = await connection.execute(
        "SELECT id, operation_id FROM launchpad.sales WHERE address = %s", [sale.keys.address]
    )
    row = await cursor.fetchone()
    if row is not None:
        return OpenedSale(row["id"], row["operation_id"])
    sale_id = new_id()
    operation_id = await open_operation(
        connection,
        kind="curve_sale",
        subject_id=sale_id,
        workflow_id=ids.curve_sale(sale.project_id),
        steps=STEPS,
        summary=f"Sale of {sale.keys.mint}",
    )
    keys = {**sale.keys.model_dump(), "project": sale.project_id, "program": sale.program_id}
    terms = {**sale.terms.model_dump(), "shape": Shape(sale.terms.shape).name.lower()}
    await connection.execute(_OPEN, {**keys, **terms, "id": sale_id, "operation": operation_id})
    await emit(
        connection,
        Event(
            topic="launchpad",
            type="sale_opened",
            payload={"project_id": sale.project_id, "sale_id": sale_id, "address": sale.keys.address},
        ),
    )
    return OpenedSale(sale_id, operation_id)


def keys_of(row: dict[str, Any]) -> SaleKeys:
    """The accounts of a sale, from its row."""
    return SaleKeys.model_validate({name: row[name] for name in SaleKeys.model_fields})


class SaleStore:
    """The process's side: what is read for it, and the one writer of a sale's status."""

    def __init__(self, books: Books) -> None:
        self.books = books

    async def keys(self, sale_id: str) -> SaleKeys:
        async with self.books.begin() as book:
            cursor = await book.connection.execute("SELECT * FROM launchpad.sales WHERE id = %s", [sale_id])
            row = await cursor.fetchone()
        assert row is not None, "a sale's process has its row"
        return keys_of(row)

    async def stands(self, sale_id: str, status: str, pool: str | None, detail: str) -> None:
        """Set the status of the sale, its project and its operation, and tell listeners when it changed. Never back."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT status::text AS status, project_id, operation_id FROM launchpad.sales
                   WHERE id = %s FOR UPDATE""",
                [sale_id],
            )
            row = await cursor.fetchone()
            assert row is not None, "a sale's process has its row"
            if not goes_on(row["status"], status):
                return
            await book.connection.execute(
                """UPDATE launchpad.sales SET status = %s, pool_address = coalesce(%s, pool_address)
                   WHERE id = %s""",
                [status, pool, sale_id],
            )
            await _project(book.connection, row["project_id"], status)
            await _operation(book.connection, row["operation_id"], status, detail)
            payload = {
                **{"project_id": row["project_id"], "sale_id": sale_id, "pool_address": pool},
                **{"status": shown(status), "cancelled": status == CANCELLED},
            }
            await emit(book.connection, Event(topic="launchpad", type="sale_changed", payload=payload))

    async def finished(self, sale_id: str, summary: str) -> None:
        """The end of the sale's operation."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute("SELECT operation_id FROM launchpad.sales WHERE id = %s", [sale_id])
            row = await cursor.fetchone()
            assert row is not None, "a sale's process has its row"
            await set_operation(book.connection, row["operation_id"], "completed", summary)


async def _project(connection: Connection, project_id: str, status: str) -> None:
    await connection.execute(
        """UPDATE launchpad.projects SET status = %(status)s, updated_at = clock_timestamp()
           WHERE id = %(id)s AND status NOT IN (%(status)s, 'undone')""",
        {"id": project_id, "status": PROJECT[status]},
    )


async def _operation(connection: Connection, operation_id: str | None, status: str, detail: str) -> None:
    selling, settling = STEPS
    over = PROJECT[status] == "ended"
    await set_operation(connection, operation_id, "running", f"{status}: {detail}")
    await mark_step(connection, operation_id, selling, "done" if over else "running", status)
    if over:
        await mark_step(connection, operation_id, settling, "running", detail)
