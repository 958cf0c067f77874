"""Marks of what portfolios hold, read from the venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.copytrade.marks import Priced, mid_of
from domain.copytrade.portfolio_messages import MarksRead
from domain.copytrade.venue import LastTrade, Side
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from storage.copytrade.marks import MarkStore

log = structlog.get_logger(__name__)

BATCH: Final = 500
"""Tokens a request; the venue takes no more last trades at once."""


class Prices(Protocol):
    """Of the CLOB gateway. Tokens it says nothing about are left out."""

    async def prices(self, token_ids: Sequence[str]) -> Mapping[str, Mapping[Side, int]]: ...

    async def last_trades(self, token_ids: Sequence[str]) -> Mapping[str, LastTrade]: ...


class MarkActivities:
    def __init__(self, store: MarkStore, venue: Prices) -> None:
        self.store = store
        self.venue = venue

    @activity.defn
    async def read_marks(self) -> MarksRead:
        """Price every held token: payout when resolved, else the mid, else the last trade, else not at all.

        What the venue does not answer now is left for the next round: a late mark is worth nothing.

        Effect: reads of the venue in batches; per batch, marks in one transaction.
        Again:  a bucket of 30 seconds keeps its newest mark.
        """
        marked = away = 0
        async with beating():
            held = await self.store.held()
            for first in range(0, len(held), BATCH):
                leave_if_stopping()
                batch = held[first : first + BATCH]
                found = [Priced(one.token_id, one.payout, "payout") for one in batch if one.payout is not None]
                trading = [one.token_id for one in batch if one.payout is None]
                try:
                    found += await self._price(trading)
                except Unavailable as error:
                    log.warning("marks_unavailable", code=error.code, detail=error.detail)
                    away += len(trading)
                if found:
                    await self.store.write(found)
                marked += len(found)
        return MarksRead(held=len(held), marked=marked, stale=len(held) - marked, away=away)

    async def _price(self, tokens: Sequence[str]) -> list[Priced]:
        touches = await self.venue.prices(tokens) if tokens else {}
        mids = {token: mid for token in tokens if (mid := mid_of(touches.get(token))) is not None}
        rest = [token for token in tokens if token not in mids]
        trades = await self.venue.last_trades(rest) if rest else {}
        found = [Priced(token, mid, "mid") for token, mid in mids.items()]
        return found + [Priced(token, trades[token].price, "last_trade") for token in rest if token in trades]
