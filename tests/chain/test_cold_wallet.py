"""Money that operators move by hand between hot and cold, and sweeps the books do not know: nobody's income."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio
from bip32 import BIP32
from eth_account import Account
from eth_account.signers.local import LocalAccount

from domain.exchange.messages import WatchChain
from tests.world import CHAIN_ID, USDC, World

WATCH = WatchChain(chain_id=CHAIN_ID)
HOT, COLD, DEPOSITS = (f"custody:{CHAIN_ID}:{bucket}" for bucket in ("hot", "cold", "deposits"))


@pytest_asyncio.fixture(loop_scope="session")
async def cold() -> LocalAccount:
    """The key of the cold wallet: nobody of ours has it."""
    account: LocalAccount = Account.create()
    return account


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_database: Callable[[], Awaitable[str]], tmp_path: Path, cold: LocalAccount) -> AsyncIterator[World]:
    async with World.open(await new_database(), tmp_path, cold_wallet_address=cold.address) as opened:
        await opened.rpc("anvil_setBalance", cold.address, hex(10**18))
        yield opened


async def _move(world: World, sender: LocalAccount, to: str, micros: int, nonce: int = 0) -> dict[str, Any]:
    """A transfer by hand, with as many blocks on top as the largest tier needs."""
    tx_hash = await world.send_raw(world.sign_transfer(sender, to, micros, nonce=nonce))
    await world.mine(20)
    return await world.until(lambda: world.deposit(tx_hash), lambda row: row["status"] in ("credited", "ignored"))


async def _solvent(world: World) -> bool:
    result = await world.client.execute_workflow("Solvency", WATCH, id="proof", task_queue="exchange")
    return bool(result["ok"])


async def _buckets(world: World) -> tuple[int, int, int]:
    """USDC held by the books in deposit addresses, hot and cold."""
    found = [-(await world.ledger(bucket)) for bucket in (DEPOSITS, HOT, COLD)]
    return found[0] // USDC, found[1] // USDC, found[2] // USDC


async def test_money_goes_to_the_cold_wallet_and_back_without_becoming_income(world: World, cold: LocalAccount) -> None:
    account = await world.funded(50 * USDC)
    await world.client.execute_workflow("CustodyUpkeep", WATCH, id="upkeep", task_queue="exchange")
    async with world.mining():
        await world.until(lambda: world.ledger(HOT), lambda micros: micros == -50 * USDC)
    hot = Account.from_key(world.wallets.hot_key)

    away = await _move(world, hot, cold.address.lower(), 30 * USDC)
    assert (away["status"], away["reason"], away["account_id"]) == ("credited", "moved_to_cold", None)
    assert await _buckets(world) == (0, 20, 30)
    assert await _solvent(world)

    back = await _move(world, cold, world.wallets.hot, 10 * USDC)
    assert (back["status"], back["reason"], back["account_id"]) == ("credited", "cold_refill", None)
    assert await _buckets(world) == (0, 30, 20)
    assert await _solvent(world)

    await _move(world, cold, world.wallets.hot, USDC // 2, nonce=1)
    assert await world.ledger(HOT) == -30 * USDC - USDC // 2, "no minimum applies to our own money"
    assert await world.ledger("platform:treasury") == 0
    assert await world.available(account) == 50 * USDC
    operation = await world.row("SELECT status, summary FROM platform.operations WHERE id = %s", back["operation_id"])
    assert operation == {"status": "completed", "summary": "Refill of the hot wallet from the cold wallet: 10 USDC"}
    told = await world.rows("SELECT type FROM platform.outbox WHERE topic = 'custody' AND type NOT LIKE 'sweep%%'")
    assert [event["type"] for event in told] == ["moved_to_cold", "cold_refill", "cold_refill"]
    assert await world.rows("SELECT code FROM platform.alerts WHERE code = 'insolvent'") == []
    await world.check_books()


async def test_money_from_outside_in_the_cold_wallet_covers_and_is_owed_to_nobody(
    world: World, cold: LocalAccount
) -> None:
    """How a shortfall is made good (runbook insolvent)."""
    await world.funded(20 * USDC)
    tx_hash = await world.mint(cold.address.lower(), 70 * USDC)
    row = await world.deposit_status(tx_hash, "ignored")
    assert row["reason"] == "cold_wallet"
    assert await world.ledger("platform:treasury") == 0
    found = await world.solvency()
    assert (found.custody, found.liabilities) == (90 * USDC, 20 * USDC)


async def test_a_sweep_that_the_books_have_forgotten_is_booked_from_the_chain(world: World) -> None:
    """Restored books are older than the sweep: the scanner sees it again, and later sweeps are of the right amount."""
    account = await world.funded(25 * USDC)
    row = await world.row("SELECT address, derivation_index FROM exchange.deposit_addresses")
    tree = BIP32.from_xpriv(world.wallets.deposit_xprv)
    key = "0x" + tree.get_privkey_from_path(f"m/0/{row['derivation_index']}").hex()
    await world.rpc("anvil_setBalance", row["address"], hex(10**18))
    seen = await _move(world, Account.from_key(key), world.wallets.hot, 25 * USDC)
    assert (seen["status"], seen["reason"]) == ("credited", "unrecorded_sweep")
    assert await _buckets(world) == (0, 25, 0)
    assert await world.ledger("platform:treasury") == 0

    done = await world.client.execute_workflow("CustodyUpkeep", WATCH, id="upkeep", task_queue="exchange")
    assert done["sweeps"] == [], "nothing lies there any more"
    more = await world.mint(row["address"], 12 * USDC)
    await world.mine(20)
    await world.deposit_status(more, "credited")
    await world.client.execute_workflow("CustodyUpkeep", WATCH, id="upkeep", task_queue="exchange")
    swept = await world.row("SELECT amount_micros FROM exchange.sweeps")
    assert swept["amount_micros"] == 12 * USDC
    assert await world.available(account) == 37 * USDC
    assert await _solvent(world)
    await world.check_books()
