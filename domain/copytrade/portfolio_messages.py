"""What workflows and activities of paper portfolios say to each other. Frozen; fields are only added, with defaults."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class MarksRead(Message):
    """Of one round. `stale`: held tokens that got no price now and keep the one they had, if any. `away`: those of them
    for which the venue did not answer."""

    held: int = 0
    marked: int = 0
    stale: int = 0
    away: int = 0


class SnapshotsTaken(Message):
    portfolios: int = 0
    written: int = 0
    unpriced: int = 0
    latched: int = 0


class RebuildRef(Message):
    rebuild_id: str


class RebuildDone(Message):
    """`changed`: rows that were missing, surplus or said something else. `ended`: nothing is left to do."""

    snapshots: int = 0
    changed: int = 0
    ended: bool = False
    summary: str = ""


class ConfigTestRef(Message):
    test_id: str


class ConfigTested(Message):
    """How a test of rules ended; the report itself is in its row."""

    evaluable: bool = True
    groups: int = 0
    changed: int = 0
    summary: str = ""


class CloseRef(Message):
    close_id: str


class BookKept(Message):
    """The one book of a close: whether there is one."""

    found: bool = True


class CloseDone(Message):
    """`status`: requested, closed or rejected; `code`: why it was rejected."""

    status: str = "requested"
    code: str = ""
    summary: str = ""


class RejectClose(Message):
    close_id: str
    code: str
