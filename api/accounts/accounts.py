"""Accounts: create, read, what they own, what moved."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import ConfigDict

from api.accounts.passwords import hash_password
from api.accounts.views import AccountPage, AccountView, BalancesView, LedgerPage
from api.deps import Deps
from api.http import bodies, paging
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import Email, Input, Name, Password
from api.http.scopes import STAFF, Principal, Role
from domain.shared.errors import Rejected
from storage.accounts import add_account
from storage.database import Connection
from storage.intents.idempotency import Stored
from storage.reads import accounts as reads

TAG: Final = "Accounts"
EXAMPLE: Final = {
    "id": "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f",
    "name": "Ada",
    "role": "trader",
    "email": None,
    "disabled": False,
    "created_at": "2026-11-21T04:00:00.000000Z",
}


class NewAccount(Input):
    """`email` and `password` together allow logging in on pages; both may be left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"email": {"type": "null"}, "password": {"type": "null"}}},
                {
                    "properties": {"email": {"type": "string"}, "password": {"type": "string"}},
                    "required": ["email", "password"],
                },
            ]
        }
    )
    name: Name
    role: Role
    email: Email | None = None
    password: Password | None = None


@post(
    "/api/accounts",
    **guarded(
        "Create an account",
        "email_taken",
        tag=TAG,
        scopes=("accounts:write",),
        roles=STAFF,
        body=True,
        keyed=True,
        request_example={"name": "Ada", "role": "trader"},
        response_example=EXAMPLE,
    ),
)
async def create(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, data: JSONBody[NewAccount]
) -> Response[AccountView]:
    """Operators create traders and creators; only administrators create staff, or one person could approve alone."""
    if data.role in STAFF and principal.role != "admin":
        raise Rejected("forbidden", "only an administrator creates administrators and operators")
    if (data.email is None) != (data.password is None):
        raise Rejected("validation_failed", "email and password come together", pointer="/password")
    password_hash = await hash_password(data.password) if data.password is not None else None

    async def work(connection: Connection) -> Stored:
        account_id = await add_account(
            connection,
            principal=principal.account_id,
            name=data.name,
            role=data.role,
            email=data.email,
            password_hash=password_hash,
        )
        cursor = await connection.execute(
            f"SELECT ({reads.ACCOUNTS.body})::text AS body FROM {reads.ACCOUNTS.source} WHERE a.id = %s", [account_id]
        )
        row = await cursor.fetchone()
        assert row is not None
        return json_answer(201, row["body"], location=f"/api/accounts/{account_id}")

    return await intend(request, deps, principal, work)


@get(
    "/api/accounts",
    **guarded("List accounts", "invalid_cursor", tag=TAG, scopes=("exchange:read",), roles=STAFF,
              response_example={"items": [EXAMPLE], "next_cursor": None}),
)  # fmt: skip
async def list_accounts(
    request: Request[Any, Any, Any],
    deps: Deps,
    role: Annotated[Role | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[AccountPage]:
    """Every account, newest first."""
    found = await reads.accounts(deps.reads, role=role, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key)


@get("/api/accounts/{account_id:uuid}",
     **guarded("Read an account", tag=TAG, scopes=("exchange:read",), response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, principal: Principal, account_id: FromPath[UUID]) -> Response[AccountView]:
    """Name, role and state. A trader's key sees only its own account; everything else is 404."""
    principal.must_see(str(account_id))
    row = await reads.account(deps.reads, str(account_id))
    if row is None:
        raise Rejected("not_found", "no such account, or not yours")
    return bodies.json_response(row["body"])


async def must_exist(deps: Deps, principal: Principal, account_id: UUID | str) -> str:
    """The id of an account that exists and that the principal may see. Raises Rejected not_found."""
    principal.must_see(str(account_id))
    if principal.account_id != str(account_id) and await reads.role_of(deps.reads, str(account_id)) is None:
        raise Rejected("not_found", "no such account, or not yours")
    return str(account_id)


@get("/api/accounts/{account_id:uuid}/balances",
     **guarded("Read balances", tag=TAG, scopes=("exchange:read",),
               response_example={"items": [{"asset": "USDC", "available": "100.25", "held": "0"}]}))  # fmt: skip
async def balances(deps: Deps, principal: Principal, account_id: FromPath[UUID]) -> Response[BalancesView]:
    """What can be spent and what is set aside, per asset, as of now."""
    principal.must_see(str(account_id))
    body = await reads.balances(deps.reads, str(account_id))
    if body is None:
        raise Rejected("not_found", "no such account, or not yours")
    return bodies.json_response(body)


@get("/api/accounts/{account_id:uuid}/ledger",
     **guarded("Read the ledger", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [{
                   "id": "17", "transfer": "withdrawal:01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f", "kind": "withdrawal_hold",
                   "ref": "", "phase": "pending", "asset": "USDC", "bucket": "held", "amount": "25",
                   "created_at": "2026-11-21T04:00:00.000000Z"}], "next_cursor": None}))  # fmt: skip
async def ledger(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: FromPath[UUID],
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[LedgerPage]:
    """Every posting on the account's balances, newest first; `Accept: text/csv` gives CSV, with the cursor of the
    next page in `X-Next-Cursor`.
    """
    name = await must_exist(deps, principal, account_id)
    found = await reads.ledger_lines(deps.reads, name, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key, csv_allowed=True)
