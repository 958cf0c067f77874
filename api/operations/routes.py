"""Operations: the durable processes as people see them, without asking Temporal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import BaseModel

from api.deps import ApiConfig, Deps
from api.dispatch import Dispatch
from api.exchange.contributions import cancel_round
from api.exchange.lp import cancel_lp_withdrawal
from api.exchange.withdrawals import cancel_withdrawal
from api.http import bodies, paging
from api.http.asked import AccountFilter, DecisionNote, note_of, own_or_asked
from api.http.documented import guarded
from api.http.idempotency import effect, json_answer
from api.http.scopes import STAFF, Principal
from api.launchpad.launch_cancel import cancel_launch
from domain.shared.errors import Rejected
from domain.shared.processes import PROCESSES, RetryProcess
from storage.database import transaction
from storage.events import audit
from storage.intents.idempotency import Stored
from storage.intents.opened import dispatch_again
from storage.reads import operations as reads
from storage.reads.base import Row

TAG: Final = "Operations"
OperationStatus = Literal["running", "waiting", "completed", "failed", "cancelled", "needs_operator"]
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
EXAMPLE: Final = {
    "temporal_ui_url": f"http://127.0.0.1:8233/namespaces/default/workflows/withdrawal%3A{_ID}",
    "id": _ID,
    "kind": "withdrawal",
    "subject_id": _ID,
    "account_id": _ID,
    "status": "running",
    "summary": "Withdraw 25 USDC to 0x5aaeb6…1beaed",
    "failure_code": None,
    "started_at": "2026-11-21T04:00:00.000000Z",
    "finished_at": None,
    "steps": [
        {
            "name": "hold",
            "status": "done",
            "attempts": 1,
            "started_at": "2026-11-21T04:00:00.000000Z",
            "finished_at": "2026-11-21T04:00:00.100000Z",
            "detail": "25 USDC",
            "links": [],
        }
    ],
}


class StepView(BaseModel):
    name: str
    status: Literal["pending", "running", "done", "failed", "skipped", "undone"]
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    detail: str
    links: list[dict[str, Any]]


class OperationView(BaseModel):
    id: str
    kind: str
    subject_id: str
    account_id: str | None
    status: OperationStatus
    summary: str
    failure_code: str | None
    started_at: datetime
    finished_at: datetime | None
    steps: list[StepView]
    temporal_ui_url: str


class OperationPage(BaseModel):
    items: list[OperationView]
    next_cursor: str | None


def body_of(row: Row, config: ApiConfig) -> str:
    """An operation's JSON with its place in the Temporal UI."""
    url = f"{config.temporal_ui_url}/namespaces/{quote(config.temporal_namespace, safe='')}/workflows/"
    return bodies.splice(row["body"], temporal_ui_url=url + quote(row["workflow_id"], safe=""))


async def _row(deps: Deps, principal: Principal, operation_id: UUID) -> Row:
    row = await reads.operation(deps.reads, str(operation_id))
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such operation, or not yours")
    return row


@get("/api/operations",
     **guarded("List operations", "invalid_cursor", tag=TAG, scopes=("exchange:read",),
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_operations(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    kind: Annotated[str | None, QueryParameter(required=False, pattern="^[a-z_]{1,60}$")] = None,
    status: Annotated[OperationStatus | None, QueryParameter(required=False)] = None,
    account_id: AccountFilter = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[OperationPage]:
    """Newest first. Kinds are deposit, withdrawal, sweep, backup and so on; an unknown kind gives an empty list."""
    owner = own_or_asked(principal, account_id)
    if kind is not None and kind not in PROCESSES:
        return paging.answer(request, [], None)
    found = await reads.operations(
        deps.reads, account_id=owner, kind=kind, status=status, limit=limit, after=paging.after(request, cursor)
    )
    return paging.answer(request, [body_of(r, deps.config) for r in found.rows], found.next_key)


@get("/api/operations/{operation_id:uuid}",
     **guarded("Read an operation", tag=TAG, scopes=("exchange:read",), response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, principal: Principal, operation_id: FromPath[UUID]) -> Response[OperationView]:
    """Status, the sentence for people, and every step with its attempts."""
    return bodies.json_response(body_of(await _row(deps, principal, operation_id), deps.config))


@post("/api/operations/{operation_id:uuid}/cancel", status_code=200,
      **guarded("Cancel an operation", "not_cancellable", "launch_not_cancellable", "conflict", "temporal_unavailable",
                tag=TAG, scopes=("exchange:withdraw",), body=True, keyed=True,
                request_example={"note": "no longer wanted"},
                response_example=EXAMPLE | {"status": "cancelled"}))  # fmt: skip
async def cancel(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    operation_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[OperationView]:
    """A withdrawal can be cancelled until it is signed, one of liquidity until it is paid, a launch until its mint may
    be; operators cancel funding rounds. Other kinds end by themselves. The body may be left out.
    """
    note = note_of(data)

    async def act() -> Stored:
        row = await _row(deps, principal, operation_id)
        await _cancel(deps, dispatch, principal, row, note)
        return json_answer(200, body_of(await _row(deps, principal, operation_id), deps.config))

    return await effect(request, deps, principal, act)


async def _cancel(deps: Deps, dispatch: Dispatch, principal: Principal, row: Row, note: str) -> None:
    """As the route of its own would. Raises Rejected not_cancellable for kinds that end by themselves."""
    kind, subject = row["kind"], row["subject_id"]
    if kind == "withdrawal":
        await cancel_withdrawal(deps, dispatch, principal, subject, note)
    elif kind == "lp_withdrawal":
        await cancel_lp_withdrawal(deps, dispatch, principal, subject)
    elif kind == "token_launch":
        await cancel_launch(deps, dispatch, principal, subject, note)
    elif kind == "funding_round" and principal.staff:
        await cancel_round(deps, dispatch, principal, subject, note)
    else:
        raise Rejected("not_cancellable", f"a {kind} cannot be cancelled")


@post("/api/operations/{operation_id:uuid}/retry", status_code=202,
      **guarded("Retry an operation", "not_retryable", "temporal_unavailable", tag=TAG, scopes=("system:write",),
                roles=STAFF, body=True, keyed=True, request_example={"note": "wallet refilled"},
                response_example=EXAMPLE))  # fmt: skip
async def retry(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    operation_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[OperationView]:
    """Tells a process that waits for an operator to try again. One that has ended cannot be retried: its id is its
    idempotency. One that Temporal does not know is started again from its row.
    """
    note = note_of(data)

    async def act() -> Stored:
        row = await _row(deps, principal, operation_id)
        if row["status"] not in ("needs_operator", "failed"):
            raise Rejected("not_retryable", f"it is {row['status']}")
        poke = RetryProcess(cause=f"operator {principal.account_id}: {note}")
        if not await deps.processes.signal(row["workflow_id"], "retry", poke):
            await _revive(deps, row)
        async with transaction(deps.writes) as connection:
            await audit(connection, principal.account_id, "operation_retried", str(operation_id), note=note)
        location = f"/api/operations/{operation_id}"
        return json_answer(202, body_of(await _row(deps, principal, operation_id), deps.config), location=location)

    return await effect(request, deps, principal, act)


async def _revive(deps: Deps, row: Row) -> None:
    """Nothing runs under this id: hand it to the dispatcher if nothing ever did, refuse if it has ended."""
    if await deps.processes.state(row["workflow_id"]) is not None:
        raise Rejected("not_retryable", "its process has ended; a new request makes a new one")
    await dispatch_again(deps.writes, row["id"])
