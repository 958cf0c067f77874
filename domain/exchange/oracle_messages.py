"""What the oracle's workflows and activities say to each other. Frozen; fields are only ever added, with defaults."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from domain.exchange.oracle import Found, Signal, Source


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class RefreshRef(Message):
    """`asset_id` names the asset, `operation_id` the operation when an operator asked."""

    asset_id: str
    operation_id: str | None = None


class RefreshOpened(Message):
    """What a refresh works with. `skip`: why there is nothing to do. `signal_id` is the row it will write.
    `stopped`: why nothing may be asked (the oracle is not configured)."""

    signal_id: str
    symbol: str = ""
    name: str = ""
    queries: tuple[str, ...] = ()
    skip: str = ""
    stopped: str = ""


class TakeBudget(Message):
    """`resource`: searches or analyses; `now` is the workflow's clock, its UTC day is the budget's."""

    resource: str
    calls: int
    now: datetime


class BudgetTaken(Message):
    granted: bool
    detail: str = ""


class SearchWeb(Message):
    query: str


class WebSearched(Message):
    provider: str
    found: tuple[Found, ...]


class AnalyseSources(Message):
    symbol: str
    name: str
    sources: tuple[Source, ...]


class SourcesAnalysed(Message):
    """`signal` is None when the answer was refused; `reason` and `detail` say why. `answer` is what the model wrote."""

    provider: str
    model: str
    prompt_sha256: str
    answer: str
    signal: Signal | None = None
    reason: str = ""
    detail: str = ""


class Attempt(Message):
    """One of at most three. `stage`: search, analysis or validation; empty when it gave a signal."""

    number: int
    stage: str = ""
    reason: str = ""
    detail: str = ""
    provider: str = ""
    model: str = ""
    prompt_sha256: str = ""
    answer: str = ""


class RefreshEnded(Message):
    """`status`: accepted, failed or skipped."""

    status: str
    summary: str
    signal_id: str = ""
    attempts: int = 0


class RecordRefresh(Message):
    """How a refresh ended: with `signal`, or without after `attempts`. `stopped`: nothing (more) was asked, because
    the day's budget is used up (budget_exhausted) or the oracle is not configured (not_configured).

    `now` is the workflow's clock: degradation is counted from it.
    """

    asset_id: str
    operation_id: str | None
    signal_id: str
    workflow_id: str
    now: datetime
    search_provider: str = ""
    queries: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    signal: Signal | None = None
    stopped: str = ""


class OracleNews(Message):
    """Signal `oracle` to the price engine: this row waits. The row is the truth; a lost signal only delays it."""

    signal_id: str


class RefreshAssets(Message):
    """One round. `slot` is its scheduled time, `after` the last asset of the page before (continue-as-new)."""

    spread_s: int = 0
    at_once: int = 4
    slot: str = ""
    after: str = ""
    started: int = 0


class RoundPage(Message):
    after: str = ""


class RoundAssets(Message):
    asset_ids: tuple[str, ...]
    more: bool = False
