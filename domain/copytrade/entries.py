"""The paper ledger's words: which portfolios there are, what an entry is. Micros of USDC, shares and prices."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Scope(StrEnum):
    """Shadow: what the leader does. Executable: what copying would have given, per leader and over all."""

    SHADOW_USER = "SHADOW_USER"
    EXEC_USER = "EXEC_USER"
    EXEC_GLOBAL = "EXEC_GLOBAL"


class EntryType(StrEnum):
    TRADE_FILL = "TRADE_FILL"
    MERGE = "MERGE"
    SPLIT = "SPLIT"
    REDEEM = "REDEEM"
    CONVERSION = "CONVERSION"
    FEE = "FEE"
    MARK = "MARK"  # of the seed; reserved, never written (CG-034)
    SETTLEMENT = "SETTLEMENT"
    DEPOSIT = "DEPOSIT"  # bankroll, paper cash in or out, and what a leader held when following began
    CLOSE = "CLOSE"  # an operator's paper close


class Entry(NamedTuple):
    """One line: what moved, at which price, because of what. `token_id` "" for a line that moves only cash.

    A negative `shares` takes from the position at its average cost; what it brought beyond that is realised.
    """

    kind: EntryType
    ref_id: str
    condition_id: str
    token_id: str
    shares: int
    cash: int
    price: int | None
    event_time: datetime
