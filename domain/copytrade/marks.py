"""What a held token is worth: the mid; without one the last trade; once resolved its payout. Never a guess.

The mid comes from best bid and best ask, so that a one-sided, crossed or placeholder book (0.01 to 0.99, whose mid of
0.50 says nothing) is no price. Marks are kept in buckets of 30 seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple

from domain.copytrade.books import PLACEHOLDER_ASK, PLACEHOLDER_BID
from domain.copytrade.venue import Side

BUCKET_S: Final = 30

Source = Literal["mid", "last_trade", "payout"]


class Held(NamedTuple):
    """A token somebody holds. `payout`: micros a share pays, once the market is resolved."""

    token_id: str
    payout: int | None


class Priced(NamedTuple):
    token_id: str
    micros: int
    source: Source


def mid_of(touch: Mapping[Side, int] | None) -> int | None:
    """The mid in micros of best bid (BUY) and best ask (SELL), rounded down; None when they give no price."""
    if touch is None or Side.BUY not in touch or Side.SELL not in touch:
        return None
    bid, ask = touch[Side.BUY], touch[Side.SELL]
    if bid >= ask or (bid <= PLACEHOLDER_BID and ask >= PLACEHOLDER_ASK):
        return None
    return (bid + ask) // 2


def bucket_of(moment: datetime) -> datetime:
    return moment.replace(second=moment.second // BUCKET_S * BUCKET_S, microsecond=0)
