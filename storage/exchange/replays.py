"""Quarantined transfers that an operator wants read again: the marks, and what reading them again found."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from domain.exchange.messages import TransferLog
from domain.exchange.passed_over import blocks_of
from domain.shared.events import Event
from storage.books import Book
from storage.events import emit

WAITING = "state = 'replayed' AND taken_up_at IS NULL"


class Replay(BaseModel):
    """One item, and the blocks to read again for it."""

    model_config = ConfigDict(frozen=True)
    item_id: str
    first: int
    last: int


async def waiting(book: Book, below: int) -> list[Replay]:
    """Marked items whose blocks all lie below a block; the scanner has yet to come to the others by itself."""
    cursor = await book.connection.execute(
        f"SELECT id, kind, payload FROM platform.quarantine WHERE {WAITING} ORDER BY id LIMIT 20"
    )
    found = [(row["id"], blocks_of(row["kind"], row["payload"])) for row in await cursor.fetchall()]
    return [Replay(item_id=name, first=b.first, last=b.last) for name, b in found if b is not None and b.last < below]


async def taken_up(book: Book, replay: Replay, logs: Sequence[TransferLog], changed: int) -> None:
    """Note that the item was read again. One that was odd again is held again, and stays so."""
    cursor = await book.connection.execute(
        f"UPDATE platform.quarantine SET taken_up_at = clock_timestamp() WHERE id = %s AND {WAITING} RETURNING source",
        [replay.item_id],
    )
    row = await cursor.fetchone()
    if row is not None:
        told = {"id": replay.item_id, "source": row["source"], "transfers": len(logs), "new": changed}
        await emit(book.connection, Event(topic="system", type="quarantine_taken_up", payload={**told}))
