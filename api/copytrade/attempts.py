"""What leaders did and what came of it: their fills, and every decision to copy or to skip."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from api.copytrade import examples
from api.copytrade.leaders import READ, TAG
from api.copytrade.views import AttemptDetail, AttemptPage, Decision, ScopeName, Side, TradePage
from api.deps import Deps
from api.http import bodies, paging
from api.http.asked import From, To, moment_of
from api.http.documented import guarded
from api.http.scopes import Principal
from domain.copytrade.reasons import Reason
from domain.shared.errors import Rejected
from storage.reads import copytrade as reads

UserFilter = Annotated[UUID | None, QueryParameter(name="user_id", required=False, description="Only this leader's.")]
MarketFilter = Annotated[
    str | None,
    QueryParameter(name="market_id", required=False, pattern="^0x[0-9a-f]{62,64}$", description="A condition id."),
]


@get("/api/copytrade/trades",
     **guarded("List leaders' trades", "invalid_cursor", "not_acceptable", tag=TAG, scopes=READ, csv=True,
               response_example=examples.page(examples.TRADE)))  # fmt: skip
async def list_trades(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: UserFilter = None,
    market_id: MarketFilter = None,
    side: Annotated[Side | None, QueryParameter(required=False)] = None,
    since: From = None,
    until: To = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[TradePage]:
    """Newest seen first, each with what was decided about it. Times are of the event."""
    found = await reads.trades(
        deps.reads,
        user_id=str(user_id) if user_id else None,
        market=market_id,
        side=side,
        start=moment_of(since, "from"),
        end=moment_of(until, "to"),
        limit=limit,
        after=paging.after(request, cursor),
    )
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@get("/api/copytrade/copy-attempts",
     **guarded("List copy attempts", "invalid_cursor", "not_acceptable", tag=TAG, scopes=READ, csv=True,
               response_example=examples.page(examples.ATTEMPT)))  # fmt: skip
async def list_attempts(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: UserFilter = None,
    portfolio_scope: Annotated[ScopeName | None, QueryParameter(required=False)] = None,
    market_id: MarketFilter = None,
    decision: Annotated[Decision | None, QueryParameter(required=False)] = None,
    reason: Annotated[Reason | None, QueryParameter(required=False, description="Among the reason codes.")] = None,
    since: From = None,
    until: To = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[AttemptPage]:
    """Newest decision first. Times are of the decision."""
    found = await reads.attempts(
        deps.reads,
        user_id=str(user_id) if user_id else None,
        scope=portfolio_scope,
        market=market_id,
        decision=decision,
        reason=str(reason) if reason else None,
        start=moment_of(since, "from"),
        end=moment_of(until, "to"),
        limit=limit,
        after=paging.after(request, cursor),
    )
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@get("/api/copytrade/copy-attempts/{attempt_id:uuid}",
     **guarded("Read a copy attempt", tag=TAG, scopes=READ, response_example=examples.ATTEMPT_DETAIL))  # fmt: skip
async def read_attempt(deps: Deps, principal: Principal, attempt_id: FromPath[UUID]) -> Response[AttemptDetail]:
    """With the book that was used, the levels taken from it, and every guard with its numbers."""
    row = await reads.attempt(deps.reads, str(attempt_id))
    if row is None:
        raise Rejected("not_found", "no such copy attempt")
    return bodies.json_response(row["body"])
