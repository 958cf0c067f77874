"""Requested contributions that nobody has decided yet: a request accepted by an API process that died right after."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from storage.books import Books
from storage.exchange.funding import refuse_requested
from storage.exchange.pools import lock_asset

PATIENCE_S = 5
"""The API hands a request over within milliseconds; older ones were forgotten."""


class ForgottenRequest(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    asset_id: str


class Requests:
    def __init__(self, books: Books, patience_s: float = PATIENCE_S) -> None:
        self.books = books
        self.patience_s = patience_s

    async def waiting(self) -> list[ForgottenRequest]:
        """The newest forgotten request of each asset that is funding: deciding it decides the older ones before."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT DISTINCT ON (c.asset_id) c.id, c.asset_id
                   FROM exchange.contributions c JOIN exchange.assets a ON a.id = c.asset_id
                   WHERE c.status = 'requested' AND a.status = 'funding'
                     AND c.created_at < clock_timestamp() - make_interval(secs => %s)
                   ORDER BY c.asset_id, c.id DESC""",
                [self.patience_s],
            )
            return [ForgottenRequest.model_validate(row) for row in await cursor.fetchall()]

    async def refuse_late(self) -> int:
        """Refuse requests to assets that take none any more; how many."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT DISTINCT c.asset_id FROM exchange.contributions c JOIN exchange.assets a ON a.id = c.asset_id
                   WHERE c.status = 'requested' AND a.status <> 'funding' ORDER BY 1"""
            )
            late = [row["asset_id"] for row in await cursor.fetchall()]
            return sum([await refuse_requested(book, await lock_asset(book, asset_id)) for asset_id in late])
