"""Deposits on a real chain: when money becomes money."""

from __future__ import annotations

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
