"""The state of the whole, whether it holds together, the audit log, and the catalogue of problems."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import structlog
from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies, paging
from api.http.documented import guarded, public
from api.http.edge import RequestMetrics
from api.http.scopes import STAFF
from api.system import examples, temporal
from domain.launchpad.reconcile import Reconciled
from domain.shared.errors import Rejected
from domain.shared.money import format_usdc
from domain.shared.problems import PROBLEMS
from storage.reads import invariants as rules
from storage.reads import system as reads

TAG: Final = "System"
_log = structlog.get_logger("api.system")


class StatusView(BaseModel):
    """`temporal` is null when the workflow service does not answer. `http`: this process since its start."""

    operations: dict[str, int]
    undispatched: int
    dead_letters: int
    open_alerts: int
    webhook_deliveries: dict[str, int]
    last_event_at: datetime | None
    last_backfill_at: datetime | None
    chains: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    copytrade: dict[str, Any]
    database_bytes: int
    temporal: dict[str, Any] | None
    http: dict[str, int]


@get("/api/system/status",
     **guarded("Read the system's state", tag=TAG, scopes=("system:read",),
               response_example=examples.STATUS))  # fmt: skip
async def status(deps: Deps, metrics: RequestMetrics) -> Response[StatusView]:
    """Operations by status, intents not dispatched, dead letters, alerts, chain cursors, last backfill and job runs,
    copytrade's stages and how fresh they are, database size; queue backlogs, failed workflows and schedules from
    Temporal; requests and errors of this process.
    """
    body = await reads.status(deps.reads)
    answered = {"requests": metrics.answered, "errors": metrics.failed, "error_rate_bps": metrics.error_rate_bps}
    return bodies.json_response(bodies.splice(body, temporal=await temporal.state(deps.processes), http=answered))


class CheckView(BaseModel):
    name: str
    ok: bool
    expected: str
    actual: str
    detail: str


class InvariantsView(BaseModel):
    ok: bool
    checks: list[CheckView]


@get("/api/system/invariants",
     **guarded("Check the invariants", "chain_unavailable", "chain_lagging", "quarantined", "unavailable",
               "temporal_unavailable", "solana_unavailable", tag=TAG, scopes=("system:read",),
               response_example={"ok": True, "checks": [{
                   "name": "ledger_transfers_sum_to_zero", "ok": True, "expected": "0", "actual": "0",
                   "detail": "every transfer has two lines or more and sums to zero per unit"}]}))  # fmt: skip
async def invariants(deps: Deps) -> Response[InvariantsView]:
    """Computed now, from the books and the chain: sums to zero, balances equal postings, holds, withdrawals and
    deposits match the ledger, custody covers liabilities at one block, every sale is what Solana says it is. 503 when
    a chain does not answer: not knowing is not `ok`.
    """
    solvency = await deps.solvency()
    checks = [await rules.check(deps.reads, rule) for rule in rules.RULES]
    covered = solvency.custody + solvency.in_flight
    checks.append(
        rules.Verdict(
            "custody_covers_liabilities",
            solvency.ok,
            format_usdc(solvency.liabilities),
            format_usdc(covered),
            f"at block {solvency.block_number}: custody {format_usdc(solvency.custody)} and in flight"
            f" {format_usdc(solvency.in_flight)} USDC",
        )
    )
    if deps.launchpad is not None:
        checks.append(_sales(await deps.launchpad()))
    ok = all(check.ok for check in checks)
    if not ok:
        _log.error("invariants_broken", checks=[c.name for c in checks if not c.ok])
    return bodies.encoded({"ok": ok, "checks": [c._asdict() for c in checks]})


def _sales(found: Reconciled) -> rules.Verdict:
    detail = "; ".join([found.summary, *(f"{subject}: {text}" for subject, text in found.differs.items())])
    return rules.Verdict("sales_equal_the_chain", not found.differs, "0", str(len(found.differs)), detail)


class AuditEntry(BaseModel):
    id: str
    principal: str
    action: str
    subject: str
    detail: dict[str, Any]
    created_at: datetime


class AuditPage(BaseModel):
    items: list[AuditEntry]
    next_cursor: str | None


@get("/api/system/audit",
     **guarded("Read the audit log", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("system:read",), roles=STAFF,
               csv=True, response_example=examples.page(examples.AUDIT)))  # fmt: skip
async def audit_log(
    request: Request[Any, Any, Any],
    deps: Deps,
    subject: Annotated[str | None, QueryParameter(required=False, pattern="^[!-~]{1,200}$")] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[AuditPage]:
    """Who changed what, newest first; append-only."""
    after = paging.after(request, cursor)
    found = await reads.audit_log(deps.reads, subject=subject, limit=limit, after=after)
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key, csv_allowed=True)


class ProblemView(BaseModel):
    code: str
    status: int
    title: str
    advice: str


class ProblemList(BaseModel):
    items: list[ProblemView]
    next_cursor: str | None


def _entry(code: str) -> dict[str, Any]:
    return {"code": code, **PROBLEMS[code]._asdict()}


@get("/api/problems",
     **public("List problem codes", tag=TAG, response_example=examples.page(examples.PROBLEM)))  # fmt: skip
async def problem_list() -> Response[ProblemList]:
    """Every stable code with its status and what to do."""
    return bodies.encoded({"items": [_entry(code) for code in sorted(PROBLEMS)], "next_cursor": None})


@get("/api/problems/{code:str}",
     **public("Explain a problem code", tag=TAG, response_example=examples.PROBLEM))  # fmt: skip
async def problem(code: FromPath[str]) -> Response[ProblemView]:
    """What the `type` of a problem points to."""
    if code not in PROBLEMS:
        raise Rejected("not_found", "no such code")
    return bodies.json_response(msgspec.json.encode(_entry(code)))
