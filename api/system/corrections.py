"""Corrections of the ledger by two persons: one asks, another one approves, a worker books."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WithJsonSchema

from api.deps import Deps
from api.dispatch import Dispatch
from api.http import bodies, paging
from api.http.asked import DecisionNote, note_of
from api.http.documented import guarded
from api.http.idempotency import effect, intend, json_answer
from api.http.inputs import PLAIN, Input, storable
from api.http.scopes import STAFF, Principal
from domain.operations.corrections import LINES_MAX, PENDING, CorrectionState, CorrectionVerdict, read_amount, user_of
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.ledger import Line
from storage.database import Connection
from storage.intents.corrections import open_correction
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.reads import corrections as reads
from storage.reads.base import Row

TAG: Final = "System"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_AT: Final = "2026-11-21T04:00:00.000000Z"
_ASKED: Final = {
    "reason": "deposit of 2026-11-20 was sent to a foreign address, refunded by agreement",
    "postings": [
        {"account": "platform:treasury", "unit": "USDC", "amount": "-25.5"},
        {"account": f"users:{_ID}:available", "unit": "USDC", "amount": "25.5"},
    ],
}
EXAMPLE: Final = {
    "id": _ID,
    **_ASKED,
    "status": "pending_approval",
    "failure_code": None,
    "requested_by": _ID,
    "decided_by": None,
    "created_at": _AT,
    "expires_at": "2026-11-28T04:00:00.000000Z",
    "decided_at": None,
    "booked_at": None,
    "transfer": None,
    "operation_id": _ID,
}
_DECIDED: Final = {"decided_by": "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e60", "decided_at": _AT}
Status = Literal["pending_approval", "approved", "booked", "rejected", "expired", "failed"]
Reason = Annotated[
    str,
    StringConstraints(min_length=10, max_length=500),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "minLength": 10, "maxLength": 500, "pattern": PLAIN}),
]
Path = Annotated[
    str,
    StringConstraints(
        max_length=120,
        pattern=r"^(users:[0-9a-f-]{36}:(available|held)|custody:[0-9]{1,18}:(deposits|hot|cold)"
        r"|platform:[a-z_]+|assets:[0-9a-z-]+:[a-z_]+|world)$",
    ),
]
Unit = Annotated[str, StringConstraints(max_length=36, pattern=r"^(USDC|[0-9a-f-]{36})$")]
Amount = Annotated[
    str,
    StringConstraints(max_length=40),
    WithJsonSchema({"type": "string", "pattern": r"^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$", "examples": ["-25.5"]}),
]


class NewPosting(Input):
    """`amount` goes into the account; a minus takes it out."""

    account: Path
    unit: Unit
    amount: Amount


class NewCorrection(Input):
    reason: Reason
    postings: Annotated[list[NewPosting], Field(min_length=2, max_length=LINES_MAX)]

    def lines(self) -> list[Line]:
        """Minor units. Raises Rejected validation_failed, amount_precision."""
        found = []
        for number, posting in enumerate(self.postings):
            try:
                found.append((posting.account, posting.unit, read_amount(posting.amount, posting.unit)))
            except Rejected as refusal:
                pointer = f"/postings/{number}/amount"
                raise Rejected(refusal.code, refusal.detail, pointer=pointer) from refusal
        return found


class PostingView(BaseModel):
    account: str
    unit: str
    amount: str


class CorrectionView(BaseModel):
    """`transfer` is the key of what was booked; `expires_at` ends the wait for another person."""

    id: str
    reason: str
    status: Status
    failure_code: str | None
    postings: list[PostingView]
    requested_by: str
    decided_by: str | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    booked_at: datetime | None
    transfer: str | None
    operation_id: str | None


class CorrectionPage(BaseModel):
    items: list[CorrectionView]
    next_cursor: str | None


@post("/api/system/corrections", status_code=202,
      **guarded("Ask for a correction", "amount_precision", "not_correctable", tag=TAG, scopes=("system:write",),
                roles=STAFF, body=True, keyed=True, request_example=_ASKED, response_example=EXAMPLE))  # fmt: skip
async def create(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    data: JSONBody[NewCorrection],
) -> Response[CorrectionView]:
    """A compensating entry, in USDC, that sums to zero. It moves nothing until another person has approved it; after
    seven days it expires. Users' available balances, `platform:fees`, `platform:treasury` and an asset's `lp_fees` can
    be corrected; everything else has a second record that must agree with the ledger. Needs an `Idempotency-Key`.
    """
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        lines = data.lines()
        opened.append(
            await open_correction(connection, reason=data.reason, lines=lines, requested_by=principal.account_id)
        )
        listing, subject = reads.CORRECTIONS, opened[0].subject_id
        sql = f"SELECT ({listing.body})::text AS body FROM {listing.source} WHERE {listing.key} = %s"
        row = await (await connection.execute(sql, [subject])).fetchone()
        assert row is not None
        return json_answer(202, row["body"], location=f"/api/system/corrections/{subject}")

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("correction", opened[0])
    return response


@get("/api/system/corrections",
     **guarded("List corrections", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("system:read",), roles=STAFF,
               csv=True, response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_corrections(
    request: Request[Any, Any, Any],
    deps: Deps,
    status: Annotated[Status | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[CorrectionPage]:
    """Newest first."""
    found = await reads.corrections(deps.reads, status=status, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key, csv_allowed=True)


async def _row(deps: Deps, correction_id: UUID) -> Row:
    row = await reads.correction(deps.reads, str(correction_id))
    if row is None:
        raise Rejected("not_found", "no such correction")
    return row


@get("/api/system/corrections/{correction_id:uuid}",
     **guarded("Read a correction", tag=TAG, scopes=("system:read",), roles=STAFF,
               response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, correction_id: FromPath[UUID]) -> Response[CorrectionView]:
    """Who asked, who decided, and what was booked."""
    return bodies.json_response((await _row(deps, correction_id))["body"])


def _second_person(row: Row, principal: Principal) -> None:
    concerned = any(user_of(posting["account"]) == principal.account_id for posting in row["postings"])
    if concerned or row["requested_by"] == principal.account_id:
        raise Rejected("self_approval", "another person must approve it, whose money is not concerned")


async def _decide(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    correction_id: UUID,
    verdict: CorrectionVerdict,
) -> Response[Any]:
    async def act() -> Stored:
        row = await _row(deps, correction_id)
        if verdict.approve:
            _second_person(row, principal)
        if row["status"] != PENDING:
            raise Rejected("not_approvable", f"it is {row['status']}")
        workflow_id = ids.correction(str(correction_id))
        opened = Opened(str(correction_id), row["operation_id"], workflow_id, None, row["reason"][:200])
        await dispatch.now("correction", opened)
        update_id = f"decide:{principal.account_id}:{str(verdict.approve).lower()}"
        await deps.processes.update(workflow_id, "decide", verdict, CorrectionState, update_id=update_id)
        return json_answer(200, (await _row(deps, correction_id))["body"])

    return await effect(request, deps, principal, act)


_DECIDING: Final[dict[str, Any]] = {
    "tag": TAG,
    "scopes": ("approvals:write",),
    "roles": STAFF,
    "body": True,
    "keyed": True,
    "request_example": {"note": "compared with the bank's statement"},
}


@post("/api/system/corrections/{correction_id:uuid}/approve", status_code=200,
      **guarded("Approve a correction", "self_approval", "not_approvable", "conflict", "temporal_unavailable",
                **_DECIDING, response_example=EXAMPLE | _DECIDED | {"status": "approved"}))  # fmt: skip
async def approve(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    correction_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[CorrectionView]:
    """By another person than who asked, and not by one whose balance it changes. It is booked at once; if the books
    refuse it then, it ends `failed` and operators are called. The body may be left out.
    """
    verdict = CorrectionVerdict(principal=principal.account_id, approve=True, note=note_of(data))
    return await _decide(request, deps, dispatch, principal, correction_id, verdict)


@post("/api/system/corrections/{correction_id:uuid}/reject", status_code=200,
      **guarded("Reject a correction", "not_approvable", "conflict", "temporal_unavailable", **_DECIDING,
                response_example=EXAMPLE | _DECIDED | {"status": "rejected"}))  # fmt: skip
async def reject(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    correction_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[CorrectionView]:
    """Nothing was booked and nothing will be. Who asked takes it back this way. The body may be left out."""
    verdict = CorrectionVerdict(principal=principal.account_id, approve=False, note=note_of(data))
    return await _decide(request, deps, dispatch, principal, correction_id, verdict)
