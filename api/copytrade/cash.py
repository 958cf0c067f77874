"""Acts on paper portfolios: cash in and out, beginning anew, selling a position by hand, counting the drawdown anew.

The global portfolio's routes and a user's are the same acts on another portfolio.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, StringConstraints

from api.copytrade import examples
from api.copytrade.leaders import WRITE
from api.deps import Deps
from api.dispatch import Dispatch
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import Input, Note, Usdc
from api.http.scopes import Principal
from domain.copytrade.entries import Scope
from domain.shared.money import format_usdc
from storage.copytrade import bankroll, drawdown
from storage.database import Connection
from storage.intents.copytrade_portfolios import open_close
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened

Token = Annotated[str, StringConstraints(pattern="^[0-9]{1,78}$")]


class PaperCash(Input):
    """`direction` out takes it back; it moves neither profit nor drawdown."""

    amount_usdc: Usdc
    direction: Literal["in", "out"] = "in"
    reason: Note = ""


class CashView(BaseModel):
    cash_usdc: str


class Reset(Input):
    """Without `bankroll_usdc`: what new portfolios start with."""

    bankroll_usdc: Usdc | None = None
    reason: Note = ""


class ResetView(BaseModel):
    """How often this portfolio has begun anew; everything booked before is kept."""

    resets: int


class Close(Input):
    """Shares left out: all that is held."""

    asset_id: Token
    shares: Usdc | None = None
    reason: Note = ""


class CloseAccepted(BaseModel):
    id: str
    operation_id: str
    status: Literal["running"]


class Because(Input):
    reason: Note = ""


class DrawdownView(BaseModel):
    """The profit from which the drawdown is counted now."""

    pnl_usdc: str


Whose = tuple[Scope, str | None]
GLOBAL: Final[Whose] = (Scope.EXEC_GLOBAL, None)
_MOVE: Final[dict[str, Any]] = {
    **guarded("Move paper cash", "amount_precision", "amount_below_minimum", "insufficient_funds", **WRITE, body=True,
              request_example={"amount_usdc": "500"}, response_example={"cash_usdc": "10500"}),
}  # fmt: skip
_RESET: Final[dict[str, Any]] = {
    **guarded("Begin a paper portfolio anew", "amount_precision", **WRITE, body=True,
              request_example={"bankroll_usdc": "500", "reason": "second month"}, response_example={"resets": 1}),
}  # fmt: skip
_ACCEPTED: Final = {"id": examples.ID, "operation_id": examples.ID, "status": "running"}
_CLOSE: Final[dict[str, Any]] = {
    **guarded("Close a paper position", "position_not_held", "amount_precision", "amount_below_minimum", **WRITE,
              body=True, request_example={"asset_id": examples.TOKEN}, response_example=_ACCEPTED),
}  # fmt: skip
_COUNT: Final[dict[str, Any]] = {
    **guarded("Reset a drawdown", **WRITE, body=True, request_example={"reason": "looked at it"},
              response_example={"pnl_usdc": "-1200"}),
}  # fmt: skip


async def _moved(request: Any, deps: Deps, principal: Principal, whose: Whose, data: PaperCash) -> Response[Any]:
    amount = data.amount_usdc if data.direction == "in" else -data.amount_usdc

    async def work(connection: Connection) -> Stored:
        left = await bankroll.move_cash(connection, *whose, amount, principal=principal.account_id, reason=data.reason)
        return json_answer(200, msgspec.json.encode({"cash_usdc": format_usdc(left)}))

    return await intend(request, deps, principal, work, required=True)


async def _anew(request: Any, deps: Deps, principal: Principal, whose: Whose, data: Reset) -> Response[Any]:
    amount = data.bankroll_usdc if data.bankroll_usdc is not None else deps.config.bankroll_micros

    async def work(connection: Connection) -> Stored:
        epoch = await bankroll.reset(connection, *whose, amount, principal=principal.account_id, reason=data.reason)
        return json_answer(200, msgspec.json.encode({"resets": epoch}))

    return await intend(request, deps, principal, work, required=True)


async def _closed(
    request: Any, deps: Deps, dispatch: Dispatch, principal: Principal, whose: Whose, data: Close
) -> Response[Any]:
    opened: list[Opened] = []
    scope, user_id = whose

    async def work(connection: Connection) -> Stored:
        opened.append(
            await open_close(
                connection,
                scope=scope,
                user_id=user_id,
                token_id=data.asset_id,
                shares=data.shares,
                reason=data.reason,
                principal=principal.account_id,
            )
        )
        one = opened[0]
        answer = {"id": one.subject_id, "operation_id": one.operation_id, "status": "running"}
        return json_answer(202, msgspec.json.encode(answer), location=f"/api/operations/{one.operation_id}")

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("paper_close", opened[0])
    return response


async def _counted(request: Any, deps: Deps, principal: Principal, whose: Whose, data: Because) -> Response[Any]:
    async def work(connection: Connection) -> Stored:
        portfolio = await bankroll.locked(connection, *whose)
        pnl = await drawdown.reset(connection, portfolio["id"], principal=principal.account_id, reason=data.reason)
        return json_answer(200, msgspec.json.encode({"pnl_usdc": format_usdc(pnl)}))

    return await intend(request, deps, principal, work)


def _of(user_id: UUID) -> Whose:
    return Scope.EXEC_USER, str(user_id)


@post("/api/copytrade/portfolio/global/cash", status_code=200, **_MOVE)
async def global_cash(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, data: JSONBody[PaperCash]
) -> Response[CashView]:
    """Into or out of the portfolio over all followed users."""
    return await _moved(request, deps, principal, GLOBAL, data)


@post("/api/copytrade/users/{user_id:uuid}/cash", status_code=200, **_MOVE)
async def user_cash(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: FromPath[UUID],
    data: JSONBody[PaperCash],
) -> Response[CashView]:
    """Into or out of this user's executable portfolio."""
    return await _moved(request, deps, principal, _of(user_id), data)


@post("/api/copytrade/portfolio/global/reset", status_code=200, **_RESET)
async def global_reset(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, data: JSONBody[Reset]
) -> Response[ResetView]:
    """No positions, this bankroll; the history is kept."""
    return await _anew(request, deps, principal, GLOBAL, data)


@post("/api/copytrade/users/{user_id:uuid}/reset", status_code=200, **_RESET)
async def user_reset(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: FromPath[UUID],
    data: JSONBody[Reset],
) -> Response[ResetView]:
    """No positions, this bankroll; the history is kept. The shadow is not touched."""
    return await _anew(request, deps, principal, _of(user_id), data)


@post("/api/copytrade/portfolio/global/close", status_code=202, **_CLOSE)
async def global_close(
    request: Request[Any, Any, Any], deps: Deps, dispatch: Dispatch, principal: Principal, data: JSONBody[Close]
) -> Response[CloseAccepted]:
    """Sells on paper at the venue's book of now; one book is asked for."""
    return await _closed(request, deps, dispatch, principal, GLOBAL, data)


@post("/api/copytrade/users/{user_id:uuid}/close", status_code=202, **_CLOSE)
async def user_close(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    user_id: FromPath[UUID],
    data: JSONBody[Close],
) -> Response[CloseAccepted]:
    """Sells on paper at the venue's book of now; one book is asked for."""
    return await _closed(request, deps, dispatch, principal, _of(user_id), data)


@post("/api/copytrade/portfolio/global/reset-drawdown", status_code=200, **_COUNT)
async def global_drawdown(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, data: JSONBody[Because]
) -> Response[DrawdownView]:
    """Counts the drawdown from now on; a latched portfolio may open again."""
    return await _counted(request, deps, principal, GLOBAL, data)


@post("/api/copytrade/users/{user_id:uuid}/reset-drawdown", status_code=200, **_COUNT)
async def user_drawdown(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: FromPath[UUID],
    data: JSONBody[Because],
) -> Response[DrawdownView]:
    """Counts the drawdown from now on; a latched portfolio may open again."""
    return await _counted(request, deps, principal, _of(user_id), data)


HANDLERS: Final = (
    global_cash, user_cash, global_reset, user_reset, global_close, user_close, global_drawdown, user_drawdown,
)  # fmt: skip
