"""What the price engine, the event feed and halts say to each other: commands (imperative), facts (past tense)."""

from __future__ import annotations

from datetime import datetime

from domain.exchange.messages import Message


class AssetNews(Message):
    """Signal `trades`: events of this asset were committed; `(xact, position)` is the newest one's place in the outbox.

    A hint, as every signal: what was traded is read from the books. `events`: how many it stands for, for people.
    """

    xact: int = 0
    position: int = 0
    events: int = 0


class PriceEngineState(Message):
    """What a price engine carries into its next run: the newest place in the outbox it was told of."""

    asset_id: str
    xact: int = 0
    position: int = 0


class RecordTick(Message):
    """Price this asset at `at`, or later if the database's clock says so."""

    asset_id: str
    at: datetime


class TickRecorded(Message):
    """`written` False: nothing new, and the last tick is young. `again_in_ms`: when the next one is due at the latest.

    `ended`: this asset has no price (any more).
    """

    written: bool = False
    ended: bool = False
    again_in_ms: int = 0
    summary: str = ""


class FeedRead(Message):
    """The feed handed over its turn; it has passed on `events` in it."""

    events: int = 0


class HaltRef(Message):
    halt_id: str


class HaltState(Message):
    """A halt as its row says. `until` is when it ends by itself."""

    until: datetime
    ended: bool = False
    ended_by: str = ""
    symbol: str = ""
    cause: str = ""


class EndHalt(Message):
    """End it at `at`: because its time is over, or because `principal` says so."""

    halt_id: str
    at: datetime
    principal: str = ""
    note: str = ""


class ExtendHalt(Message):
    """It ends at `until`, unless it would have ended later anyway."""

    halt_id: str
    until: datetime
    principal: str
    note: str = ""


class ResumeTrading(Message):
    """Update `resume`: an operator ends the halt now."""

    principal: str
    note: str = ""


class LengthenHalt(Message):
    """Update `extend`: an operator adds `seconds` to what is left."""

    principal: str
    seconds: int
    note: str = ""
