"""Deposits on a real chain: when a transfer becomes money, and when it does not."""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from domain.exchange.tokens import encode_transfer
from tests.world import USDC, World


async def test_deposit_is_credited_at_the_twelfth_block_on_top_and_not_before(world: World) -> None:
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 25 * USDC)
    await world.deposit_status(tx_hash, "seen")
    await world.mine(11)
    await world.deposit_status(tx_hash, "confirming")
    assert await world.available(account) == 0
    await world.mine(1)
    await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 25 * USDC
    await world.check_books()


async def test_deposit_from_a_thousand_usdc_also_waits_for_safe(world: World) -> None:
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 1_000 * USDC)
    await world.mine(14)
    await world.settled()
    assert (await world.deposit(tx_hash))["status"] == "confirming"
    await world.mine(4)
    await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 1_000 * USDC


async def test_dust_waits_and_is_credited_when_the_sum_reaches_the_minimum(world: World) -> None:
    account = await world.account()
    address = await world.address(account)
    first = await world.mint(address, 400_000)
    await world.mine(13)
    await world.until(lambda: world.deposit(first), lambda row: row["reason"] == "below_minimum")
    assert await world.available(account) == 0
    second = await world.mint(address, 600_000)
    await world.mine(13)
    await world.deposit_status(second, "credited")
    await world.deposit_status(first, "credited")
    assert await world.available(account) == 1_000_000
    await world.until(
        lambda: world.rows("SELECT status FROM platform.operations WHERE kind = 'deposit'"),
        lambda rows: [row["status"] for row in rows] == ["completed", "completed"],
    )


async def test_exactly_the_minimum_is_credited_at_once(world: World) -> None:
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 1 * USDC)
    await world.mine(12)
    await world.deposit_status(tx_hash, "credited")


async def test_several_transfers_in_one_transaction_are_each_credited_d14(world: World) -> None:
    """seed-exchange D14: keyed by the transaction alone, 5 of 12 was tracked."""
    caller = await world.deploy("Caller")
    first, second = await world.account(), await world.account()
    to = [await world.address(first), await world.address(second)]
    await world.mint(caller, 12 * USDC)
    tx_hash = await world.call("Caller", caller, "moveMany", world.token, to, [5 * USDC, 7 * USDC])
    await world.mine(13)
    await world.deposit_status(tx_hash, "credited", 0)
    await world.deposit_status(tx_hash, "credited", 1)
    assert [await world.available(a) for a in (first, second)] == [5 * USDC, 7 * USDC]


async def test_d14_deposit_to_the_address_as_it_is_shown_is_detected(world: World) -> None:
    """seed-exchange D14: shown and kept with its checksum, looked for in lower case, never found."""
    account = await world.account()
    kept = await world.address(account)
    shown = to_checksum_address(kept)
    assert shown != kept
    await world.deposit_status(await world.mint(shown, 4 * USDC), "seen")
    await world.mine(12)
    await world.until(lambda: world.available(account), lambda micros: micros == 4 * USDC)


async def test_deposit_to_a_retired_address_is_credited(world: World) -> None:
    account = await world.account()
    address = await world.address(account)
    await world.rows("UPDATE exchange.deposit_addresses SET retired_at = now() WHERE address = %s", address)
    tx_hash = await world.mint(address, 3 * USDC)
    await world.mine(12)
    await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 3 * USDC


async def test_zero_value_transfer_is_ignored(world: World) -> None:
    account = await world.account()
    data = "0x" + encode_transfer(await world.address(account), 0).hex()
    tx_hash = await world.send_call(world.token, data)
    await world.mine(13)
    assert (await world.deposit_status(tx_hash, "ignored"))["reason"] == "zero_value"


async def test_refill_of_the_hot_wallet_is_the_treasurys(world: World) -> None:
    tx_hash = await world.mint(world.wallets.hot, 70 * USDC)
    await world.mine(12)
    await world.deposit_status(tx_hash, "credited")
    assert await world.ledger("platform:treasury") == 70 * USDC
    assert await world.ledger("custody:421614:hot") == -70 * USDC
    await world.check_books()


async def test_deposit_that_arrives_while_everything_is_down_is_credited_after_restart(idle_world: World) -> None:
    world = idle_world
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 8 * USDC)
    await world.mine(30)
    async with world.workers():
        await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 8 * USDC


async def test_crediting_twice_credits_once_d14(world: World) -> None:
    """seed-exchange D14: two confirmers credited 10 for 5."""
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 5 * USDC)
    await world.mine(13)
    row = await world.deposit_status(tx_hash, "credited")
    store = world.deposit_store()
    again = [await store.credit(row["id"], ((row["id"], row["block_hash"]),)) for _ in range(3)]
    assert {answer.verdict for answer in again} == {"credited"}
    assert await world.available(account) == 5 * USDC
