"""Reading the last hours again, and making snapshots again from the ledger."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody
from pydantic import BaseModel, Field

from api.copytrade import examples
from api.copytrade.leaders import READ, TAG, WRITE
from api.deps import Deps
from api.dispatch import Dispatch
from api.http import paging
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import WHOLE, Flag, Id, Input
from api.http.scopes import Principal
from storage.database import Connection
from storage.intents.copytrade import open_backfill
from storage.intents.copytrade_portfolios import open_rebuild
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.reads import copytrade as reads

_ACCEPTED = {"id": examples.ID, "operation_id": examples.ID, "status": "running"}


class Backfill(Input):
    """Of one followed user, or of all."""

    hours: Annotated[int, Field(ge=1, le=24 * 90), WHOLE]
    user_id: Id | None = None


class Rebuild(Input):
    """`by_event_time`: points stand where the leader acted instead of where we booked it."""

    by_event_time: Flag = False


class Accepted(BaseModel):
    id: str
    operation_id: str
    status: Literal["running"]


class DriftView(BaseModel):
    """Where a shadow and the venue disagree. `seen`: how often in a row."""

    followed_user_id: str
    asset_id: str
    shadow_shares: str
    venue_shares: str
    drift_shares: str
    seen: int


class DriftPage(BaseModel):
    items: list[DriftView]
    next_cursor: str | None


def _answer(opened: Opened) -> Stored:
    answer = {"id": opened.subject_id, "operation_id": opened.operation_id, "status": "running"}
    return json_answer(202, msgspec.json.encode(answer), location=f"/api/operations/{opened.operation_id}")


@post("/api/copytrade/backfill", status_code=202,
      **guarded("Read the last hours again", **WRITE, body=True, request_example={"hours": 6},
                response_example=_ACCEPTED))  # fmt: skip
async def backfill(
    request: Request[Any, Any, Any], deps: Deps, dispatch: Dispatch, principal: Principal, data: JSONBody[Backfill]
) -> Response[Accepted]:
    """For the shadows only: nothing read this way is copied. Needs an `Idempotency-Key`."""
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        opened.append(
            await open_backfill(connection, hours=data.hours, user_id=data.user_id, principal=principal.account_id)
        )
        return _answer(opened[0])

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("backfill", opened[0])
    return response


@post("/api/copytrade/snapshots/rebuild", status_code=202,
      **guarded("Make snapshots again", **WRITE, body=True, request_example={"by_event_time": False},
                response_example=_ACCEPTED))  # fmt: skip
async def rebuild(
    request: Request[Any, Any, Any], deps: Deps, dispatch: Dispatch, principal: Principal, data: JSONBody[Rebuild]
) -> Response[Accepted]:
    """Of every portfolio, from the ledger and the marks. Needs an `Idempotency-Key`."""
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        opened.append(
            await open_rebuild(
                connection, by_event_time=data.by_event_time, portfolio_id=None, principal=principal.account_id
            )
        )
        return _answer(opened[0])

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("rebuild_snapshots", opened[0])
    return response


@get("/api/copytrade/drifts",
     **guarded("List drifts", "invalid_cursor", tag=TAG, scopes=READ,
               response_example=examples.page({"followed_user_id": examples.ID, "asset_id": examples.TOKEN,
                                               "shadow_shares": "10", "venue_shares": "12", "drift_shares": "-2",
                                               "seen": 3})))  # fmt: skip
async def list_drifts(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[DriftPage]:
    """Tokens of which a shadow holds another amount than the venue says; empty when all agree."""
    found = await reads.drifts(deps.reads, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key)
