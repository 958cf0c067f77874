"""The global paper portfolio, and the curves of all."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from api.copytrade import examples
from api.copytrade.leaders import READ, TAG
from api.copytrade.views import Curve, PortfolioView
from api.deps import Deps
from api.http import bodies, paging
from api.http.documented import guarded
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from storage.reads import copytrade as reads
from storage.reads.copytrade_portfolios import curve, portfolio

Span = Annotated[
    Literal["1H", "1D", "1W", "1M", "ALL"],
    QueryParameter(name="range", required=False, description="How far back the curve goes."),
]


@get("/api/copytrade/portfolio/global",
     **guarded("Read the global portfolio", tag=TAG, scopes=READ, response_example=examples.PORTFOLIO))  # fmt: skip
async def read_global(deps: Deps, principal: Principal) -> Response[PortfolioView]:
    """What copying every followed user in one portfolio has given. 404 before the first user is followed."""
    body = await portfolio(deps.reads, "EXEC_GLOBAL", None)
    if body is None:
        raise Rejected("not_found", "nobody has been followed yet")
    return bodies.json_response(body)


@get("/api/copytrade/portfolio/global/curve",
     **guarded("Read the global curve", "not_acceptable", tag=TAG, scopes=READ, csv=True,
               response_example=examples.page(examples.POINT)))  # fmt: skip
async def global_curve(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, span: Span = "1D"
) -> Response[Curve]:
    """Oldest first, one point per minute (1H), 5 minutes (1D), hour (1W), 4 hours (1M) or day (ALL)."""
    points = await curve(deps.reads, "EXEC_GLOBAL", None, span)
    return paging.answer(request, [row["body"] for row in points], None, csv_allowed=True)


@get("/api/copytrade/users/{user_id:uuid}/curve",
     **guarded("Read a user's curve", "not_acceptable", tag=TAG, scopes=READ, csv=True,
               response_example=examples.page(examples.POINT)))  # fmt: skip
async def user_curve(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: FromPath[UUID],
    portfolio: Annotated[Literal["shadow", "executable"], QueryParameter(required=False)] = "executable",
    span: Span = "1D",
) -> Response[Curve]:
    """Of the shadow or of the executable portfolio."""
    if await reads.leader(deps.reads, str(user_id)) is None:
        raise Rejected("not_found", "no such followed user")
    scope = "SHADOW_USER" if portfolio == "shadow" else "EXEC_USER"
    points = await curve(deps.reads, scope, str(user_id), span)
    return paging.answer(request, [row["body"] for row in points], None, csv_allowed=True)
