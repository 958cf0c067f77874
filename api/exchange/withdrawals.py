"""Reading withdrawals, and deciding about them: approve, reject, cancel."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.deps import Deps
from api.dispatch import Dispatch
from api.exchange.views import WithdrawalPage, WithdrawalStatus, WithdrawalView
from api.http import bodies, paging
from api.http.asked import AccountFilter, DecisionNote, note_of, own_or_asked
from api.http.documented import guarded
from api.http.idempotency import effect, json_answer
from api.http.scopes import STAFF, Principal
from domain.exchange.messages import Decision, WithdrawalState
from domain.exchange.withdrawals import CANCELLABLE
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.reads import exchange as reads
from storage.reads import operations
from storage.reads.base import Row

TAG: Final = "Exchange: custody"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
EXAMPLE: Final = {
    "to_address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "id": _ID,
    "account_id": _ID,
    "chain_id": 421614,
    "amount_usdc": "100.25",
    "fee_usdc": "0",
    "status": "requested",
    "reason": None,
    "failure_code": None,
    "requested_by": _ID,
    "decided_by": None,
    "tx_hash": None,
    "tx_hashes": [],
    "operation_id": _ID,
    "created_at": "2026-11-21T04:00:00.000000Z",
    "updated_at": "2026-11-21T04:00:00.000000Z",
    "finished_at": None,
}


def body_of(row: Row) -> str:
    """A withdrawal's JSON with its checksummed destination."""
    return bodies.splice(row["body"], to_address=bodies.shown(row["to_address"]))


@get("/api/exchange/withdrawals",
     **guarded("List withdrawals", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_withdrawals(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    status: Annotated[WithdrawalStatus | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[WithdrawalPage]:
    """Newest first."""
    owner = own_or_asked(principal, account_id)
    found = await reads.withdrawals(
        deps.reads, account_id=owner, status=status, limit=limit, after=paging.after(request, cursor)
    )
    return paging.answer(request, [body_of(r) for r in found.rows], found.next_key, csv_allowed=True)


async def _row(deps: Deps, principal: Principal, withdrawal_id: UUID | str) -> Row:
    row = await reads.withdrawal(deps.reads, str(withdrawal_id))
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such withdrawal, or not yours")
    return row


@get("/api/exchange/withdrawals/{withdrawal_id:uuid}",
     **guarded("Read a withdrawal", tag=TAG, scopes=("exchange:read",), response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, principal: Principal, withdrawal_id: FromPath[UUID]) -> Response[WithdrawalView]:
    """Where the withdrawal stands, and every transaction signed for it."""
    return bodies.json_response(body_of(await _row(deps, principal, withdrawal_id)))


async def _decide(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, withdrawal_id: UUID, decision: Decision
) -> Response[Any]:
    async def act() -> Stored:
        row = await _row(deps, principal, withdrawal_id)
        if principal.account_id in (row["requested_by"], row["owner"]):
            raise Rejected("self_approval", "another operator must decide")
        if row["status"] != "pending_approval":
            raise Rejected("not_approvable", f"it is {row['status']}")
        await deps.processes.update(
            ids.withdrawal(str(withdrawal_id)),
            "decide",
            decision,
            WithdrawalState,
            update_id=f"decide:{principal.account_id}:{str(decision.approve).lower()}",
        )
        return json_answer(200, body_of(await _row(deps, principal, withdrawal_id)))

    return await effect(request, deps, principal, act)


_DECIDING: Final[dict[str, Any]] = {
    "tag": TAG,
    "scopes": ("approvals:write",),
    "roles": STAFF,
    "body": True,
    "keyed": True,
    "request_example": {"note": "destination confirmed by phone"},
}


@post("/api/exchange/withdrawals/{withdrawal_id:uuid}/approve", status_code=200,
      **guarded("Approve a withdrawal", "self_approval", "not_approvable", "conflict", "temporal_unavailable",
                **_DECIDING, response_example=EXAMPLE | {"status": "approved", "decided_by": _ID}))  # fmt: skip
async def approve(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    withdrawal_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[WithdrawalView]:
    """By another person than the requester. The body may be left out."""
    note = note_of(data)
    decision = Decision(principal=principal.account_id, approve=True, note=note)
    return await _decide(request, deps, principal, withdrawal_id, decision)


@post("/api/exchange/withdrawals/{withdrawal_id:uuid}/reject", status_code=200,
      **guarded("Reject a withdrawal", "self_approval", "not_approvable", "conflict", "temporal_unavailable",
                **_DECIDING, response_example=EXAMPLE | {"status": "rejected", "decided_by": _ID}))  # fmt: skip
async def reject(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    withdrawal_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[WithdrawalView]:
    """The money set aside is given back. By another person than the requester, who can cancel instead."""
    note = note_of(data)
    decision = Decision(principal=principal.account_id, approve=False, note=note)
    return await _decide(request, deps, principal, withdrawal_id, decision)


async def cancel_withdrawal(deps: Deps, dispatch: Dispatch, principal: Principal, withdrawal_id: str, note: str) -> str:
    """Ask the process to cancel; return the withdrawal's JSON afterwards.

    Raises: Rejected not_found, not_cancellable, conflict; Unavailable temporal_unavailable.
    """
    row = await _row(deps, principal, withdrawal_id)
    if row["status"] not in CANCELLABLE:
        raise Rejected("not_cancellable", f"it is {row['status']}")
    operation = await operations.operation(deps.reads, row["operation_id"])
    if operation is not None and not operation["dispatched"]:
        opened = Opened(
            withdrawal_id, row["operation_id"], operation["workflow_id"], row["owner"], "Withdrawal to be cancelled"
        )
        await dispatch.now("withdrawal", opened)
    await deps.processes.update(
        ids.withdrawal(withdrawal_id),
        "cancel",
        Decision(principal=principal.account_id, note=note),
        WithdrawalState,
        update_id=f"cancel:{principal.account_id}",
    )
    return body_of(await _row(deps, principal, withdrawal_id))


@post("/api/exchange/withdrawals/{withdrawal_id:uuid}/cancel", status_code=200,
      **guarded("Cancel a withdrawal", "not_cancellable", "conflict", "temporal_unavailable", tag=TAG,
                scopes=("exchange:withdraw",), body=True, keyed=True, request_example={"note": "wrong address"},
                response_example=EXAMPLE | {"status": "cancelled"}))  # fmt: skip
async def cancel(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    withdrawal_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[WithdrawalView]:
    """Until it is signed. The money set aside is given back. The body may be left out."""
    note = note_of(data)

    async def act() -> Stored:
        return json_answer(200, await cancel_withdrawal(deps, dispatch, principal, str(withdrawal_id), note))

    return await effect(request, deps, principal, act)
