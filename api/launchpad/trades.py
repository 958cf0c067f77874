"""Trades in a sale: an unsigned transaction goes out to the wallet, the signed one comes back and is sent."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath, JSONBody

from api.deps import Deps
from api.dispatch import Dispatch
from api.http.documented import guarded
from api.http.idempotency import claim_of, effect, intend, json_answer
from api.http.scopes import Principal
from api.launchpad.launch_signing import SignedTransaction, decoded
from api.launchpad.sale_chain import Live, held_by, live, row_of, solana_of
from api.launchpad.sale_views import (
    ISSUED_EXAMPLE,
    OPERATION_EXAMPLE,
    WALLET,
    AcceptedView,
    BuyAsk,
    IssuedView,
    SellAsk,
    WalletAsk,
)
from api.launchpad.sales import TAG, quoted, units_of
from api.launchpad.standing import sol
from domain.launchpad import quotes
from domain.launchpad.refusals import code_of
from domain.launchpad.trade_rules import (
    check_claim,
    check_open,
    check_refund,
    check_tokens,
    check_wallet,
    market_of,
    needs_registration,
    refusal,
)
from domain.launchpad.transactions import Instruction, Plan
from domain.shared.errors import Rejected
from storage.database import Connection, transaction
from storage.events import new_id
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.intents.sales import belongs_to, operation_status, submit_trade
from storage.intents.solana import issue
from storage.launchpad.trades import KIND

_DOCUMENTED: Final[dict[str, Any]] = {
    "tag": TAG,
    "scopes": ("launchpad:write",),
    "body": True,
    "keyed": True,
    "response_example": ISSUED_EXAMPLE,
}
_PROBLEMS: Final = ("sale_not_open", "sale_slippage", "transaction_failed", "launchpad_off", "solana_unavailable")


class Asked(NamedTuple):
    """By whom a transaction was asked for: nobody else hands it in."""

    deps: Deps
    account_id: str


async def _issued(
    asked: Asked, found: Live, act: str, wallet: str, steps: tuple[Instruction, ...], quote: dict[str, Any] | None
) -> Stored:
    """The message of these steps for the wallet, tried out before it is handed out."""
    if wallet in {step.program for step in steps}:  # no message can be made: a program pays for nothing
        raise Rejected("validation_failed", "this is a program, not a wallet", pointer="/wallet")
    plan = Plan(
        key=f"trade:{act}:{new_id()}",
        subject_kind=KIND,
        subject_id=found.row["id"],
        payer=wallet,
        instructions=steps,
        most_lamports=0,
    )
    draft = await solana_of(asked.deps).draft(plan)
    if draft.simulated_err is not None:
        from gateways.solana.sale_idl import interface  # as in sale_chain

        raise refusal(act, code_of(draft.simulated_err, interface().errors), draft.simulated_err)
    async with transaction(asked.deps.writes) as connection:
        issued = await issue(connection, plan, draft, platform=found.sale.platform)
        await belongs_to(connection, issued.transaction_id, asked.account_id)
    answer = {
        "transaction_base64": issued.transaction_base64,
        "last_valid_block_height": issued.last_valid_block_height,
        "quote": quote,
    }
    return json_answer(200, msgspec.json.encode(answer))


@post("/api/launchpad/sales/{sale_id:uuid}/buy", status_code=200,
      **guarded("Buy in a sale", "amount_precision", "amount_too_small", "conflict", *_PROBLEMS, **_DOCUMENTED,
                request_example={"wallet": WALLET, "tokens": "1000000", "max_sol": "0.12"}))  # fmt: skip
async def buy(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    sale_id: FromPath[UUID],
    data: JSONBody[BuyAsk],
) -> Response[IssuedView]:
    """A transaction for the wallet to sign: until the soft cap the tokens stay in the sale, and all of it comes back if
    it is not reached. More than is left is cut to what is left."""

    async def act() -> Stored:
        found = await live(deps, sale_id, data.wallet, data.referrer_wallet)
        check_open(found.sale, found.now, selling=False)
        decimals, program = found.row["decimals"], found.program
        market = market_of(found.sale, found.row["transfer_fee_bps"])
        made = quotes.buy(market, units_of(data.tokens, decimals, "/tokens"))
        if made.total > data.max_sol:
            raise Rejected("sale_slippage", f"it costs {sol(made.total)} SOL")
        check_wallet(found.sale, found.position, made.tokens)
        steps = program.buy(found.sale.keys, data.wallet, made.tokens, data.max_sol)
        if needs_registration(data.wallet, data.referrer_wallet, found.own, found.referrers):
            upline = data.referrer_wallet if data.referrer_wallet != data.wallet else None
            steps = (program.register_referral(data.wallet, upline), *steps)
        quote = quoted(made._replace(limit=data.max_sol), "buy", decimals)
        return await _issued(Asked(deps, principal.account_id), found, "buy", data.wallet, steps, quote)

    return await effect(request, deps, principal, act)


@post("/api/launchpad/sales/{sale_id:uuid}/sell", status_code=200,
      **guarded("Sell in a sale", "amount_precision", "amount_too_small", "tokens_missing", *_PROBLEMS, **_DOCUMENTED,
                request_example={"wallet": WALLET, "tokens": "1000000", "min_sol": "0.09"}))  # fmt: skip
async def sell(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    sale_id: FromPath[UUID],
    data: JSONBody[SellAsk],
) -> Response[IssuedView]:
    """A transaction for the wallet to sign. There are no sales before the soft cap is reached."""

    async def act() -> Stored:
        found = await live(deps, sale_id, data.wallet)
        check_open(found.sale, found.now, selling=True)
        decimals, program = found.row["decimals"], found.program
        tokens = units_of(data.tokens, decimals, "/tokens")
        check_tokens(found.sale, found.position, await held_by(deps, found.sale.keys, data.wallet), tokens)
        made = quotes.sell(market_of(found.sale, found.row["transfer_fee_bps"]), tokens)
        if made.total < data.min_sol:
            raise Rejected("sale_slippage", f"it brings {sol(made.total)} SOL")
        step = program.sell(found.sale.keys, data.wallet, made.tokens, data.min_sol)
        quote = quoted(made._replace(limit=data.min_sol), "sell", decimals)
        return await _issued(Asked(deps, principal.account_id), found, "sell", data.wallet, (step,), quote)

    return await effect(request, deps, principal, act)


@post("/api/launchpad/sales/{sale_id:uuid}/claim", status_code=200,
      **guarded("Claim tokens bought in a sale", *_PROBLEMS, **_DOCUMENTED,
                request_example={"wallet": WALLET}))  # fmt: skip
async def claim(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    sale_id: FromPath[UUID],
    data: JSONBody[WalletAsk],
) -> Response[IssuedView]:
    """A transaction for the wallet to sign: what it bought before the soft cap was reached, into its token account."""

    async def act() -> Stored:
        found = await live(deps, sale_id, data.wallet)
        check_claim(found.sale, found.position)
        steps = found.program.claim(found.sale.keys, data.wallet, data.wallet)
        return await _issued(Asked(deps, principal.account_id), found, "claim", data.wallet, steps, None)

    return await effect(request, deps, principal, act)


@post("/api/launchpad/sales/{sale_id:uuid}/refund", status_code=200,
      **guarded("Take a refund from a sale", *_PROBLEMS, **_DOCUMENTED,
                request_example={"wallet": WALLET}))  # fmt: skip
async def refund(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    sale_id: FromPath[UUID],
    data: JSONBody[WalletAsk],
) -> Response[IssuedView]:
    """A transaction for the wallet to sign. Nobody has to: the platform refunds everybody by itself."""

    async def act() -> Stored:
        found = await live(deps, sale_id, data.wallet)
        check_refund(found.sale, found.position, found.now)
        step = found.program.refund(found.sale.keys, data.wallet)
        position = found.position
        quote = None
        if position is not None:
            back = quotes.Quote(position.tokens, position.paid, position.tax, position.paid + position.tax, 0)
            quote = quoted(back, "buy", found.row["decimals"]) | {"max_sol": None}
        return await _issued(Asked(deps, principal.account_id), found, "refund", data.wallet, (step,), quote)

    return await effect(request, deps, principal, act)


@post("/api/launchpad/sales/{sale_id:uuid}/submit", status_code=202,
      **guarded("Hand in a signed trade", "transaction_altered", "transaction_expired", "signature_not_awaited",
                "launchpad_off", "temporal_unavailable", **_DOCUMENTED | {"response_example": OPERATION_EXAMPLE},
                request_example={"transaction_base64": "AQAAAA=="}))  # fmt: skip
async def submit(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    sale_id: FromPath[UUID],
    data: JSONBody[SignedTransaction],
) -> Response[AcceptedView]:
    """The transaction of `buy`, `sell`, `claim` or `refund` with the wallet's signature, and nothing else changed. Its
    operation ends when it is final. Needs an `Idempotency-Key`."""
    await claim_of(request, principal, required=True)
    row, solana = await row_of(deps, sale_id), solana_of(deps)
    signed = solana.read_signed(decoded(data.transaction_base64))
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        made = await submit_trade(
            connection, row["id"], signed, platform=row["platform"], account_id=principal.account_id
        )
        opened.append(made)
        body = {
            "id": made.operation_id,
            "kind": KIND,
            "status": await operation_status(connection, made.operation_id),
            "operation_id": made.operation_id,
            "transaction_id": made.subject_id,
        }
        return json_answer(202, msgspec.json.encode(body), location=f"/api/operations/{made.operation_id}")

    response = await intend(request, deps, principal, work, required=True)
    for made in opened:
        dispatch.soon(KIND, made)
    return response
