"""A paper position sold by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.copytrade.portfolio_messages import BookKept, CloseDone, CloseRef, RejectClose

if TYPE_CHECKING:
    from gateways.protocols import OrderBooks
    from storage.copytrade.closes import CloseStore


class CloseActivities:
    def __init__(self, store: CloseStore, books: OrderBooks) -> None:
        self.store = store
        self.books = books

    @activity.defn
    async def read_close_book(self, command: CloseRef) -> BookKept:
        """Read the one book this close is made at.

        Effect: one request, when no book is kept yet; the first kept one stays.
        Again:  a kept book is not read again; only a crash between answer and row asks twice.
        """
        token_id = await self.store.needs_book(command.close_id)
        if token_id is not None:
            read = await self.books.read_book(token_id)
            await self.store.keep_book(command.close_id, read.book, read.raw, read.received_at)
        return BookKept()

    @activity.defn
    async def book_close(self, command: CloseRef) -> CloseDone:
        """Sell at the kept book.

        Effect: ledger lines, position, portfolio, the close, its operation, audit, event: one transaction.
        Again:  the status says that it was done.
        """
        return await self.store.close(command.close_id)

    @activity.defn
    async def reject_close(self, command: RejectClose) -> CloseDone:
        """Sell nothing.

        Effect: the close, its operation, audit, event: one transaction.
        Again:  what is decided stays.
        """
        return await self.store.reject(command.close_id, command.code)
