"""Asking for a withdrawal: checked now from reads, accepted as an intent; the worker checks again under lock."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, post
from litestar.params import JSONBody

from api.accounts.accounts import must_exist
from api.deps import Deps
from api.dispatch import Dispatch
from api.events.hub import Hub
from api.exchange.views import WithdrawalView
from api.exchange.withdrawals import EXAMPLE, TAG, body_of
from api.http import waiting
from api.http.documented import guarded
from api.http.idempotency import claim_of, intend, json_answer, replace_answer, respond
from api.http.inputs import Address, Id, Input, Usdc
from api.http.scopes import Principal
from domain.exchange.addresses import check_destination
from domain.exchange.withdrawals import ENDED, check_limits, check_request
from domain.shared.errors import Rejected
from gateways.evm.addresses import parse_address
from storage.database import Connection
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.intents.withdrawals import open_withdrawal
from storage.reads import exchange as reads

CHECKS: Final = (
    "invalid_address",
    "amount_precision",
    "amount_below_minimum",
    "destination_not_allowed",
    "withdrawals_disabled",
    "account_daily_limit",
    "platform_daily_limit",
    "insufficient_funds",
)


class NewWithdrawal(Input):
    account_id: Id
    to_address: Address
    amount_usdc: Usdc


async def _check(deps: Deps, account_id: str, to_address: str, amount: int) -> None:
    """Everything that refuses a withdrawal at once; raises Rejected with the code."""
    policy = deps.config.withdrawal_policy
    check_request(amount, policy)
    check_destination(to_address, deps.config.own_addresses)
    found = await reads.headroom(deps.reads, account_id, to_address)
    if found.to_ourselves:
        raise Rejected("destination_not_allowed", "that is a deposit address of this platform")
    if not found.enabled:
        raise Rejected("withdrawals_disabled", "withdrawals are switched off")
    check_limits(amount, found.account_used, found.platform_used, policy)
    if found.available < amount + policy.fee_micros:
        raise Rejected("insufficient_funds", "the available balance is smaller than amount and fee")


@post(
    "/api/exchange/withdrawals",
    status_code=202,
    **guarded(
        "Request a withdrawal",
        *CHECKS,
        tag=TAG,
        scopes=("exchange:withdraw",),
        body=True,
        keyed=True,
        request_example={"account_id": EXAMPLE["account_id"], "to_address": EXAMPLE["to_address"],
                         "amount_usdc": "100.25"},
        response_example=EXAMPLE,
    ),
)  # fmt: skip
async def create(
    request: Request[Any, Any, Any],
    deps: Deps,
    hub: Hub,
    dispatch: Dispatch,
    principal: Principal,
    data: JSONBody[NewWithdrawal],
) -> Response[WithdrawalView]:
    """Accepted durably, then carried out by a process: hold, limits, approval from the review threshold on, sign,
    broadcast, confirm, settle. Needs an `Idempotency-Key`. `Prefer: wait=N` answers 200 when it ends in time.
    """
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        account_id = await must_exist(deps, principal, data.account_id)
        to_address = parse_address(data.to_address)
        await _check(deps, account_id, to_address, data.amount_usdc)
        opened.append(
            await open_withdrawal(
                connection,
                account_id=account_id,
                chain_id=deps.config.chain_id,
                to_address=to_address,
                amount_micros=data.amount_usdc,
                fee_micros=deps.config.withdrawal_policy.fee_micros,
                requested_by=principal.account_id,
            )
        )
        return await _accepted(connection, opened[0].subject_id)

    response = await intend(request, deps, principal, work, required=True)
    if not opened:
        return response
    dispatch.soon("withdrawal", opened[0])
    finished = await _finished(request, deps, hub, opened[0].subject_id)
    if finished is None:
        return response
    claim = await claim_of(request, principal, required=True)
    if claim is not None:
        await replace_answer(deps, claim, finished)
    return respond(finished)


async def _accepted(connection: Connection, withdrawal_id: str) -> Stored:
    listing = reads.WITHDRAWALS
    cursor = await connection.execute(
        f"SELECT ({listing.body})::text AS body, {listing.extra} FROM {listing.source} WHERE w.id = %s",
        [withdrawal_id],
    )
    row = await cursor.fetchone()
    assert row is not None
    return json_answer(202, body_of(row), location=f"/api/exchange/withdrawals/{withdrawal_id}")


async def _finished(request: Request[Any, Any, Any], deps: Deps, hub: Hub, withdrawal_id: str) -> Stored | None:
    seconds = waiting.asked(request)
    if not seconds:
        return None

    async def read() -> tuple[str, bool]:
        row = await reads.withdrawal(deps.reads, withdrawal_id)
        assert row is not None
        return body_of(row), row["status"] in ENDED

    body = await waiting.until_finished(hub, seconds, read)
    if body is None:
        return None
    location = f"/api/exchange/withdrawals/{withdrawal_id}"
    return json_answer(200, body, location=location, preference_applied="wait")
