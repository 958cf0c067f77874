"""Liquidity providers: claiming fees."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody

from api.accounts.accounts import must_exist
from api.deps import Deps
from api.dispatch import Dispatch
from api.events.hub import Hub
from api.exchange import lp_views as views
from api.exchange.answering import accepted, decided
from api.exchange.lp import AssetFilter, part_in_pool
from api.exchange.lp_views import ID, TAG
from api.http import bodies, paging
from api.http.asked import AccountFilter, own_or_asked
from api.http.documented import guarded
from api.http.idempotency import intend
from api.http.inputs import Id, Input
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.intents.idempotency import Stored
from storage.intents.liquidity import open_fee_claim
from storage.intents.opened import Opened
from storage.reads import liquidity as reads


class NewFeeClaim(Input):
    asset_id: Id
    account_id: Id


def _location(claim_id: str) -> str:
    return f"/api/exchange/lp-fee-claims/{claim_id}"


@post("/api/exchange/lp-fee-claims", status_code=202,
      **guarded("Claim fees", "nothing_to_claim", tag=TAG, scopes=("exchange:withdraw",), body=True, keyed=True,
                request_example={"asset_id": ID, "account_id": ID}, response_example=views.CLAIM))  # fmt: skip
async def create_claim(
    request: Request[Any, Any, Any],
    deps: Deps,
    hub: Hub,
    dispatch: Dispatch,
    principal: Principal,
    data: JSONBody[NewFeeClaim],
) -> Response[views.FeeClaimView]:
    """Everything that is owed, at once; fees never vest. Needs an `Idempotency-Key`. `Prefer: wait=N` answers 200 with
    what was paid.
    """
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        account_id = await must_exist(deps, principal, data.account_id)
        found = await part_in_pool(deps, data.asset_id, account_id)
        if found is None or not found.fees_owed:
            raise Rejected("nothing_to_claim", "no fees have been earned since the last claim")
        opened.append(
            await open_fee_claim(
                connection,
                asset_id=data.asset_id,
                symbol=found.symbol,
                account_id=account_id,
                requested_by=principal.account_id,
            )
        )
        name = opened[0].subject_id
        return await accepted(connection, reads.CLAIMS, name, _location(name))

    response = await intend(request, deps, principal, work, required=True)
    if not opened:
        return response
    name = opened[0].subject_id
    dispatch.soon("lp_fee_claim", opened[0])
    location = _location(name)
    return await decided(request, deps, hub, principal, response, location, lambda: reads.claim(deps.reads, name))


@get("/api/exchange/lp-fee-claims",
     **guarded("List fee claims", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [views.CLAIM], "next_cursor": None}))  # fmt: skip
async def list_claims(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    asset_id: AssetFilter = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[views.FeeClaimPage]:
    """Newest first."""
    found = await reads.claims(
        deps.reads,
        account_id=own_or_asked(principal, account_id),
        asset_id=str(asset_id) if asset_id else None,
        limit=limit,
        after=paging.after(request, cursor),
    )
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@get("/api/exchange/lp-fee-claims/{claim_id:uuid}",
     **guarded("Read a fee claim", tag=TAG, scopes=("exchange:read",), response_example=views.CLAIM))  # fmt: skip
async def read_claim(deps: Deps, principal: Principal, claim_id: FromPath[UUID]) -> Response[views.FeeClaimView]:
    """What was paid."""
    row = await reads.claim(deps.reads, str(claim_id))
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such claim, or not yours")
    return bodies.json_response(row["body"])
