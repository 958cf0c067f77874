"""Orders: accepted durably by the desk, decided by the market engine, read here."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import ConfigDict

from api.deps import Deps
from api.exchange.desk import OrderDesk
from api.exchange.market_views import Side, TradePage, TradeStatus, TradeView
from api.http import bodies, paging, problems, waiting
from api.http.asked import AccountFilter, own_or_asked
from api.http.documented import guarded
from api.http.idempotency import claim_of, respond
from api.http.inputs import Id, Input, Shares, Usdc
from api.http.scopes import Principal
from domain.exchange.trading import Order
from domain.shared.errors import Rejected
from storage.events import new_id
from storage.intents.orders import PATH, Ask
from storage.reads import market as reads

TAG: Final = "Exchange: market"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
REFUSALS: Final = ("insufficient_funds", "asset_not_active", "asset_halted", "trading_disabled", "amount_too_small")
REQUEST_EXAMPLE: Final = {
    "asset_id": _ID,
    "account_id": _ID,
    "side": "buy",
    "amount_usdc": "100.25",
    "min_shares_out": "80",
}
EXAMPLE: Final = {
    "id": _ID,
    "asset_id": _ID,
    "account_id": _ID,
    "side": "buy",
    "status": "filled",
    "shares": "81.5",
    "amount_usdc": "100.25",
    "fee_usdc": "0.50125",
    "price_usdc": "1.223911",
    "min_shares_out": "80",
    "min_usdc_out": None,
    "spot_before_usdc": "1",
    "spot_after_usdc": "1.815",
    "realised_pnl_usdc": "0",
    "reject_code": None,
    "created_at": "2026-11-21T04:00:00.000000Z",
    "executed_at": "2026-11-21T04:00:00.010000Z",
}
_PENDING: Final = EXAMPLE | dict.fromkeys(
    ("shares", "fee_usdc", "price_usdc", "spot_before_usdc", "spot_after_usdc", "realised_pnl_usdc", "executed_at")
) | {"status": "pending"}  # fmt: skip
_NOT: Final = {"type": "null"}
BY_SIDE: Final[dict[str, Any]] = {
    "anyOf": [
        {
            "properties": {"side": {"const": "buy"}, "amount_usdc": {"type": "string"}, "shares": _NOT},
            "required": ["amount_usdc"],
        },
        {
            "properties": {"side": {"const": "sell"}, "shares": {"type": "string"}, "amount_usdc": _NOT},
            "required": ["shares"],
        },
    ]
}
_LIMITS: Final = ({"min_usdc_out": _NOT}, {"min_shares_out": _NOT})
_TRADE_BY_SIDE: Final[dict[str, Any]] = {
    "anyOf": [
        option | {"properties": option["properties"] | limit}
        for option, limit in zip(BY_SIDE["anyOf"], _LIMITS, strict=True)
    ]
}


class NewTrade(Input):
    """A buy names `amount_usdc`, what it pays with fee, and may name `min_shares_out`; a sale names `shares` and may
    name `min_usdc_out`, after fee. What brings less is refused with `slippage_exceeded`."""

    model_config = ConfigDict(json_schema_extra=_TRADE_BY_SIDE)
    asset_id: Id
    account_id: Id
    side: Side
    amount_usdc: Usdc | None = None
    shares: Shares | None = None
    min_shares_out: Shares | None = None
    min_usdc_out: Usdc | None = None


def asked_of(side: Side, amount_usdc: int | None, shares: int | None) -> int:
    """Micros of a buy, atto-shares of a sale. Raises Rejected validation_failed for anything else."""
    asked, other = (amount_usdc, shares) if side == "buy" else (shares, amount_usdc)
    names = ("amount_usdc", "shares") if side == "buy" else ("shares", "amount_usdc")
    if asked is None:
        raise Rejected("validation_failed", f"a {side} takes {names[0]}", pointer=f"/{names[0]}")
    if other is not None:
        raise Rejected("validation_failed", f"a {side} takes no {names[1]}", pointer=f"/{names[1]}")
    return asked


def order_of(data: NewTrade) -> Order:
    """The order in a request. Raises Rejected validation_failed when its fields do not fit its side."""
    asked = asked_of(data.side, data.amount_usdc, data.shares)
    if data.side == "buy" and data.min_usdc_out is not None:
        raise Rejected("validation_failed", "a buy takes min_shares_out", pointer="/min_usdc_out")
    if data.side == "sell" and data.min_shares_out is not None:
        raise Rejected("validation_failed", "a sell takes min_usdc_out", pointer="/min_shares_out")
    limit = data.min_shares_out if data.side == "buy" else data.min_usdc_out
    return Order(data.side, asked, limit or 0)


async def ask_of(request: Request[Any, Any, Any], principal: Principal, data: NewTrade) -> tuple[Ask, float]:
    """The request as the desk takes it, and how many seconds its client waits."""
    principal.must_see(data.account_id)
    order = order_of(data)
    claim = await claim_of(request, principal, required=True)
    assert claim is not None
    seconds = waiting.asked(request)
    return Ask(claim, new_id(), data.asset_id, data.account_id, order, seconds > 0), seconds


TAKING: Final[dict[str, Any]] = {
    "tag": TAG,
    "scopes": ("exchange:trade",),
    "body": True,
    "keyed": True,
    "request_example": REQUEST_EXAMPLE,
    "response_example": _PENDING,
}


@post(PATH, status_code=202,
      **guarded("Place an order", "amount_precision", *REFUSALS, "slippage_exceeded", "unavailable",
                **TAKING))  # fmt: skip
async def create(
    request: Request[Any, Any, Any], principal: Principal, data: JSONBody[NewTrade]
) -> Response[TradeView]:
    """Accepted durably, then carried out whole or rejected by the market engine, in the order of acceptance. What would
    be refused now is refused at once. Needs an `Idempotency-Key`. `Prefer: wait=N` answers 200 with the verdict.
    """
    desk: OrderDesk = request.app.state.desk
    ask, seconds = await ask_of(request, principal, data)
    answer = await desk.place(ask, seconds, problems.trace_id(request))
    return respond(answer.stored, hit=answer.hit)


@get(PATH,
     **guarded("List orders", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_trades(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    asset_id: Annotated[UUID | None, QueryParameter(required=False, description="Only this asset's.")] = None,
    account_id: AccountFilter = None,
    status: Annotated[TradeStatus | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[TradePage]:
    """Orders with their verdicts, newest first: a trader's own, or everybody's for operators."""
    owner = own_or_asked(principal, account_id)
    found = await reads.trades(
        deps.reads,
        account_id=owner,
        asset_id=str(asset_id) if asset_id else None,
        status=status,
        limit=limit,
        after=paging.after(request, cursor),
    )
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key, csv_allowed=True)


@get(f"{PATH}/{{trade_id:uuid}}",
     **guarded("Read an order", tag=TAG, scopes=("exchange:read",), response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, principal: Principal, trade_id: FromPath[UUID]) -> Response[TradeView]:
    """The order, and its verdict once there is one."""
    row = await reads.trade(deps.reads, str(trade_id))
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such order, or not yours")
    return bodies.json_response(row["body"])
