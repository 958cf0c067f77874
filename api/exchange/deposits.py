"""Where to pay in, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from api.accounts.accounts import must_exist
from api.deps import Deps
from api.exchange.views import DepositAddressView, DepositPage, DepositStatus, DepositView
from api.http import bodies, paging
from api.http.asked import AccountFilter, own_or_asked
from api.http.documented import guarded
from api.http.scopes import STAFF, Principal
from domain.shared.errors import Rejected
from storage.database import transaction
from storage.intents import addresses
from storage.reads import exchange as reads
from storage.reads.base import Row

TAG: Final = "Exchange: custody"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_ADDRESS: Final = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
_ADDRESS_EXAMPLE: Final = {"address": _ADDRESS, "chain_id": 421614, "derivation_path": "m/44'/60'/0'/0/1"}
EXAMPLE: Final = {
    "from_address": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "to_address": _ADDRESS,
    "id": _ID,
    "account_id": _ID,
    "chain_id": 421614,
    "tx_hash": "0x" + "ab" * 32,
    "log_ordinal": 0,
    "block_number": 120,
    "block_hash": "0x" + "cd" * 32,
    "token": "0x" + "12" * 20,
    "amount_usdc": "100.25",
    "status": "confirming",
    "confirmations": 5,
    "required_confirmations": 12,
    "reason": None,
    "operation_id": _ID,
    "created_at": "2026-11-21T04:00:00.000000Z",
    "updated_at": "2026-11-21T04:00:01.000000Z",
    "credited_at": None,
}


def address_body(deps: Deps, address: str, path: str) -> Response[Any]:
    """A deposit address as JSON."""
    shown = {"address": bodies.shown(address), "chain_id": deps.config.chain_id, "derivation_path": path}
    return bodies.encoded(shown)


@post("/api/exchange/accounts/{account_id:uuid}/deposit-address", status_code=200,
      **guarded("Get the deposit address", tag=TAG, scopes=("exchange:read",),
                response_example=_ADDRESS_EXAMPLE))  # fmt: skip
async def deposit_address(deps: Deps, principal: Principal, account_id: FromPath[UUID]) -> Response[DepositAddressView]:
    """The account's own address for USDC on this chain; made on the first call, the same answer every time."""
    name = await must_exist(deps, principal, account_id)
    row = await reads.active_address(deps.reads, name, deps.config.chain_id)
    if row is not None:
        return address_body(deps, row["address"], row["derivation_path"])
    async with transaction(deps.writes) as connection:
        assigned = await addresses.assign(
            connection,
            account_id=name,
            chain_id=deps.config.chain_id,
            derive=deps.addresses.deposit_address,
            principal=principal.account_id,
        )
    return address_body(deps, assigned.address, assigned.derivation_path)


@post("/api/exchange/accounts/{account_id:uuid}/deposit-address/rotate", status_code=200,
      **guarded("Rotate the deposit address", tag=TAG, scopes=("exchange:read", "accounts:write"), roles=STAFF,
                response_example=_ADDRESS_EXAMPLE))  # fmt: skip
async def rotate(deps: Deps, principal: Principal, account_id: FromPath[UUID]) -> Response[DepositAddressView]:
    """Takes the address out of use and gives a new one. Money sent to the old one is still credited."""
    name = await must_exist(deps, principal, account_id)
    chain_id = deps.config.chain_id
    async with transaction(deps.writes) as connection:
        await addresses.retire(connection, account_id=name, chain_id=chain_id, principal=principal.account_id)
        assigned = await addresses.assign(
            connection,
            account_id=name,
            chain_id=chain_id,
            derive=deps.addresses.deposit_address,
            principal=principal.account_id,
        )
    return address_body(deps, assigned.address, assigned.derivation_path)


def body_of(row: Row) -> str:
    """A deposit's JSON with checksummed addresses."""
    return bodies.splice(
        row["body"], from_address=bodies.shown(row["from_address"]), to_address=bodies.shown(row["to_address"])
    )


@get("/api/exchange/deposits",
     **guarded("List deposits", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_deposits(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    status: Annotated[DepositStatus | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[DepositPage]:
    """Transfers seen on the chain, newest first. Operators also see those that belong to no account."""
    owner = own_or_asked(principal, account_id)
    found = await reads.deposits(
        deps.reads, account_id=owner, status=status, limit=limit, after=paging.after(request, cursor)
    )
    return paging.answer(request, [body_of(r) for r in found.rows], found.next_key, csv_allowed=True)


@get("/api/exchange/deposits/{deposit_id:uuid}",
     **guarded("Read a deposit", tag=TAG, scopes=("exchange:read",), response_example=EXAMPLE))  # fmt: skip
async def read_deposit(deps: Deps, principal: Principal, deposit_id: FromPath[UUID]) -> Response[DepositView]:
    """Where the deposit stands; `confirmations` follows the chain's head."""
    row = await reads.deposit(deps.reads, str(deposit_id))
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such deposit, or not yours")
    return bodies.json_response(body_of(row))
