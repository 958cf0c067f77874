"""A trade from the API to the chain and back: the wallet's signature is the only one, and it signs once."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest_asyncio
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from domain.launchpad.sale import SaleKeys
from domain.launchpad.sale_messages import OpenedSale
from gateways.solana.drafting import Drafting
from gateways.solana.nodes import RpcNodes
from gateways.solana.sale_addresses import ASSOCIATED, SYSTEM
from localnet.running import RunningTemporal, running_temporal
from tests.api.lab import Api, problem
from tests.sale_lab import LAUNCH, MILLION, POOL
from tests.sale_world import SaleWorld, sale_world
from tests.svm_lab import SOL


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("trades")
    async with running_temporal(directory / "temporal") as running:
        yield running


class Desk(NamedTuple):
    world: SaleWorld
    api: Api
    keys: SaleKeys
    sale: OpenedSale

    async def ask(self, act: str, **body: Any) -> dict[str, Any]:
        answer = await self.api.call("POST", f"/api/launchpad/sales/{self.sale.sale_id}/{act}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, act: str, status: int, code: str, **body: Any) -> None:
        answer = await self.api.call("POST", f"/api/launchpad/sales/{self.sale.sale_id}/{act}", json=body)
        problem(answer, status, code)

    async def hand_in(self, issued: dict[str, Any], who: Keypair, key: str = "admin") -> Any:
        raw = VersionedTransaction.from_bytes(base64.b64decode(issued["transaction_base64"]))
        signed = VersionedTransaction.populate(raw.message, [who.sign_message(to_bytes_versioned(raw.message))])
        wired = base64.b64encode(bytes(signed)).decode()
        return await self.api.call(
            "POST",
            f"/api/launchpad/sales/{self.sale.sale_id}/submit",
            json={"transaction_base64": wired},
            key=key,
            Idempotency_Key=secrets.token_hex(8),
        )

    async def trade(self, act: str, who: Keypair, status: str = "completed", **body: Any) -> dict[str, Any]:
        """Issued, signed, handed in, and at its end; the operation's row."""
        issued = await self.ask(act, wallet=str(who.pubkey()), **body)
        answer = await self.hand_in(issued, who)
        assert answer.status_code == 202, answer.text
        return await self.ended(answer.json()["operation_id"], status)

    async def ended(self, operation_id: str, status: str) -> dict[str, Any]:
        query = "SELECT status::text AS status, summary, failure_code FROM platform.operations WHERE id = %s"
        [row] = await self.world.until(
            lambda: self.world.rows(query, operation_id), lambda rows: rows[0]["status"] == status, 60
        )
        return row


@asynccontextmanager
async def opened_api(world: SaleWorld) -> AsyncIterator[Api]:
    async def odd(*_: object) -> None:
        raise AssertionError("the node answered oddly")

    nodes = RpcNodes.connect(world.node.urls, calls_per_s=1_000, quarantine=odd)
    drafting = Drafting(nodes, platform=world.platform, price_most=0)
    more = {"launchpad_program_id": LAUNCH, "launchpad_pool_program_id": POOL}
    try:
        async with Api.open(world.dsn, address=world.address, solana=drafting, **more) as api:
            yield api
    finally:
        await nodes.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Desk]:
    async with sale_world(await new_database(), server.address, tmp_path, hurry=2) as world, opened_api(world) as api:
        await world.start_worker()
        await world.follow()
        keys, sale = await world.sale(seconds=600)
        await world.reaches(sale, "active")
        yield Desk(world, api, keys, sale)


async def test_a_wallet_buys_claims_and_sells(desk: Desk) -> None:
    buyer, referrer = await desk.world.person(), await desk.world.person()
    me, path = str(buyer.pubkey()), f"/api/launchpad/sales/{desk.sale.sale_id}"
    await desk.refused(
        "buy", 409, "conflict", wallet=me, tokens="1", max_sol="1", referrer_wallet=str(referrer.pubkey())
    )
    await desk.world.desk.register(referrer, None)
    await desk.world.node.control("confirm")
    quote = await desk.ask("quote", side="buy", sol="12")
    row = await desk.trade(
        "buy", buyer, tokens=quote["tokens"], max_sol=quote["max_sol"], referrer_wallet=str(referrer.pubkey())
    )
    assert row["summary"].startswith("Buy")
    state = await desk.world.desk.state(desk.keys)
    assert state.latched
    assert state.raised + state.tax_total <= 12 * SOL < state.raised + state.tax_total + 1_000
    await desk.refused("refund", 409, "sale_not_open", wallet=me)
    await desk.refused("sell", 409, "tokens_missing", wallet=me, tokens="1", min_sol="0")
    await desk.trade("claim", buyer)
    assert await desk.world.desk.tokens(desk.keys, me) == state.sold
    await desk.refused("claim", 409, "sale_not_open", wallet=me)
    quote = await desk.ask("quote", side="sell", tokens="1000000")
    await desk.refused("sell", 409, "sale_slippage", wallet=me, tokens="1000000", min_sol="1000")
    await desk.refused("sell", 409, "tokens_missing", wallet=me, tokens="9000000000", min_sol="0")
    await desk.trade("sell", buyer, tokens="1000000", min_sol=quote["min_sol"])
    after = await desk.world.desk.state(desk.keys)
    assert after.sold == state.sold - MILLION
    told = await desk.world.until(
        lambda: desk.world.row(desk.sale), lambda row: row["sold"] == after.sold and row["read_slot"] > 0
    )
    shown = (await desk.api.get(path)).json()
    assert set(shown) == {
        "status", "cancelled", "sold", "raised_sol", "spot_price_sol", "soft_cap_sol", "hard_cap_sol", "ends_at",
        "vesting",
    }  # fmt: skip
    assert shown["status"] == told["status"] == "active"
    [position] = (await desk.api.get(f"{path}/positions?wallet={me}")).json()["items"]
    assert (position["referrer"], position["sold"]) == (str(referrer.pubkey()), "1000000")


async def test_only_what_was_issued_is_taken_and_only_signed(desk: Desk) -> None:
    buyer, thief = await desk.world.person(), await desk.world.person()
    issued = await desk.ask("buy", wallet=str(buyer.pubkey()), tokens="1000", max_sol="1")
    problem(await desk.hand_in(issued, thief), 409, "transaction_altered")
    other = await desk.ask("buy", wallet=str(thief.pubkey()), tokens="1000", max_sol="1")
    raw = VersionedTransaction.from_bytes(base64.b64decode(other["transaction_base64"]))
    changed = bytearray(to_bytes_versioned(raw.message))
    changed[-3] ^= 1
    wired = base64.b64encode(bytes([1]) + bytes(thief.sign_message(bytes(changed))) + bytes(changed)).decode()
    answer = await desk.api.call(
        "POST", f"/api/launchpad/sales/{desk.sale.sale_id}/submit", json={"transaction_base64": wired},
        Idempotency_Key="changed",
    )  # fmt: skip
    problem(answer, 409, "transaction_altered")
    first = await desk.hand_in(issued, buyer)
    again = await desk.hand_in(issued, buyer)
    told, known = first.json(), again.json()
    assert (told["kind"], told["status"], told["id"]) == ("sale_trade", "running", told["operation_id"])
    assert [known[name] for name in ("id", "transaction_id")] == [told["id"], told["transaction_id"]], "the same bytes"
    assert (await desk.api.get(f"/api/operations/{told['id']}")).json()["kind"] == told["kind"]
    await desk.ended(first.json()["operation_id"], "completed")
    assert (await desk.world.desk.state(desk.keys)).sold == 1_000 * 10**6


async def test_only_who_asked_for_a_transaction_hands_it_in(desk: Desk) -> None:
    buyer = await desk.world.person()
    issued = await desk.ask("buy", wallet=str(buyer.pubkey()), tokens="1000", max_sol="1")
    _, other = await desk.api.account(scopes=["launchpad:read", "launchpad:write"])
    problem(await desk.hand_in(issued, buyer, key=other), 404, "not_found")
    answer = await desk.hand_in(issued, buyer)
    await desk.ended(answer.json()["operation_id"], "completed")


async def test_an_address_that_is_no_wallet_does_not_trade(desk: Desk) -> None:
    programs = desk.world.desk.program
    pool = programs.addresses.pool(desk.keys.address)
    for wallet in (LAUNCH, desk.keys.address, pool, ASSOCIATED, SYSTEM):
        await desk.refused("buy", 400, "validation_failed", wallet=wallet, tokens="1000", max_sol="1")


async def test_what_ran_out_can_never_land_and_says_so(desk: Desk) -> None:
    buyer = await desk.world.person()
    issued = await desk.ask("buy", wallet=str(buyer.pubkey()), tokens="1000", max_sol="1")
    await desk.world.node.control("warp", slots=400)
    answer = await desk.hand_in(issued, buyer)
    assert answer.status_code == 202, answer.text
    row = await desk.ended(answer.json()["operation_id"], "failed")
    assert row["failure_code"] == "transaction_expired"


async def test_a_price_that_moved_fails_on_the_chain_and_says_so(desk: Desk) -> None:
    one, two = await desk.world.person(), await desk.world.person()
    quote = await desk.ask("quote", side="buy", tokens="1000000", slippage_bps=0)
    issued = await desk.ask("buy", wallet=str(one.pubkey()), tokens="1000000", max_sol=quote["max_sol"])
    await desk.world.desk.buy(desk.keys, two, 50 * MILLION)
    answer = await desk.hand_in(issued, one)
    row = await desk.ended(answer.json()["operation_id"], "failed")
    assert row["failure_code"] == "transaction_failed"
    assert "too_dear" in row["summary"]


async def test_a_worker_that_dies_sends_the_same_bytes(desk: Desk) -> None:
    buyer = await desk.world.person()
    issued = await desk.ask("buy", wallet=str(buyer.pubkey()), tokens="1000", max_sol="1")
    desk.world.hurrying = False
    answer = await desk.hand_in(issued, buyer)
    await desk.world.until(
        lambda: desk.world.rows("SELECT 1 FROM launchpad.transaction_attempts WHERE status = 'signed'"), bool
    )
    await desk.world.kill()
    await desk.world.start_worker()
    await desk.world.until(
        lambda: desk.world.rows("SELECT 1 FROM launchpad.transactions WHERE status = 'landed'"), bool, 60
    )
    desk.world.hurrying = True
    await desk.ended(answer.json()["operation_id"], "completed")
    assert (await desk.world.desk.state(desk.keys)).sold == 1_000 * 10**6
