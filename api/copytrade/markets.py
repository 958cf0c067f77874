"""Markets that leaders touched: what is known of them, who holds them, and never copying one."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from api.copytrade import examples
from api.copytrade.leaders import READ, TAG, WRITE
from api.copytrade.views import MarketDetail, MarketPage, MarketView
from api.deps import Deps
from api.http import bodies, paging
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import Flag, Input, Note
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.intents import copytrade as intents
from storage.intents.idempotency import Stored
from storage.reads import copytrade as reads

ConditionId = Annotated[str, PathParameter(pattern="^0x[0-9a-f]{62,64}$", description="A condition id.")]


class Blacklisting(Input):
    """`blacklisted` false lifts it again."""

    blacklisted: Flag = True
    reason: Note = ""


@get("/api/copytrade/markets",
     **guarded("List markets", "invalid_cursor", "not_acceptable", tag=TAG, scopes=READ, csv=True,
               response_example=examples.page(examples.MARKET)))  # fmt: skip
async def list_markets(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    blacklisted: Annotated[bool | None, QueryParameter(required=False)] = None,
    closed: Annotated[bool | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[MarketPage]:
    """By condition id."""
    after = paging.after(request, cursor)
    found = await reads.markets(deps.reads, blacklisted=blacklisted, closed=closed, limit=limit, after=after)
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@get("/api/copytrade/markets/{market_id:str}",
     **guarded("Read a market", tag=TAG, scopes=READ,
               response_example=examples.MARKET | {"positions": [], "slippage": [], "book": None}))  # fmt: skip
async def read_market(deps: Deps, principal: Principal, market_id: ConditionId) -> Response[MarketDetail]:
    """With the paper positions in it, what copying it cost lately, and the newest book a decision used."""
    row = await reads.market(deps.reads, market_id)
    if row is None:
        raise Rejected("not_found", "no such market")
    return bodies.json_response(row["body"])


@post("/api/copytrade/markets/{market_id:str}/blacklist", status_code=200,
      **guarded("Blacklist a market", **WRITE, body=True, request_example={"blacklisted": True, "reason": "thin"},
                response_example=examples.MARKET | {"blacklisted": True}))  # fmt: skip
async def blacklist(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    market_id: ConditionId,
    data: JSONBody[Blacklisting | None] = None,
) -> Response[MarketView]:
    """Groups of this market are skipped from the next decision on; the shadow goes on. The body may be left out."""
    asked = data if data is not None else Blacklisting()

    async def work(connection: Connection) -> Stored:
        await intents.blacklist(
            connection, market_id, blacklisted=asked.blacklisted, reason=asked.reason, principal=principal.account_id
        )
        sql = f"SELECT ({reads.MARKETS.body})::text AS body FROM {reads.MARKETS.source} WHERE m.condition_id = %s"
        row = await (await connection.execute(sql, [market_id])).fetchone()
        assert row is not None
        return json_answer(200, row["body"])

    return await intend(request, deps, principal, work)
