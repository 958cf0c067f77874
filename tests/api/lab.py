"""An API on real Postgres for tests: the app as server.py builds it, and short ways to accounts, keys and money."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
from bip32 import BIP32
from litestar import Litestar

from api.app import create_app
from api.deps import ApiConfig, Deps
from domain.exchange.custody import Solvency
from domain.exchange.withdrawals import WithdrawalPolicy
from domain.shared.errors import Unavailable
from domain.shared.ledger import Transfer, available, custody, move
from domain.shared.money import USDC
from gateways.evm.addresses import HdAddresses
from storage.accounts import ensure_admin, new_key
from storage.books import Books
from storage.database import make_pool, transaction
from workflows import client as temporal
from workflows.client import Processes

CHAIN_ID = 421614
TOKEN = "0x" + "11" * 20
HOT = "0x" + "22" * 20
GAS = "0x" + "33" * 20
NOWHERE = "127.0.0.1:1"
"""No Temporal listens here."""
POLICY = WithdrawalPolicy(
    minimum_micros=1_000_000,
    fee_micros=0,
    account_daily_micros=5_000_000_000,
    platform_daily_micros=250_000_000_000,
    review_from_micros=1_000_000_000,
    new_address_cooldown_s=0,
)


async def no_chain() -> Solvency:
    """Solvency without a node."""
    raise Unavailable("chain_unavailable", "no node in this test")


def config(**changes: Any) -> ApiConfig:
    base = ApiConfig(
        version="0.1.0",
        commit="",
        profile="local",
        public_url="http://holdfast.test",
        session_secret=b"0123456789abcdef0123456789abcdef",
        chain_id=CHAIN_ID,
        usdc_address=TOKEN,
        own_addresses=frozenset({TOKEN, HOT, GAS}),
        withdrawal_policy=POLICY,
        temporal_ui_url="http://ui.test",
        temporal_namespace="default",
        bankroll_micros=10_000_000_000,
        rate_limit_per_s=100_000,
        login_limit_per_minute=1_000,
    )
    return replace(base, **changes)


async def make_deps(dsn: str, *, address: str = NOWHERE, **changes: Any) -> Deps:
    """Everything the app needs; `changes` go to the configuration, except `solvency`, `addresses`, `codec`,
    `referral_account`, `launchpad`, `solana`."""
    client = await temporal.connect(address, "default", lazy=True)
    xpub = BIP32.from_seed(secrets.token_bytes(32)).get_xpub_from_path("m/44'/60'/0'")
    solvency = changes.pop("solvency", no_chain)
    addresses = changes.pop("addresses", HdAddresses(xpub))
    codec = changes.pop("codec", None)
    referral_account, launchpad = changes.pop("referral_account", None), changes.pop("launchpad", None)
    solana = changes.pop("solana", None)
    return Deps(
        config=config(**changes),
        reads=make_pool(dsn, size=8, name="api-reads", read_only=True),
        writes=make_pool(dsn, size=8, name="api-writes"),
        database_url=dsn,
        processes=Processes(client, timedelta(seconds=1 if address == NOWHERE else 10)),
        addresses=addresses,
        solvency=solvency,
        codec=codec,
        referral_account=referral_account,
        launchpad=launchpad,
        solana=solana,
    )


@asynccontextmanager
async def _living(app: Litestar) -> AsyncIterator[None]:
    """The app's lifespan in a task of its own: its cancel scopes must end in the task that began them."""
    begun, ending = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            begun.set()
            await ending.wait()

    task = asyncio.create_task(live())
    await begun.wait()
    try:
        yield
    finally:
        ending.set()
        await task


class Api:
    """One running app. `admin` is the bootstrap administrator's key."""

    def __init__(self, deps: Deps, app: Litestar, client: httpx.AsyncClient, admin: str, admin_id: str) -> None:
        self.deps, self.app, self.client, self.admin, self.admin_id = deps, app, client, admin, admin_id

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, **changes: Any) -> AsyncIterator[Api]:
        deps = await make_deps(dsn, **changes)
        app = create_app(deps)
        # Litestar's own test client runs the app in another thread and blocks this loop while it answers
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with _living(app), httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
            admin = new_key()
            yield cls(deps, app, client, admin, await ensure_admin(deps.writes, admin))

    async def call(
        self, method: str, path: str, key: str | None = "admin", *, json: Any = None, **headers: str
    ) -> httpx.Response:
        """One request; `key` None sends none. Header names are written with underscores."""
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        if key is not None:
            named.setdefault("Authorization", f"Bearer {self.admin if key == 'admin' else key}")
        arguments: dict[str, Any] = {} if json is None else {"json": json}
        return await self.client.request(method, path, headers=named, **arguments)

    async def get(self, path: str, key: str | None = "admin", **headers: str) -> httpx.Response:
        return await self.call("GET", path, key, **headers)

    async def post(self, path: str, json: Any = None, key: str | None = "admin", **headers: str) -> httpx.Response:
        return await self.call("POST", path, key, json=json, **headers)

    async def account(self, role: str = "trader", scopes: list[str] | None = None) -> tuple[str, str]:
        """A new account and a key of its own."""
        made = await self.post("/api/accounts", {"name": f"a {role}", "role": role})
        assert made.status_code == 201, made.text
        account_id = made.json()["id"]
        body = {} if scopes is None else {"scopes": scopes}
        given = await self.post(f"/api/accounts/{account_id}/api-keys", body)
        assert given.status_code == 201, given.text
        return account_id, given.json()["api_key"]

    async def fund(self, account_id: str, micros: int) -> None:
        """Credit an account on the books, as a deposit would."""
        async with Books(self.deps.writes).begin() as book:
            await book.book(
                Transfer(
                    key=f"test:{secrets.token_hex(8)}",
                    kind="test_funding",
                    postings=move(USDC, micros, custody(CHAIN_ID, "deposits"), available(account_id)),
                )
            )

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows of a query, or nothing for a statement."""
        async with transaction(self.deps.writes) as connection:
            cursor = await connection.execute(query, arguments or None)
            return await cursor.fetchall() if cursor.description else []

    async def withdraw(
        self, account_id: str, amount: str, key: str = "admin", *, to: str | None = None, **headers: str
    ) -> httpx.Response:
        """Request a withdrawal under a fresh idempotency key unless one is given."""
        headers.setdefault("Idempotency_Key", secrets.token_hex(8))
        body = {"account_id": account_id, "to_address": to or "0x" + secrets.token_hex(20), "amount_usdc": amount}
        return await self.post("/api/exchange/withdrawals", body, key, **headers)


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that an answer is this problem; return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json", response.headers
    found: dict[str, Any] = response.json()
    assert found["code"] == code, found
    assert found["status"] == status
    assert found["type"].endswith(f"/api/problems/{code}")
    assert found["title"]
    assert found["trace_id"] == response.headers["x-request-id"]
    assert found["instance"]
    return found
