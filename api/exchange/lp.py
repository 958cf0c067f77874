"""Liquidity providers: what they own, and taking principal out."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.accounts.accounts import must_exist
from api.deps import Deps
from api.dispatch import Dispatch
from api.events.hub import Hub
from api.exchange import lp_views as views
from api.exchange.answering import accepted, decided
from api.exchange.lp_views import ID, TAG
from api.http import bodies, paging
from api.http.asked import AccountFilter, DecisionNote, note_of, own_or_asked
from api.http.documented import guarded
from api.http.idempotency import effect, intend, json_answer
from api.http.inputs import Id, Input, Usdc
from api.http.scopes import Principal
from domain.exchange import liquidity as rules
from domain.exchange import vesting
from domain.exchange.liquidity_messages import LpWithdrawalState
from domain.exchange.messages import Decision
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.money import format_usdc
from storage.database import Connection
from storage.intents.idempotency import Stored
from storage.intents.liquidity import open_lp_withdrawal
from storage.intents.opened import Opened
from storage.reads import liquidity as reads
from storage.reads import market, operations
from storage.reads.base import Row
from storage.reads.liquidity import PoolFacts

AssetFilter = Annotated[UUID | None, QueryParameter(required=False, description="Only this asset's.")]


class NewLpWithdrawal(Input):
    asset_id: Id
    account_id: Id
    amount_usdc: Usdc


async def part_in_pool(deps: Deps, asset_id: str, account_id: str) -> PoolFacts | None:
    """The account's part in the pool, if it has one. Raises Rejected not_found for an unknown asset."""
    found = await reads.pool_facts(deps.reads, asset_id, account_id)
    if found is None and await market.market(deps.reads, asset_id) is None:
        raise Rejected("not_found", "no such asset")
    return found


async def _check(deps: Deps, asset_id: str, account_id: str, amount: int) -> PoolFacts:
    """Everything that refuses a withdrawal at once; raises Rejected with the code."""
    if amount <= 0:
        raise Rejected("amount_below_minimum", "the minimum is 0.000001 USDC")
    found = await part_in_pool(deps, asset_id, account_id)
    if found is None:
        raise Rejected("not_vested", "the account has no liquidity in this asset")
    if found.asset_status not in rules.OPEN_POOLS:
        raise Rejected("asset_not_active", f"the asset is {found.asset_status}")
    vesting.check_vested(found.standing(deps.config.lp_policy), amount)
    return found


def _location(withdrawal_id: str) -> str:
    return f"/api/exchange/lp-withdrawals/{withdrawal_id}"


@post("/api/exchange/lp-withdrawals", status_code=202,
      **guarded("Withdraw liquidity", "amount_precision", "amount_below_minimum", "asset_not_active", "not_vested",
                tag=TAG, scopes=("exchange:withdraw",), body=True, keyed=True,
                request_example={"asset_id": ID, "account_id": ID, "amount_usdc": "100"},
                response_example=views.REQUESTED))  # fmt: skip
async def create_withdrawal(
    request: Request[Any, Any, Any],
    deps: Deps,
    hub: Hub,
    dispatch: Dispatch,
    principal: Principal,
    data: JSONBody[NewLpWithdrawal],
) -> Response[views.LpWithdrawalView]:
    """Up to a quarter of what has vested is paid at once, the rest a day later, in order and in parts, never more than
    a tenth of the pool in 24 hours. Needs an `Idempotency-Key`. `Prefer: wait=N` answers 200 when it is paid or queued.
    """
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        account_id = await must_exist(deps, principal, data.account_id)
        found = await _check(deps, data.asset_id, account_id, data.amount_usdc)
        opened.append(
            await open_lp_withdrawal(
                connection,
                asset_id=data.asset_id,
                symbol=found.symbol,
                account_id=account_id,
                amount_micros=data.amount_usdc,
                requested_by=principal.account_id,
            )
        )
        name = opened[0].subject_id
        return await accepted(connection, reads.WITHDRAWALS, name, _location(name))

    response = await intend(request, deps, principal, work, required=True)
    if not opened:
        return response
    name = opened[0].subject_id
    dispatch.soon("lp_withdrawal", opened[0])
    location = _location(name)
    return await decided(request, deps, hub, principal, response, location, lambda: reads.withdrawal(deps.reads, name))


@get("/api/exchange/lp-withdrawals",
     **guarded("List withdrawals of liquidity", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",),
               csv=True, response_example={"items": [views.WITHDRAWAL], "next_cursor": None}))  # fmt: skip
async def list_withdrawals(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    asset_id: AssetFilter = None,
    status: Annotated[views.LpWithdrawalStatus | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[views.LpWithdrawalPage]:
    """Newest first."""
    found = await reads.withdrawals(
        deps.reads,
        account_id=own_or_asked(principal, account_id),
        asset_id=str(asset_id) if asset_id else None,
        status=status,
        limit=limit,
        after=paging.after(request, cursor),
    )
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


async def _row(deps: Deps, principal: Principal, withdrawal_id: str) -> Row:
    row = await reads.withdrawal(deps.reads, withdrawal_id)
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such withdrawal, or not yours")
    return row


@get("/api/exchange/lp-withdrawals/{withdrawal_id:uuid}",
     **guarded("Read a withdrawal of liquidity", tag=TAG, scopes=("exchange:read",),
               response_example=views.WITHDRAWAL))  # fmt: skip
async def read_withdrawal(
    deps: Deps, principal: Principal, withdrawal_id: FromPath[UUID]
) -> Response[views.LpWithdrawalView]:
    """What was paid, what is queued, and every payment."""
    return bodies.json_response((await _row(deps, principal, str(withdrawal_id)))["body"])


async def cancel_lp_withdrawal(deps: Deps, dispatch: Dispatch, principal: Principal, withdrawal_id: str) -> str:
    """Ask the process to give up the rest; return the withdrawal's JSON afterwards.

    Raises: Rejected not_found, not_cancellable, conflict; Unavailable temporal_unavailable.
    """
    row = await _row(deps, principal, withdrawal_id)
    if row["status"] not in rules.CANCELLABLE:
        raise Rejected("not_cancellable", f"it is {row['status']}")
    workflow_id = ids.lp_withdrawal(withdrawal_id)
    operation = await operations.operation(deps.reads, row["operation_id"])
    if operation is not None and not operation["dispatched"]:
        opened = Opened(withdrawal_id, row["operation_id"], workflow_id, row["owner"], "Withdrawal to be cancelled")
        await dispatch.now("lp_withdrawal", opened)
    decision, name = Decision(principal=principal.account_id), f"cancel:{principal.account_id}"
    await deps.processes.update(workflow_id, "cancel", decision, LpWithdrawalState, update_id=name)
    return str((await _row(deps, principal, withdrawal_id))["body"])


@post("/api/exchange/lp-withdrawals/{withdrawal_id:uuid}/cancel", status_code=200,
      **guarded("Cancel a withdrawal of liquidity", "not_cancellable", "conflict", "temporal_unavailable", tag=TAG,
                scopes=("exchange:withdraw",), body=True, keyed=True, request_example={"note": "changed my mind"},
                response_example=views.WITHDRAWAL | {"status": "cancelled"}))  # fmt: skip
async def cancel_withdrawal(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    withdrawal_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[views.LpWithdrawalView]:
    """Gives up what is not paid yet; what was paid stays paid. The body may be left out."""
    note_of(data)

    async def act() -> Stored:
        return json_answer(200, await cancel_lp_withdrawal(deps, dispatch, principal, str(withdrawal_id)))

    return await effect(request, deps, principal, act)


def position_body(row: Row, policy: vesting.LpPolicy) -> str:
    """A provider's part in a pool with what vesting allows now."""
    facts = PoolFacts.model_validate({name: row[name] for name in PoolFacts.model_fields})
    found = facts.standing(policy)
    is_open = facts.asset_status in rules.OPEN_POOLS
    coming = found.next
    moment = coming.at.strftime("%Y-%m-%dT%H:%M:%SZ") if coming is not None else None
    return bodies.splice(
        row["body"],
        vested_usdc=format_usdc(found.vested),
        instant_available_usdc=format_usdc(found.instant_available(policy.instant_bps) if is_open else 0),
        queueable_usdc=format_usdc(found.queueable if is_open else 0),
        queued_usdc=format_usdc(found.pending),
        next_vesting_at=moment,
        next_vesting_usdc=format_usdc(coming.amount) if coming is not None else None,
        fees_owed_usdc=format_usdc(facts.fees_owed),
    )


@get("/api/exchange/lp-positions",
     **guarded("List parts in pools", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [views.POSITION], "next_cursor": None}))  # fmt: skip
async def list_positions(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[views.LpPositionPage]:
    """One account's, its own without `account_id`: principal, vesting, what may be withdrawn now, fees. Newest asset
    first.
    """
    owner = str(account_id or principal.account_id)
    principal.must_see(owner)
    found = await reads.positions(deps.reads, account_id=owner, limit=limit, after=paging.after(request, cursor))
    policy = deps.config.lp_policy
    return paging.answer(request, [position_body(r, policy) for r in found.rows], found.next_key, csv_allowed=True)
