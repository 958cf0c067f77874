"""What workflows and activities of the system's own upkeep say to each other.

Frozen models; fields are only ever added, with defaults. No secret and no event content ever travels here.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


# --- runs that have an operation row ---------------------------------------------------------------------------------


class OpenRun(Message):
    """`subject_id` is empty when a schedule started it: then the workflow's id names the run."""

    kind: str
    subject_id: str
    summary: str
    steps: tuple[str, ...]


class RunOpened(Message):
    operation_id: str


class StepNote(Message):
    operation_id: str
    step: str
    status: str
    detail: str = ""


class CloseRun(Message):
    """`status`: completed, failed or cancelled. `job` is the name in platform.job_runs."""

    operation_id: str
    kind: str
    job: str
    status: str
    summary: str
    figures: dict[str, str] = {}


# --- backups ---------------------------------------------------------------------------------------------------------


class LedgerTotals(Message):
    """What a restored ledger must have again; sums as strings, they outgrow 2^53."""

    transfers: int
    postings: int
    turnover: dict[str, str]
    """Per unit: the sum of all positive postings."""


class BooksFacts(Message):
    """The books at the very snapshot that was dumped."""

    revision: str
    totals: LedgerTotals


class Member(Message):
    """One part of an archive."""

    name: str
    size: int
    sha256: str


class Manifest(Message):
    """The last word of an archive: what is in it. Authenticated like the rest."""

    format: int = 1
    created_at: str
    app_version: str
    books: BooksFacts
    members: tuple[Member, ...]


class ArchiveRef(Message):
    """`name` is final; `partial` is the file it still lies in (empty: it is published)."""

    name: str
    partial: str = ""


class ArchiveWritten(Message):
    archive: ArchiveRef
    size: int


class ArchiveVerified(Message):
    size: int
    manifest: Manifest


class Pruned(Message):
    removed: tuple[str, ...]
    kept: int


class BackupDone(Message):
    name: str
    size: int
    removed: tuple[str, ...] = ()


# --- the restore drill -----------------------------------------------------------------------------------------------


class ScratchRef(Message):
    """A database made for one drill; `archive` is what is restored into it."""

    name: str
    archive: str = ""


class DrillChosen(Message):
    archive: str
    manifest: Manifest


class CheckScratch(Message):
    scratch: ScratchRef
    expected: BooksFacts


class DrillDone(Message):
    archive: str
    summary: str


# --- checks and retention --------------------------------------------------------------------------------------------


class LedgerChecked(Message):
    """`ok`, `summary`: of the rules of money. `paper`: which rules of paper portfolios are broken, "" none.
    `figures`: rule name to what was found."""

    ok: bool
    summary: str
    figures: dict[str, str] = {}
    paper: str = ""


class RetentionRule(Message):
    name: str


class RetentionDone(Message):
    deleted: dict[str, int]


# --- webhooks --------------------------------------------------------------------------------------------------------


class HandedOut(Message):
    """The fan-out gave its turn away; `deliveries` were started in it."""

    deliveries: int = 0


class DeliveryRef(Message):
    delivery_id: str


class DeliveryTried(Message):
    """What one POST came to. `gone`: there is nothing to deliver any more, or nobody to deliver it to."""

    delivered: bool = False
    gone: bool = False
    detail: str = ""
    retry_after_s: int = 0


class RecordAttempt(Message):
    """`final`: no further attempt follows. `alarm`: a receiver that stays away calls an operator."""

    delivery_id: str
    attempts: int
    delivered: bool = False
    final: bool = False
    alarm: bool = False
    detail: str = ""


class DeliveryDone(Message):
    status: str
    attempts: int


# --- processes -------------------------------------------------------------------------------------------------------


class OpenOperation(Message):
    """`parked`: it waits for an operator, whose act may well be booked without its process."""

    operation_id: str
    workflow_id: str
    parked: bool = False


class Gone(Message):
    """An open operation without a running process. `status`: how Temporal says its last run ended."""

    operation_id: str
    workflow_id: str
    status: str = ""


class ProcessesFound(Message):
    """`unknown` to Temporal (lost, restored from an older copy); `ended` before their rows were."""

    looked_at: int = 0
    unknown: tuple[Gone, ...] = ()
    ended: tuple[Gone, ...] = ()

    @property
    def summary(self) -> str:
        return f"{self.looked_at} open operations: {len(self.unknown)} lost, {len(self.ended)} ended before their time"
