"""What the oracle said about an asset, on what grounds, and asking it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel

from api.deps import Deps
from api.dispatch import Dispatch
from api.http import bodies, paging
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.scopes import STAFF, Principal
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.intents.signals import open_refresh
from storage.reads import signals as reads

TAG: Final = "Exchange: market"
SignalStatus = Literal["accepted", "applied", "failed"]
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_URLS: Final = ["https://news.example.com/story/1", "https://markets.example.org/story/2"]
EXAMPLE: Final = {
    "id": _ID,
    "asset_id": _ID,
    "status": "applied",
    "reason": "",
    "delta_bps": 700,
    "applied_bps": 500,
    "delta_percent": "5",
    "confidence_bps": 8500,
    "summary": "The company won a large contract.",
    "source_urls": _URLS,
    "model": "gpt-4o-mini",
    "attempts": 1,
    "fundamental_before_usdc": "1",
    "fundamental_after_usdc": "1.01",
    "created_at": "2026-11-21T04:00:00.000000Z",
    "applied_at": "2026-11-21T04:00:00.100000Z",
    "operation_id": None,
}
_PROVENANCE: Final = {
    "workflow_id": f"oracle:{_ID}:20261121T040000Z",
    "search_provider": "serper (google.serper.dev)",
    "queries": ["Acme Observatory news"],
    "sources": [
        {
            "number": 1,
            "title": "Acme wins a contract",
            "url": _URLS[0],
            "host": "news.example.com",
            "snippet": "…",
            "date": "2 hours ago",
            "withheld": False,
        }
    ],
    "cited": [1],
    "attempts": [
        {
            "number": 1,
            "stage": "",
            "reason": "",
            "detail": "",
            "provider": "openai (api.example.com)",
            "model": "gpt-4o-mini",
            "prompt_sha256": "ab" * 32,
            "answer": '{"delta_percent": 7, …}',
        }
    ],
}


class SignalView(BaseModel):
    """`delta_bps` is what the model said, `applied_bps` and `delta_percent` what one signal may do of it. A failed one
    has a `reason` and no numbers."""

    id: str
    asset_id: str
    status: SignalStatus
    reason: str
    delta_bps: int | None
    applied_bps: int | None
    delta_percent: str | None
    confidence_bps: int | None
    summary: str
    source_urls: list[str]
    model: str | None
    attempts: int
    fundamental_before_usdc: str | None
    fundamental_after_usdc: str | None
    created_at: datetime
    applied_at: datetime | None
    operation_id: str | None


class SignalPage(BaseModel):
    items: list[SignalView]
    next_cursor: str | None


class SourceView(BaseModel):
    """`withheld`: it looked like instructions and was not shown to the model."""

    number: int
    title: str
    url: str
    host: str
    snippet: str
    date: str
    withheld: bool


class AttemptView(BaseModel):
    """`answer` is what the model wrote, unchanged."""

    number: int
    stage: str
    reason: str
    detail: str
    provider: str
    model: str
    prompt_sha256: str
    answer: str


class ProvenanceView(BaseModel):
    workflow_id: str
    search_provider: str
    queries: list[str]
    sources: list[SourceView]
    cited: list[int]
    attempts: list[AttemptView]


class SignalDetail(SignalView):
    provenance: ProvenanceView


class RefreshAccepted(BaseModel):
    operation_id: str
    status: str


@get("/api/exchange/assets/{asset_id:uuid}/signals",
     **guarded("List oracle signals", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_signals(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    asset_id: FromPath[UUID],
    status: Annotated[SignalStatus | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[SignalPage]:
    """Newest first, refused ones included: an asset without a signal has a reason."""
    found = await reads.signals(
        deps.reads, asset_id=str(asset_id), status=status, limit=limit, after=paging.after(request, cursor)
    )
    if not found.rows and not await reads.asset_exists(deps.reads, str(asset_id)):
        raise Rejected("not_found", "no such asset")
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@get("/api/exchange/assets/{asset_id:uuid}/signals/{signal_id:uuid}",
     **guarded("Read an oracle signal", tag=TAG, scopes=("exchange:read",),
               response_example=EXAMPLE | {"provenance": _PROVENANCE}))  # fmt: skip
async def read_signal(
    deps: Deps, principal: Principal, asset_id: FromPath[UUID], signal_id: FromPath[UUID]
) -> Response[SignalDetail]:
    """With everything that led to it: queries, sources, and each attempt with the model's own words."""
    row = await reads.signal(deps.reads, str(signal_id))
    if row is None or row["asset_id"] != str(asset_id):
        raise Rejected("not_found", "no such signal of this asset")
    return bodies.json_response(row["body"])


@post("/api/exchange/assets/{asset_id:uuid}/refresh-signal", status_code=202,
      **guarded("Ask for a fresh oracle signal", "asset_not_active", "asset_halted", tag=TAG, scopes=("system:write",),
                roles=STAFF, keyed=True, response_example={"operation_id": _ID, "status": "running"}))  # fmt: skip
async def refresh_signal(
    request: Request[Any, Any, Any], deps: Deps, dispatch: Dispatch, principal: Principal, asset_id: FromPath[UUID]
) -> Response[RefreshAccepted]:
    """Searches and asks the model now, beside the schedule and from the same daily budget. Needs an
    `Idempotency-Key`; the operation shows how it goes."""
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        opened.append(await open_refresh(connection, asset_id=str(asset_id), principal=principal.account_id))
        body = f'{{"operation_id":"{opened[0].operation_id}","status":"running"}}'
        return json_answer(202, body, location=f"/api/operations/{opened[0].operation_id}")

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("oracle_refresh", opened[0])
    return response
