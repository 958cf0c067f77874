"""API keys of an account. The secret is answered once, at creation, and only its hash is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.accounts.accounts import must_exist
from api.accounts.views import ApiKeyPage, NewApiKeyView
from api.deps import Deps
from api.http import bodies, paging
from api.http.auth import Authenticator
from api.http.documented import guarded
from api.http.inputs import Input, Moment
from api.http.scopes import STAFF, Principal, Scope, grantable
from domain.shared.errors import Rejected
from storage.accounts import add_key, new_key, revoke_key
from storage.database import transaction
from storage.reads import accounts as reads

TAG: Final = "Accounts"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
EXAMPLE: Final = {
    "id": _ID,
    "account_id": _ID,
    "prefix": "hf_shown-on",
    "scopes": ["exchange:read"],
    "created_at": "2026-11-21T04:00:00.000000Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}


class NewApiKey(Input):
    """Both may be left out: the role's default scopes, and no expiry."""

    scopes: Annotated[list[Scope], Field(max_length=20)] | None = None
    expires_at: Moment | None = None


async def _manageable(deps: Deps, principal: Principal, account_id: UUID) -> str:
    """The role of an account whose keys the principal may manage: its own, or anybody's below it.

    Raises: Rejected not_found, forbidden (a staff account is managed by itself or an administrator, or one operator
            could make a second pair of eyes for itself).
    """
    principal.must_see(str(account_id))
    role = await reads.role_of(deps.reads, str(account_id))
    if role is None:
        raise Rejected("not_found", "no such account, or not yours")
    if role in STAFF and principal.role != "admin" and principal.account_id != str(account_id):
        raise Rejected("forbidden", "only an administrator manages the keys of other staff")
    return role


@post(
    "/api/accounts/{account_id:uuid}/api-keys",
    **guarded(
        "Create an API key",
        tag=TAG,
        scopes=("accounts:write",),
        body=True,
        request_example={"scopes": ["exchange:read"], "expires_at": "2027-01-01T00:00:00Z"},
        response_example={"id": _ID, "account_id": _ID, "api_key": "hf_shown-once", "prefix": "hf_shown-on",
                          "scopes": ["exchange:read"], "expires_at": "2027-01-01T00:00:00.000000Z"},
    ),
)  # fmt: skip
async def create(
    deps: Deps, principal: Principal, account_id: FromPath[UUID], data: JSONBody[NewApiKey]
) -> Response[NewApiKeyView]:
    """`api_key` is shown in this answer and never again. A key gets at most what its creator and its role have.

    Takes no Idempotency-Key: keeping the answer would keep the secret.
    """
    role = await _manageable(deps, principal, account_id)
    wanted = frozenset(data.scopes) if data.scopes is not None else None
    scopes = sorted(grantable(principal, role, wanted))
    if data.expires_at is not None and data.expires_at <= datetime.now(UTC):
        raise Rejected("validation_failed", "expires_at is in the past", pointer="/expires_at")
    api_key = new_key()
    async with transaction(deps.writes) as connection:
        key_id = await add_key(
            connection,
            principal=principal.account_id,
            account_id=str(account_id),
            api_key=api_key,
            scopes=scopes,
            expires_at=data.expires_at,
        )
    expires = data.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if data.expires_at else None
    answer = {
        "id": key_id,
        "account_id": str(account_id),
        "api_key": api_key,
        "prefix": api_key[:11],
        "scopes": scopes,
        "expires_at": expires,
    }
    return bodies.encoded(answer, 201)


@get("/api/accounts/{account_id:uuid}/api-keys",
     **guarded("List API keys", "invalid_cursor", tag=TAG, scopes=("exchange:read",),
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_keys(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: FromPath[UUID],
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[ApiKeyPage]:
    """Keys with prefix, scopes, expiry and last use; revoked ones stay listed."""
    name = await must_exist(deps, principal, account_id)
    found = await reads.api_keys(deps.reads, name, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key)


@delete("/api/accounts/{account_id:uuid}/api-keys/{key_id:uuid}",
        **guarded("Revoke an API key", tag=TAG, scopes=("accounts:write",)))  # fmt: skip
async def revoke(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: FromPath[UUID],
    key_id: FromPath[UUID],
) -> None:
    """At once in the process that answers, within a second in the others. Revoking twice is fine."""
    await _manageable(deps, principal, account_id)
    async with transaction(deps.writes) as connection:
        known = await revoke_key(
            connection, principal=principal.account_id, account_id=str(account_id), key_id=str(key_id)
        )
    if not known:
        raise Rejected("not_found", "the account has no such key")
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.forget_keys()
