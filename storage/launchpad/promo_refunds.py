"""Payments of promotions that are owed back: each has one process and one transfer, until it is paid."""

from __future__ import annotations

from typing import Final

from domain.launchpad.explorers import explorer_links
from domain.launchpad.promo_refunds import STEP, Owed, RefundPaid, RefundPlanned, refund_plan, told
from domain.shared import ids
from domain.shared.errors import Broken
from domain.shared.events import Event
from storage.books import Books
from storage.database import Connection
from storage.events import audit, emit
from storage.launchpad import transactions
from storage.launchpad.owed_back import open_refund, owed_back
from storage.operations import mark_step, set_operation

BY: Final = "promo_refund"


class PromoRefundStore:
    """What the process `PromoRefund`, the signer and the upkeep ask of the books. `platform`: the wallet that pays."""

    def __init__(self, books: Books, platform: str) -> None:
        self.books = books
        self.platform = platform

    async def owed(self, promo_id: str) -> Owed:
        """Raises: Broken promo_refund_stuck when there is no such payment."""
        async with self.books.begin() as book:
            owed = await owed_back(book.connection, promo_id)
        if owed is None:
            raise Broken("promo_refund_stuck", f"promotion {promo_id} was never paid")
        return owed

    async def plan(self, promo_id: str) -> RefundPlanned:
        """Write the transfer; the same one whenever it is asked for."""
        async with self.books.begin() as book:
            owed = await owed_back(book.connection, promo_id, lock=True)
            if owed is None or owed.status not in ("refund_due", "refunded"):
                raise Broken("promo_refund_stuck", f"promotion {promo_id} is not owed back")
            plan = refund_plan(owed, self.platform)
            if owed.signature is None:
                await transactions.plan(book.connection, plan)
                await mark_step(book.connection, owed.operation_id, STEP, "running", f"to {owed.payer}")
        return RefundPlanned(key=plan.key, payer=owed.payer, lamports=owed.lamports, signature=owed.signature)

    async def paid(self, promo_id: str) -> RefundPaid:
        """Book that the money is back, by the transaction that is final.

        Raises: Broken promo_refund_stuck when none is.
        """
        async with self.books.begin() as book:
            owed = await owed_back(book.connection, promo_id, lock=True)
            landed = await transactions.read(book.connection, ids.promo_refund(promo_id))
            if owed is None or landed.status != "finalized" or landed.signature is None:
                raise Broken("promo_refund_stuck", f"{landed.plan.key} is {landed.status}, not final")
            summary = f"Paid {told(owed.lamports)} back to {owed.payer}"
            if owed.status == "refund_due":
                await _book(book.connection, owed, landed.signature, summary)
        return RefundPaid(signature=landed.signature, summary=summary)

    async def take_up(self) -> int:
        """Open the process of every payment that is owed back and has none; how many those were."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT id FROM launchpad.promo_activations WHERE status = 'refund_due' AND operation_id IS NULL
                     AND received_lamports > 0 ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED"""
            )
            forgotten = await cursor.fetchall()
            for row in forgotten:
                await open_refund(book.connection, row["id"])
        return len(forgotten)


async def _book(connection: Connection, owed: Owed, signature: str, summary: str) -> None:
    await connection.execute(
        """UPDATE launchpad.promo_activations SET status = 'refunded', refund_signature = %s,
             refunded_at = clock_timestamp() WHERE id = %s""",
        [signature, owed.id],
    )
    links = [{"rel": rel, "href": page} for rel, page in explorer_links(owed.cluster, signature).items()]
    await mark_step(connection, owed.operation_id, STEP, "done", signature, links)
    await set_operation(connection, owed.operation_id, "completed", summary)
    await audit(connection, BY, "promo_refunded", owed.id, signature=signature, lamports=str(owed.lamports))
    payload: dict[str, str | int | bool | None] = {"id": owed.id, "project_id": owed.project_id}
    await emit(connection, Event(topic="launchpad", type="promo_refunded", payload=payload))
