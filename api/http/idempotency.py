"""`Idempotency-Key`: a repeated request gets the first one's answer, marked `Idempotency-Hit: true`.

What is kept: successes, and refusals by state (409), because they answer this intent. What is not kept: malformed
requests, missing rights and outages, because nothing was decided.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from litestar import Request, Response

from api.deps import Deps
from api.http import problems
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from storage.database import Connection, transaction
from storage.intents.idempotency import Claim, Stored, find, release, save

HEADER: Final = "Idempotency-Key"
HIT: Final = "Idempotency-Hit"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}\Z")
_ABOUT_THE_KEY: Final = frozenset({"idempotency_in_flight"})

Work = Callable[[Connection], Awaitable[Stored]]
Effect = Callable[[], Awaitable[Stored]]


def json_answer(status: int, body: str | bytes, **headers: str) -> Stored:
    """A JSON answer; header names are written with underscores."""
    content = body.encode() if isinstance(body, str) else body
    named = {k.replace("_", "-").title(): v for k, v in headers.items()}
    return Stored(status, {"Content-Type": "application/json", **named}, content)


def respond(stored: Stored, *, hit: bool = False) -> Response[Any]:
    """An answer as a response."""
    headers = {k: v for k, v in stored.headers.items() if k.lower() != "content-type"}
    if hit:
        headers[HIT] = "true"
    media_type = stored.headers.get("Content-Type", "application/json")
    return Response(stored.body, status_code=stored.status, media_type=media_type, headers=headers)


async def claim_of(request: Request[Any, Any, Any], principal: Principal, *, required: bool) -> Claim | None:
    """What this request claims; None without a key where none is needed.

    The body counts as JSON, not as bytes: spaces and the order of keys do not make another body.

    Raises: Rejected idempotency_key_required (missing, or not 1 to 255 visible ASCII characters).
    """
    keys = request.headers.getall(HEADER, [])
    if not keys and not required:
        return None
    if len(keys) != 1 or not _KEY.match(keys[0]):
        raise Rejected("idempotency_key_required", "send one Idempotency-Key of 1 to 255 visible ASCII characters")
    raw = await request.body()
    canonical = msgspec.json.encode(msgspec.json.decode(raw), order="deterministic") if raw.strip() else b""
    digest = hashlib.sha256(canonical).digest()
    return Claim(principal.account_id, request.method, request.url.path, keys[0], digest)


async def intend(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, work: Work, *, required: bool = False
) -> Response[Any]:
    """Carry out an intent that lives in the database, once per key: claim, intent and answer are one transaction."""
    claim = await claim_of(request, principal, required=required)
    if claim is None:
        async with transaction(deps.writes) as connection:
            return respond(await work(connection))
    try:
        async with transaction(deps.writes) as connection:
            stored = await find(connection, claim)
            if stored is not None:
                return respond(stored, hit=True)
            answer = await work(connection)
            await save(connection, claim, answer)
        return respond(answer)
    except Rejected as refusal:
        if _is_kept(refusal):
            await _keep_unless_answered(deps, claim, _problem(request, deps, refusal))
        raise


async def effect(request: Request[Any, Any, Any], deps: Deps, principal: Principal, act: Effect) -> Response[Any]:
    """Carry out an effect outside the database that is idempotent by itself: claim, act, keep the answer."""
    claim = await claim_of(request, principal, required=False)
    if claim is None:
        return respond(await act())
    async with transaction(deps.writes) as connection:
        stored = await find(connection, claim)
        if stored is not None:
            return respond(stored, hit=True)
        await save(connection, claim, None)
    try:
        answer = await act()
    except Rejected as refusal:
        if _is_kept(refusal):
            async with transaction(deps.writes) as connection:
                await save(connection, claim, _problem(request, deps, refusal))
        else:
            await _forget(deps, claim)
        raise
    except Exception:
        await _forget(deps, claim)
        raise
    async with transaction(deps.writes) as connection:
        await save(connection, claim, answer)
    return respond(answer)


async def replace_answer(deps: Deps, claim: Claim, answer: Stored) -> None:
    """The first request waited for the end (`Prefer: wait`): repeat that answer instead."""
    async with transaction(deps.writes) as connection:
        await save(connection, claim, answer)


async def _forget(deps: Deps, claim: Claim) -> None:
    async with transaction(deps.writes) as connection:
        await release(connection, claim)


def _is_kept(refusal: Rejected) -> bool:
    return problems.lookup(refusal.code).status == 409 and refusal.code not in _ABOUT_THE_KEY


def _problem(request: Request[Any, Any, Any], deps: Deps, refusal: Rejected) -> Stored:
    content = problems.body(
        deps.config.public_url,
        refusal.code,
        refusal.detail,
        instance=request.url.path,
        trace_id=problems.trace_id(request),
    )
    return Stored(problems.lookup(refusal.code).status, {"Content-Type": problems.MEDIA_TYPE}, content)


async def _keep_unless_answered(deps: Deps, claim: Claim, refusal: Stored) -> None:
    """The refused transaction was rolled back; what is kept now is only the answer.

    Nobody held the key in between, so the same request may have come again and have been accepted: that answer stays.
    """
    with contextlib.suppress(Rejected):
        async with transaction(deps.writes) as connection:
            if await find(connection, claim) is None:
                await save(connection, claim, refusal)
