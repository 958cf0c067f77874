"""Withdrawals on a real chain: money leaves once, and comes back to the account only on proof."""

from __future__ import annotations

from tests.world import USDC, World, fresh_address


async def test_withdrawal_sweeps_then_sends_then_settles(world: World) -> None:
    """The hot wallet starts without USDC: the withdrawal triggers a sweep, waits, and is paid."""
    account = await world.funded(50 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 20 * USDC, to)
    async with world.mining():
        row = await world.withdrawal_status(withdrawal, "settled", timeout=60)
    assert await world.balance(to) == 20 * USDC
    assert await world.available(account) == 30 * USDC
    assert await world.held(account) == 0
    assert row["tx_hash"] is not None
    assert await world.ledger("custody:421614:hot") == -30 * USDC
    assert await world.ledger("custody:421614:deposits") == 0
    await world.check_books()
