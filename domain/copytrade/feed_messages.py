"""What the processes around the feed say to their activities. Frozen; fields are only added, with defaults."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class RunFeed(Message):
    """Input of `CopytradeFeed`."""


class FeedRan(Message):
    """The activity handed over its turn. `rows` that were new in it."""

    rows: int = 0


class FollowStep(Message):
    user_id: str
    operation_id: str | None = None
    wallet: str = ""


class LeaderResolved(Message):
    """`name`: what the venue calls the leader."""

    wallet: str
    name: str = ""


class BaselineTaken(Message):
    positions: int = 0
    rows: int = 0
    looks: int = 0


class FollowEnded(Message):
    """`code` "": the leader is followed."""

    user_id: str
    operation_id: str | None = None
    code: str = ""
    summary: str = ""


class MarketsRead(Message):
    """`applied`: activity events that had waited for these facts."""

    markets: int = 0
    unknown: int = 0
    applied: int = 0


class Unresolved(Message):
    """Markets whose resolution is worth asking for: somebody holds them, or an event waits for their payouts."""

    condition_ids: tuple[str, ...] = ()


class ResolutionRead(Message):
    condition_id: str
    status: str
    payouts: tuple[int, ...] | None = None
    resolved_at: int | None = None


class ResolutionsRead(Message):
    found: tuple[ResolutionRead, ...] = ()


class MarketSettled(Message):
    """`positions` paid out, over all portfolios; `applied`: redemptions that had waited."""

    condition_id: str = ""
    positions: int = 0
    applied: int = 0


class SettlementDone(Message):
    looked: int = 0
    resolved: int = 0
    positions: int = 0


class Leaders(Message):
    user_ids: tuple[str, ...] = ()


class LeaderRef(Message):
    user_id: str


class DriftFound(Message):
    """Of one leader. `tokens` in which shadow and venue differ now, `alerted` for the third time or more."""

    user_id: str
    tokens: int = 0
    alerted: int = 0
    missing: int = 0
    """Fills of the trades feed that the books do not have; they are read again."""


class DriftDone(Message):
    leaders: int = 0
    tokens: int = 0
    failed: int = 0


class BackfillPlan(Message):
    hours: int = 0
    user_ids: tuple[str, ...] = ()


class BackfillLeader(Message):
    user_id: str
    hours: int


class BackfillRead(Message):
    rows: int = 0
    new: int = 0


class BackfillEnded(Message):
    operation_id: str | None = None
    rows: int = 0
    new: int = 0
    leaders: int = 0
