"""Halts of the trade in an asset: what they were, and what operators do about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WithJsonSchema

from api.deps import Deps
from api.dispatch import Dispatch
from api.exchange.views import Usdc
from api.http import paging
from api.http.asked import DecisionNote, note_of
from api.http.documented import guarded
from api.http.idempotency import claim_of, effect, intend, json_answer
from api.http.inputs import PLAIN, WHOLE, Input, Note, storable
from api.http.scopes import STAFF, Principal
from domain.exchange.price_messages import HaltState, LengthenHalt, ResumeTrading
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.intents.halts import halt_by_operator
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.reads import prices as reads

TAG: Final = "Exchange: prices"
LONGEST_S: Final = 7 * 86_400
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
EXAMPLE: Final = {
    "id": _ID,
    "asset_id": _ID,
    "status": "halted",
    "cause": "operator",
    "reason": "news pending",
    "started_by": _ID,
    "started_at": "2026-11-21T04:00:00.000000Z",
    "until": "2026-11-21T04:05:00.000000Z",
    "ended_at": None,
    "ended_by": None,
    "old_price_usdc": None,
    "new_price_usdc": None,
    "change_percent": None,
    "seconds_since_tick": None,
    "operation_id": _ID,
}
_ENDED: Final = EXAMPLE | {"status": "ended", "ended_at": "2026-11-21T04:03:00.000000Z", "ended_by": _ID}
_LONGER: Final = EXAMPLE | {"until": "2026-11-21T04:15:00.000000Z"}

Reason = Annotated[
    str,
    StringConstraints(min_length=3, max_length=200),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "minLength": 3, "maxLength": 200, "pattern": PLAIN}),
]
Seconds = Annotated[int, Field(ge=1, le=LONGEST_S), WHOLE]


class NewHalt(Input):
    """`seconds` left out: as long as the circuit breaker would halt."""

    reason: Reason
    seconds: Seconds | None = None


class LongerHalt(Input):
    """`seconds` are added to what is left."""

    seconds: Seconds
    note: Note = ""


class HaltView(BaseModel):
    """`until`: when trading goes on by itself. The prices are those the circuit breaker compared."""

    id: str
    asset_id: str
    status: Literal["halted", "ended"]
    cause: Literal["circuit_breaker", "operator"]
    reason: str
    started_by: str
    started_at: datetime
    until: datetime
    ended_at: datetime | None
    ended_by: str | None
    old_price_usdc: Usdc | None
    new_price_usdc: Usdc | None
    change_percent: str | None
    seconds_since_tick: int | None
    operation_id: str | None


class HaltPage(BaseModel):
    items: list[HaltView]
    next_cursor: str | None


_DECIDING: Final[dict[str, Any]] = {
    "tag": TAG,
    "scopes": ("system:write",),
    "roles": STAFF,
    "body": True,
    "keyed": True,
}


@get("/api/exchange/assets/{asset_id:uuid}/halts",
     **guarded("List halts", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [_ENDED], "next_cursor": None}))  # fmt: skip
async def list_halts(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    asset_id: FromPath[UUID],
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[HaltPage]:
    """Newest first, the one that lasts included."""
    found = await reads.halts(deps.reads, str(asset_id), limit=limit, after=paging.after(request, cursor))
    if not found.rows and not await reads.known(deps.reads, str(asset_id)):
        raise Rejected("not_found", "no such asset")
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@post("/api/exchange/assets/{asset_id:uuid}/halt", status_code=202,
      **guarded("Halt trading", "asset_halted", "asset_not_active", **_DECIDING,
                request_example={"reason": "news pending", "seconds": 600}, response_example=EXAMPLE))  # fmt: skip
async def halt(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    asset_id: FromPath[UUID],
    data: JSONBody[NewHalt],
) -> Response[HaltView]:
    """Stops the trade in the asset at once; it goes on by itself at `until`. Needs an `Idempotency-Key`."""
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        length = timedelta(seconds=data.seconds if data.seconds is not None else deps.config.halt_s)
        opened.append(
            await halt_by_operator(
                connection,
                asset_id=str(asset_id),
                reason=data.reason,
                principal=principal.account_id,
                until=datetime.now(UTC) + length,
            )
        )
        return await _shown(connection, opened[0].subject_id, 202, location=f"/api/exchange/assets/{asset_id}/halts")

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("asset_halt", opened[0])
    return response


async def _shown(connection: Connection, halt_id: str, status: int, **headers: str) -> Stored:
    listing = reads.HALTS
    sql = f"SELECT ({listing.body})::text AS body FROM {listing.source} WHERE h.id = %s"
    row = await (await connection.execute(sql, [halt_id])).fetchone()
    assert row is not None
    return json_answer(status, row["body"], **headers)


async def _ask(
    deps: Deps, dispatch: Dispatch, asset_id: UUID, name: str, argument: BaseModel, update_id: str
) -> Stored:
    """Ask the process of the asset's halt for a change; start it first if it has been lost.

    Raises: Rejected not_found, not_halted; Unavailable temporal_unavailable.
    """
    halt = await reads.open_halt(deps.reads, str(asset_id))
    if halt is None:
        if not await reads.known(deps.reads, str(asset_id)):
            raise Rejected("not_found", "no such asset")
        raise Rejected("not_halted", "trading is not halted")
    workflow_id = ids.asset_halt(halt["halt_id"])
    if halt["operation_id"] is not None:
        opened = Opened(halt["halt_id"], halt["operation_id"], workflow_id, None, "Trading is halted")
        await dispatch.now("asset_halt", opened)
    try:
        await deps.processes.update(workflow_id, name, argument, HaltState, update_id=update_id)
    except Rejected as refusal:
        if refusal.code == "conflict":
            raise Rejected("not_halted", "the halt has just ended") from refusal
        raise
    row = await reads.halt(deps.reads, halt["halt_id"])
    assert row is not None
    return json_answer(200, row["body"])


async def _decide(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    asset_id: UUID,
    name: str,
    argument: BaseModel,
) -> Response[Any]:
    claim = await claim_of(request, principal, required=False)
    update_id = f"{name}:{principal.account_id}:{claim.key if claim else token_hex(12)}"

    async def act() -> Stored:
        return await _ask(deps, dispatch, asset_id, name, argument, update_id)

    return await effect(request, deps, principal, act)


@post("/api/exchange/assets/{asset_id:uuid}/extend-halt", status_code=200,
      **guarded("Extend a halt", "not_halted", "temporal_unavailable", **_DECIDING,
                request_example={"seconds": 600}, response_example=_LONGER))  # fmt: skip
async def extend_halt(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    asset_id: FromPath[UUID],
    data: JSONBody[LongerHalt],
) -> Response[HaltView]:
    """Adds to what is left of the halt, also of one that the circuit breaker made."""
    longer = LengthenHalt(principal=principal.account_id, seconds=data.seconds, note=data.note)
    return await _decide(request, deps, dispatch, principal, asset_id, "extend", longer)


@post("/api/exchange/assets/{asset_id:uuid}/resume", status_code=200,
      **guarded("Resume trading", "not_halted", "temporal_unavailable", **_DECIDING,
                request_example={"note": "news are out"}, response_example=_ENDED))  # fmt: skip
async def resume(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    asset_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[HaltView]:
    """Ends the halt now instead of at `until`. The body may be left out."""
    asked = ResumeTrading(principal=principal.account_id, note=note_of(data))
    return await _decide(request, deps, dispatch, principal, asset_id, "resume", asked)
