"""What workflows and activities say to each other about copying a group. Frozen; fields only added, with defaults."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class CopyGroup(Message):
    """Input of `CopyAttempt`; all else is read from the books."""

    group_key: str


class InputsTaken(Message):
    """`wait_ms` > 0: it is due so much later, too long to wait inside an activity; nothing was taken yet."""

    wait_ms: int = 0
    book: bool = False
    requests: int = 0
    lateness_us: int = 0


class UserDrained(Message):
    """What draining the leader's own portfolio came to. `decision` "": an earlier group has no result yet."""

    decided: int = 0
    decision: str = ""
    reason_codes: tuple[str, ...] = ()
    waits_for: str = ""
    summary: str = ""


class CopyAttempted(Message):
    """How a copy attempt ended for the leader's own portfolio."""

    decision: str = ""
    reason_codes: tuple[str, ...] = ()
    lateness_us: int = 0
    summary: str = ""


class RunGlobal(Message):
    """Input of `GlobalPortfolio`."""


class GlobalRan(Message):
    """The activity handed over its turn; `decided` groups in it."""

    decided: int = 0
