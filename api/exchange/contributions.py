"""Funding an asset: contributions as intents that its funding round decides, and the end of a round by an operator."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.accounts.accounts import must_exist
from api.deps import Deps
from api.dispatch import Dispatch
from api.events.hub import Hub
from api.exchange.answering import accepted, decided
from api.exchange.assets import EXAMPLE as ASSET_EXAMPLE
from api.exchange.assets import body_of as asset_body
from api.exchange.lp_views import CONTRIBUTION, ID, TAG, ContributionPage, ContributionStatus, ContributionView
from api.exchange.market_views import AssetView
from api.http import bodies, paging
from api.http.asked import AccountFilter, DecisionNote, note_of, own_or_asked
from api.http.documented import guarded
from api.http.idempotency import effect, intend, json_answer
from api.http.inputs import Id, Input, Usdc
from api.http.scopes import STAFF, Principal
from domain.exchange import funding
from domain.exchange.liquidity_messages import Contribute, ContributionState, RoundState
from domain.exchange.messages import Decision
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.intents.idempotency import Stored
from storage.intents.liquidity import open_contribution
from storage.intents.opened import Opened
from storage.reads import liquidity as reads
from storage.reads import market
from storage.reads.liquidity import RoundFacts

CHECKS: Final = (
    "amount_precision",
    "amount_below_minimum",
    "funding_closed",
    "hard_cap_exceeded",
    "insufficient_funds",
)


class NewContribution(Input):
    account_id: Id
    amount_usdc: Usdc


def _location(asset_id: str, contribution_id: str) -> str:
    return f"/api/exchange/assets/{asset_id}/contributions/{contribution_id}"


async def must_have_round(deps: Deps, asset_id: str, account_id: str) -> RoundFacts:
    """The asset as a contribution finds it. Raises Rejected not_found."""
    found = await reads.round_facts(deps.reads, asset_id, account_id)
    if found is None:
        raise Rejected("not_found", "no such asset")
    return found


async def ready(deps: Deps, dispatch: Dispatch, asset_id: str, found: RoundFacts) -> None:
    """Make sure that the round's process exists. Raises Unavailable."""
    if not found.dispatched and found.operation_id is not None:
        summary = f"Fund {found.symbol}"
        opened = Opened(asset_id, found.operation_id, ids.funding_round(asset_id), None, summary)
        await dispatch.now("funding_round", opened)


@post("/api/exchange/assets/{asset_id:uuid}/contributions", status_code=202,
      **guarded("Contribute to an asset", *CHECKS, tag=TAG, scopes=("exchange:trade",), body=True, keyed=True,
                request_example={"account_id": ID, "amount_usdc": "100.25"},
                response_example=CONTRIBUTION))  # fmt: skip
async def create(
    request: Request[Any, Any, Any],
    deps: Deps,
    hub: Hub,
    dispatch: Dispatch,
    principal: Principal,
    asset_id: FromPath[UUID],
    data: JSONBody[NewContribution],
) -> Response[ContributionView]:
    """Accepted durably, then decided by the asset's funding round in the order of acceptance: whole or not at all.
    Needs an `Idempotency-Key`. `Prefer: wait=N` answers 200 with the decision. When the round ends without its soft
    cap, all of it comes back.
    """
    asset = str(asset_id)
    made: list[tuple[str, RoundFacts]] = []

    async def work(connection: Connection) -> Stored:
        account_id = await must_exist(deps, principal, data.account_id)
        found = await must_have_round(deps, asset, account_id)
        funding.check(found.round, data.amount_usdc, found.balance, found.clock)
        contribution_id = await open_contribution(
            connection,
            asset_id=asset,
            account_id=account_id,
            amount_micros=data.amount_usdc,
            requested_by=principal.account_id,
        )
        made.append((contribution_id, found))
        return await accepted(connection, reads.CONTRIBUTIONS, contribution_id, _location(asset, contribution_id))

    response = await intend(request, deps, principal, work, required=True)
    if not made:
        return response
    contribution_id, found = made[0]

    dispatch.later(lambda: _hand_over(deps, dispatch, asset, contribution_id, found), contribution_id)
    location = _location(asset, contribution_id)
    return await decided(
        request, deps, hub, principal, response, location, lambda: reads.contribution(deps.reads, contribution_id)
    )


async def _hand_over(deps: Deps, dispatch: Dispatch, asset: str, contribution_id: str, found: RoundFacts) -> None:
    """Ask the round to decide. It may have decided, and ended, before it was told."""
    await ready(deps, dispatch, asset, found)
    wanted = Contribute(contribution_id=contribution_id)
    try:
        await deps.processes.update(
            ids.funding_round(asset), "contribute", wanted, ContributionState, update_id=contribution_id
        )
    except Rejected:
        row = await reads.contribution(deps.reads, contribution_id)
        if row is None or row["status"] == "requested":
            raise


@get("/api/exchange/assets/{asset_id:uuid}/contributions",
     **guarded("List contributions", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [CONTRIBUTION], "next_cursor": None}))  # fmt: skip
async def list_contributions(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    asset_id: FromPath[UUID],
    account_id: AccountFilter = None,
    status: Annotated[ContributionStatus | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[ContributionPage]:
    """Newest first. Staff see everybody's, others their own."""
    owner = own_or_asked(principal, account_id)
    await must_have_round(deps, str(asset_id), principal.account_id)
    found = await reads.contributions(
        deps.reads,
        asset_id=str(asset_id),
        account_id=owner,
        status=status,
        limit=limit,
        after=paging.after(request, cursor),
    )
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@get("/api/exchange/assets/{asset_id:uuid}/contributions/{contribution_id:uuid}",
     **guarded("Read a contribution", tag=TAG, scopes=("exchange:read",), response_example=CONTRIBUTION))  # fmt: skip
async def read(
    deps: Deps, principal: Principal, asset_id: FromPath[UUID], contribution_id: FromPath[UUID]
) -> Response[ContributionView]:
    """Whether it was accepted, refused or refunded."""
    row = await reads.contribution(deps.reads, str(contribution_id))
    if row is None or row["asset"] != str(asset_id) or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such contribution, or not yours")
    return bodies.json_response(row["body"])


async def cancel_round(deps: Deps, dispatch: Dispatch, principal: Principal, asset_id: str, note: str) -> None:
    """Ask the round to end without activation. Raises Rejected not_found, not_cancellable, conflict; Unavailable."""
    found = await must_have_round(deps, asset_id, principal.account_id)
    if found.status != "funding":
        raise Rejected("not_cancellable", f"the asset is {found.status}")
    await ready(deps, dispatch, asset_id, found)
    decision = Decision(principal=principal.account_id, note=note)
    name = f"cancel:{principal.account_id}"
    await deps.processes.update(ids.funding_round(asset_id), "cancel", decision, RoundState, update_id=name)


@post("/api/exchange/assets/{asset_id:uuid}/cancel-funding", status_code=200,
      **guarded("Cancel a funding round", "not_cancellable", "funding_closed", "conflict", "temporal_unavailable",
                tag=TAG, scopes=("exchange:trade",), roles=STAFF, body=True, keyed=True,
                request_example={"note": "listed by mistake"},
                response_example=ASSET_EXAMPLE | {"status": "cancelled"}))  # fmt: skip
async def cancel_funding(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    asset_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[AssetView]:
    """The asset is cancelled at once, every contribution is refunded by its funding round. The body may be left out."""
    note = note_of(data)

    async def act() -> Stored:
        await cancel_round(deps, dispatch, principal, str(asset_id), note)
        row = await market.asset(deps.reads, str(asset_id))
        assert row is not None
        return json_answer(200, asset_body(row))

    return await effect(request, deps, principal, act)
