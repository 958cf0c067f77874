"""What operators may change: kill switches, alerts, quarantine. Every act is in the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies, paging
from api.http.asked import DecisionNote, note_of
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import Flag, Input, Note
from api.http.scopes import STAFF, Principal
from api.system import examples
from storage.database import Connection
from storage.intents import system as intents
from storage.intents.idempotency import Stored
from storage.reads import system as reads
from storage.reads.base import Listing

TAG: Final = "System"
ControlName = Literal["exchange.trading", "exchange.withdrawals", "copytrade.engine", "launchpad.launches"]
QuarantineState = Literal["held", "replayed", "discarded"]


class ControlView(BaseModel):
    name: ControlName
    enabled: bool
    reason: str
    changed_by: str | None
    changed_at: datetime | None


class ControlList(BaseModel):
    items: list[ControlView]
    next_cursor: str | None


class NewControl(Input):
    name: ControlName
    enabled: Flag
    reason: Note = ""


class AlertView(BaseModel):
    id: str
    code: str
    subject: str
    severity: Literal["warning", "critical"]
    detail: str
    data: dict[str, Any]
    times: int
    created_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


class AlertPage(BaseModel):
    items: list[AlertView]
    next_cursor: str | None


class QuarantineView(BaseModel):
    """`payload` is what the upstream sent, as it came. `taken_up_at`: when a replayed item was read again; null while
    the scanner has yet to."""

    id: str
    source: str
    kind: str
    reason: str
    payload: Any
    state: QuarantineState
    decided_by: str | None
    decided_at: datetime | None
    taken_up_at: datetime | None
    created_at: datetime


class QuarantinePage(BaseModel):
    items: list[QuarantineView]
    next_cursor: str | None


@get("/api/system/controls",
     **guarded("List kill switches", tag=TAG, scopes=("system:read",),
               response_example=examples.page(examples.CONTROL)))  # fmt: skip
async def controls(deps: Deps) -> Response[ControlList]:
    """Every area; one never touched is enabled."""
    return bodies.json_response(await reads.controls(deps.reads))


@post("/api/system/controls", status_code=200,
      **guarded("Switch an area on or off", tag=TAG, scopes=("system:write",), roles=STAFF, body=True, keyed=True,
                request_example=examples.NEW_CONTROL, response_example=examples.page(examples.CONTROL)))  # fmt: skip
async def set_control(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, data: JSONBody[NewControl]
) -> Response[ControlList]:
    """Takes effect with the next decision: requests are refused, running processes wait before their next effect."""

    async def work(connection: Connection) -> Stored:
        await intents.set_control(
            connection, name=data.name, enabled=data.enabled, reason=data.reason, principal=principal.account_id
        )
        cursor = await connection.execute(reads.CONTROLS_SQL, [list(reads.CONTROLS)])
        row = await cursor.fetchone()
        assert row is not None
        return json_answer(200, row["body"])

    return await intend(request, deps, principal, work)


@get("/api/system/alerts",
     **guarded("List alerts", "invalid_cursor", tag=TAG, scopes=("system:read",), roles=STAFF,
               response_example=examples.page(examples.ALERT)))  # fmt: skip
async def alerts(
    request: Request[Any, Any, Any],
    deps: Deps,
    open_only: Annotated[bool | None, QueryParameter(name="open", required=False)] = None,
    code: Annotated[str | None, QueryParameter(required=False, pattern="^[a-z0-9_]{1,100}$")] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[AlertPage]:
    """Newest first; `open=true` gives those not resolved. `code` names the runbook."""
    after = paging.after(request, cursor)
    found = await reads.alerts(deps.reads, open_only=open_only, code=code, limit=limit, after=after)
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key)


async def _item(connection: Connection, listing: Listing, item_id: str) -> Stored:
    cursor = await connection.execute(
        f"SELECT ({listing.body})::text AS body FROM {listing.source} WHERE {listing.key} = %s", [item_id]
    )
    row = await cursor.fetchone()
    assert row is not None
    return json_answer(200, row["body"])


@post("/api/system/alerts/{alert_id:uuid}/resolve", status_code=200,
      **guarded("Resolve an alert", tag=TAG, scopes=("system:write",), roles=STAFF, body=True, keyed=True,
                request_example={"note": "wallet refilled"},
                response_example=examples.ALERT | {"resolved_at": "2026-11-21T05:00:00.000000Z",
                                                   "resolved_by": examples.CONTROL["changed_by"]}))  # fmt: skip
async def resolve_alert(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    alert_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[AlertView]:
    """Closes it by hand; if the cause persists it opens again. The body may be left out."""
    note = note_of(data)

    async def work(connection: Connection) -> Stored:
        await intents.close_alert(connection, alert_id=str(alert_id), principal=principal.account_id, note=note)
        return await _item(connection, reads.ALERTS, str(alert_id))

    return await intend(request, deps, principal, work)


@get("/api/system/quarantine",
     **guarded("List quarantined items", "invalid_cursor", tag=TAG, scopes=("system:read",), roles=STAFF,
               response_example=examples.page(examples.QUARANTINED)))  # fmt: skip
async def quarantine(
    request: Request[Any, Any, Any],
    deps: Deps,
    shown: Annotated[QuarantineState | None, QueryParameter(name="state", required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[QuarantinePage]:
    """What an upstream sent in a shape we do not know, kept with what is needed to resume."""
    after = paging.after(request, cursor)
    found = await reads.quarantine(deps.reads, state=shown, limit=limit, after=after)
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key)


async def _decide(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, item_id: UUID, state: str, note: str
) -> Response[Any]:
    async def work(connection: Connection) -> Stored:
        await intents.decide_quarantine(
            connection, item_id=str(item_id), state=state, principal=principal.account_id, note=note
        )
        return await _item(connection, reads.QUARANTINE, str(item_id))

    return await intend(request, deps, principal, work)


@post("/api/system/quarantine/{item_id:uuid}/replay", status_code=200,
      **guarded("Replay a quarantined item", "conflict", tag=TAG, scopes=("system:write",), roles=STAFF, body=True,
                keyed=True, request_example={"note": "decoder fixed"},
                response_example=examples.QUARANTINED | examples.DECIDED | {"state": "replayed"}))  # fmt: skip
async def replay(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    item_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[QuarantineView]:
    """Transfers that were passed over (`transfer_log`) are read again by the scanner: what it understands now becomes
    deposits, what is as odd as before is held again. Every other kind the step that met it has asked for again by
    itself; it is marked as dealt with. The body may be left out.
    """
    return await _decide(request, deps, principal, item_id, "replayed", note_of(data))


@post("/api/system/quarantine/{item_id:uuid}/discard", status_code=200,
      **guarded("Discard a quarantined item", "conflict", tag=TAG, scopes=("system:write",), roles=STAFF, body=True,
                keyed=True, request_example={"note": "spam"},
                response_example=examples.QUARANTINED | examples.DECIDED | {"state": "discarded"}))  # fmt: skip
async def discard(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    item_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[QuarantineView]:
    """It is not processed; the row stays for the record. The body may be left out."""
    return await _decide(request, deps, principal, item_id, "discarded", note_of(data))
