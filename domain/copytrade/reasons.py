"""Why a group was not copied. Values are public and stored; the order of the list is the order they are reported in.

The order is CT-102's: what stops everything first, then loss breakers, exposure caps, what the portfolio holds, sizes,
and the book last. CT-100 locks eleven of the names; the others are CG-043 and CT-206.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    ENGINE_PAUSED = "ENGINE_PAUSED"
    USER_DISABLED = "USER_DISABLED"
    MARKET_BLACKLISTED = "MARKET_BLACKLISTED"
    EVENT_TOO_OLD = "EVENT_TOO_OLD"
    MARKET_TOO_CLOSE_TO_CLOSE = "MARKET_TOO_CLOSE_TO_CLOSE"
    CIRCUIT_BREAKER_TRIPPED = "CIRCUIT_BREAKER_TRIPPED"
    RISK_CAP_GLOBAL = "RISK_CAP_GLOBAL"
    RISK_CAP_USER = "RISK_CAP_USER"
    BUDGET_HARD_CAP_EXCEEDED = "BUDGET_HARD_CAP_EXCEEDED"
    NOT_ENOUGH_POSITION_TO_SELL = "NOT_ENOUGH_POSITION_TO_SELL"
    MERGE_SPLIT_NOT_APPLICABLE = "MERGE_SPLIT_NOT_APPLICABLE"
    INSUFFICIENT_CASH = "INSUFFICIENT_CASH"
    LEADER_TRADE_BELOW_MIN_NOTIONAL = "LEADER_TRADE_BELOW_MIN_NOTIONAL"
    BELOW_MIN_NOTIONAL = "BELOW_MIN_NOTIONAL"
    BUFFERED = "BUFFERED"
    BUFFER_FLUSH_BELOW_MIN_EXEC = "BUFFER_FLUSH_BELOW_MIN_EXEC"
    BOOK_UNAVAILABLE = "BOOK_UNAVAILABLE"
    BOOK_STALE = "BOOK_STALE"
    ONE_SIDED_BOOK = "ONE_SIDED_BOOK"
    CROSSED_BOOK = "CROSSED_BOOK"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    NO_LIQUIDITY_WITHIN_BOUNDS = "NO_LIQUIDITY_WITHIN_BOUNDS"
    INSUFFICIENT_DEPTH = "INSUFFICIENT_DEPTH"
    PRICE_WORSE_THAN_THEIR_FILL = "PRICE_WORSE_THAN_THEIR_FILL"
    PRICE_TOO_FAR_OVER_MID = "PRICE_TOO_FAR_OVER_MID"
    BUY_COST_PER_SHARE_TOO_HIGH = "BUY_COST_PER_SHARE_TOO_HIGH"


_PLACE: Final = {reason: place for place, reason in enumerate(Reason)}


def in_order(found: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each once, in the order of the list."""
    return tuple(sorted(set(found), key=_PLACE.__getitem__))
