"""Launching a token: asked for once, then watched, signed by its creator, retried or given up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.deps import Deps
from api.dispatch import Dispatch
from api.http import bodies, paging
from api.http.asked import AccountFilter, DecisionNote, note_of, own_or_asked
from api.http.documented import guarded
from api.http.idempotency import effect, intend, json_answer
from api.http.scopes import Principal
from api.launchpad.asked import REQUEST_EXAMPLE, NewLaunch
from api.launchpad.creators import creators_account
from api.launchpad.launch_cancel import cancel_launch, launch_row
from api.launchpad.launch_signing import SignedTransaction, hand_in, to_sign
from api.launchpad.launch_views import EXAMPLE, LaunchPage, LaunchStatus, LaunchView, body_of
from domain.launchpad.launching import LaunchPolicy, check_offered
from domain.launchpad.request import LaunchRequest, check_pictures
from domain.shared.errors import Rejected, Unavailable
from domain.shared.processes import RetryProcess
from storage.database import Connection, transaction
from storage.events import audit
from storage.intents.idempotency import Stored
from storage.intents.launches import open_launch
from storage.intents.opened import Opened, dispatch_again
from storage.reads import launches as reads
from storage.reads import pictures

TAG: Final = "Launchpad"


def policy_of(deps: Deps) -> LaunchPolicy:
    """Raises: Unavailable launchpad_off."""
    if deps.config.launch_policy is None:
        raise Unavailable("launchpad_off", "SOLANA_RPC_URL, the platform's wallet or a program is not set")
    return deps.config.launch_policy


async def _refused_by_chain(deps: Deps, asked: LaunchRequest) -> Rejected | None:
    """Asked before a transaction is open. A silent chain refuses nothing: the process asks again before it mints."""
    try:
        await creators_account(deps, asked)
    except Rejected as refusal:
        return refusal
    except Unavailable:
        return None
    return None


@post("/api/launchpad/deploy-token", status_code=202,
      **guarded("Launch a token", "amount_precision", "launch_refused", "payment_used", "launchpad_off", tag=TAG,
                scopes=("launchpad:write",), body=True, keyed=True, request_example=REQUEST_EXAMPLE,
                response_example=EXAMPLE | {"status": "running", "step": None, "signatures": []}))  # fmt: skip
async def deploy_token(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    data: JSONBody[NewLaunch],
) -> Response[LaunchView]:
    """Accepted here, carried out by the process of its `operation_id`; until the mint it can be cancelled. A promotion
    is started only for a payment of `creator_wallet` that carries `promo_memo` of the preview; a tier without
    `promo_payment_signature` can be paid later.
    """
    asked = data.asked(datetime.now(UTC))
    opened: list[Opened] = []
    refused = await _refused_by_chain(deps, asked)

    async def work(connection: Connection) -> Stored:
        policy, owner = policy_of(deps), principal.account_id
        if not await reads.enabled(deps.reads):
            raise Rejected("launch_refused", "launches are switched off (control launchpad.launches)")
        if refused is not None:
            raise refused
        check_offered(asked, policy)
        check_pictures(asked, await pictures.own(deps.reads, owner, list(asked.pictures.values())))
        made = await open_launch(connection, account_id=owner, request=asked, policy=policy, requested_by=owner)
        opened.append(made)
        row = await reads.just_written(connection, made.subject_id)
        return json_answer(202, body_of(row, []), location=f"/api/launchpad/launches/{made.subject_id}")

    response = await intend(request, deps, principal, work, required=True)
    for made in opened:
        dispatch.soon("token_launch", made)
    return response


@get("/api/launchpad/launches",
     **guarded("List launches", "invalid_cursor", tag=TAG, scopes=("launchpad:read",),
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_launches(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    status: Annotated[LaunchStatus | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[LaunchPage]:
    """Newest first; what is to be signed is shown by the launch itself."""
    owner = own_or_asked(principal, account_id)
    found = await reads.launches(
        deps.reads, account_id=owner, status=status, limit=limit, after=paging.after(request, cursor)
    )
    signed = await reads.signatures(deps.reads, [row["id"] for row in found.rows])
    return paging.answer(request, [body_of(row, signed[row["id"]]) for row in found.rows], found.next_key)


async def _shown(deps: Deps, principal: Principal, launch_id: UUID) -> str:
    row = await launch_row(deps, principal, str(launch_id))
    signed = await reads.signatures(deps.reads, [row["id"]])
    return body_of(row, signed[row["id"]], await to_sign(deps, row))


@get("/api/launchpad/launches/{launch_id:uuid}",
     **guarded("Read a launch", tag=TAG, scopes=("launchpad:read",), response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, principal: Principal, launch_id: FromPath[UUID]) -> Response[LaunchView]:
    """Every step, every transaction. While it waits for its creator, `to_sign` has a transaction that can still land;
    it is null while no Solana node answers.
    """
    return bodies.json_response(await _shown(deps, principal, launch_id))


@post("/api/launchpad/launches/{launch_id:uuid}/submit-signature", status_code=202,
      **guarded("Hand in a launch's signed transaction", "signature_not_awaited", "transaction_altered",
                "transaction_expired", "launchpad_off", "conflict", "temporal_unavailable", tag=TAG,
                scopes=("launchpad:write",), body=True, keyed=True,
                request_example={"transaction_base64": "AQAAAA=="}, response_example=EXAMPLE))  # fmt: skip
async def submit_signature(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    launch_id: FromPath[UUID],
    data: JSONBody[SignedTransaction],
) -> Response[LaunchView]:
    """The transaction of `to_sign` with the creator's signature, and nothing else changed."""
    policy = policy_of(deps)

    async def act() -> Stored:
        await hand_in(deps, await launch_row(deps, principal, str(launch_id)), data.transaction_base64, policy.platform)
        location = f"/api/launchpad/launches/{launch_id}"
        return json_answer(202, await _shown(deps, principal, launch_id), location=location)

    return await effect(request, deps, principal, act)


@post("/api/launchpad/launches/{launch_id:uuid}/retry", status_code=202,
      **guarded("Retry a launch", "launch_not_parked", "temporal_unavailable", tag=TAG, scopes=("launchpad:write",),
                body=True, keyed=True, request_example={"note": "the node keeps files again"},
                response_example=EXAMPLE))  # fmt: skip
async def retry(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    launch_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[LaunchView]:
    """A launch that waits for an operator goes on with the step it stopped at. The body may be left out."""
    note = note_of(data)

    async def act() -> Stored:
        row = await launch_row(deps, principal, str(launch_id))
        if row["status"] != "needs_operator":
            raise Rejected("launch_not_parked", f"it is {row['status']}")
        poke = RetryProcess(cause=f"{principal.account_id}: {note}")
        if not await deps.processes.signal(row["workflow_id"], "retry", poke):
            await dispatch_again(deps.writes, row["operation_id"])
        async with transaction(deps.writes) as connection:
            await audit(connection, principal.account_id, "launch_retried", str(launch_id), note=note)
        location = f"/api/launchpad/launches/{launch_id}"
        return json_answer(202, await _shown(deps, principal, launch_id), location=location)

    return await effect(request, deps, principal, act)


@post("/api/launchpad/launches/{launch_id:uuid}/cancel", status_code=202,
      **guarded("Cancel a launch", "launch_not_cancellable", "conflict", "temporal_unavailable", tag=TAG,
                scopes=("launchpad:write",), body=True, keyed=True, request_example={"note": "wrong symbol"},
                response_example=EXAMPLE | {"cancel_requested": True}))  # fmt: skip
async def cancel(
    request: Request[Any, Any, Any],
    deps: Deps,
    dispatch: Dispatch,
    principal: Principal,
    launch_id: FromPath[UUID],
    data: JSONBody[DecisionNote | None] = None,
) -> Response[LaunchView]:
    """Until the mint may be signed; then everything is undone, and it ends `undone`. The body may be left out."""
    note = note_of(data)

    async def act() -> Stored:
        await cancel_launch(deps, dispatch, principal, str(launch_id), note)
        location = f"/api/launchpad/launches/{launch_id}"
        return json_answer(202, await _shown(deps, principal, launch_id), location=location)

    return await effect(request, deps, principal, act)
