"""Withdrawals on a real chain: money leaves once, and comes back to the account only on proof."""

from __future__ import annotations

import asyncio

import pytest

from domain.shared.errors import Rejected
from tests.world import USDC, World, fresh_address


async def test_withdrawal_sweeps_then_sends_then_settles(world: World) -> None:
    """The hot wallet starts without USDC: the withdrawal triggers a sweep, waits, and is paid."""
    account = await world.funded(50 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 20 * USDC, to)
    async with world.mining():
        row = await world.withdrawal_status(withdrawal, "settled")
    assert await world.balance(to) == 20 * USDC
    assert await world.available(account) == 30 * USDC
    assert await world.held(account) == 0
    assert row["tx_hash"] is not None
    assert await world.ledger("custody:421614:hot") == -30 * USDC
    assert await world.ledger("custody:421614:deposits") == 0
    await world.check_books()


async def test_many_withdrawals_at_once_use_each_nonce_once_and_pay_each_once(world: World) -> None:
    account = await world.funded(200 * USDC)
    await world.hot_wallet_with(100 * USDC)
    to = [fresh_address() for _ in range(12)]
    ids = [await world.request_withdrawal(account, (i + 1) * USDC, address) for i, address in enumerate(to)]
    async with world.mining():
        for withdrawal in ids:
            await world.withdrawal_status(withdrawal, "settled")
    assert [await world.balance(address) for address in to] == [(i + 1) * USDC for i in range(12)]
    nonces = await world.rows("SELECT nonce FROM exchange.transactions WHERE wallet = %s ORDER BY 1", world.wallets.hot)
    assert [row["nonce"] for row in nonces] == list(range(12))
    assert await world.available(account) == (200 - sum(range(1, 13))) * USDC
    await world.check_books()


async def test_balance_and_limits_are_checked_under_lock(world: World) -> None:
    """Ten parallel requests for more than there is: what passes never exceeds the balance (D13)."""
    account = await world.funded(30 * USDC)
    ids = [await world.request_withdrawal(account, 10 * USDC) for _ in range(10)]
    rows = [await world.withdrawal_status(w, "approved", "rejected") for w in ids]
    statuses = sorted(row["status"] for row in rows)
    assert statuses == ["approved"] * 3 + ["rejected"] * 7
    assert {row["failure_code"] for row in rows if row["status"] == "rejected"} == {"insufficient_funds"}
    assert (await world.available(account), await world.held(account)) == (0, 30 * USDC)
    await world.check_books()


async def test_daily_limit_counts_what_was_not_refused(world: World) -> None:
    account = await world.funded(9_000 * USDC)
    first = await world.request_withdrawal(account, 900 * USDC)
    await world.withdrawal_status(first, "approved")
    for _ in range(4):
        await world.withdrawal_status(await world.request_withdrawal(account, 900 * USDC), "approved")
    refused = await world.withdrawal_status(await world.request_withdrawal(account, 600 * USDC), "rejected")
    assert refused["failure_code"] == "account_daily_limit"
    await world.cancel(first)
    await world.withdrawal_status(await world.request_withdrawal(account, 600 * USDC), "approved")


async def test_review_needs_another_operator_and_rejection_gives_the_money_back(world: World) -> None:
    account = await world.funded(4_000 * USDC)
    withdrawal = await world.request_withdrawal(account, 1_000 * USDC, by="alice")
    await world.withdrawal_status(withdrawal, "pending_approval")
    with pytest.raises(Rejected, match="self_approval"):
        await world.decide(withdrawal, "alice")
    assert (await world.decide(withdrawal, "bob", approve=False)).status == "rejected"
    assert await world.available(account) == 4_000 * USDC
    again = await world.request_withdrawal(account, 1_000 * USDC, by="alice")
    await world.withdrawal_status(again, "pending_approval")
    await world.decide(again, "bob")
    assert (await world.withdrawal(again))["decided_by"] == "bob"
    async with world.mining():
        await world.withdrawal_status(again, "settled")
    await world.check_books()


async def test_cancel_before_signing_gives_the_money_back(world: World) -> None:
    account = await world.funded(40 * USDC)
    await world.rpc("anvil_setBalance", world.wallets.hot, "0x0")
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    await world.until(lambda: world.withdrawal(withdrawal), lambda row: row["reason"] == "gas_wallet_low")
    assert (await world.cancel(withdrawal)).status == "cancelled"
    assert await world.available(account) == 40 * USDC
    with pytest.raises(Rejected):
        await world.decide(withdrawal, "bob")
    await world.check_books()


async def test_gas_floor_waits_alerts_and_goes_on_when_there_is_gas(world: World) -> None:
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    await world.rpc("anvil_setBalance", world.wallets.hot, hex(10**15 - 1))
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    await world.until(lambda: world.withdrawal(withdrawal), lambda row: row["reason"] == "gas_wallet_low")
    assert await world.rows("SELECT 1 AS one FROM platform.alerts WHERE code = 'gas_wallet_low'") == [{"one": 1}]
    await world.rpc("anvil_setBalance", world.wallets.hot, hex(10**15))
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")


async def test_kill_switch_stops_signing_and_nothing_else(world: World) -> None:
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    await world.rows(
        "INSERT INTO platform.controls (name, enabled, changed_by) VALUES ('exchange.withdrawals', false, 't')"
    )
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    await world.until(lambda: world.withdrawal(withdrawal), lambda row: row["reason"] == "withdrawals_disabled")
    assert await world.rows("SELECT 1 FROM exchange.transactions") == []
    await world.rows("UPDATE platform.controls SET enabled = true")
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")


async def test_new_address_waits_its_cool_down(cooling_world: World) -> None:
    world = cooling_world
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 5 * USDC, to)
    await world.until(lambda: world.withdrawal(withdrawal), lambda row: row["reason"] == "address_cooling_down")
    assert await world.held(account) == 5 * USDC
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
        again = await world.request_withdrawal(account, 5 * USDC, to)
        await world.withdrawal_status(again, "settled")


async def test_stuck_transaction_is_replaced_at_the_same_nonce_and_pays_once(world: World) -> None:
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 10 * USDC, to)
    signed = "SELECT s.* FROM exchange.signed_transactions s ORDER BY attempt"
    attempts = await world.until(lambda: world.rows(signed), lambda rows: len(rows) >= 2)
    assert attempts[1]["max_fee_wei"] * 1000 >= attempts[0]["max_fee_wei"] * 1125
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
    assert len(await world.rows("SELECT 1 FROM exchange.transactions WHERE purpose = 'withdrawal'")) == 1
    assert await world.balance(to) == 10 * USDC
    await world.check_books()


async def test_transaction_dropped_from_the_pool_is_sent_again(world: World) -> None:
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 10 * USDC, to)
    row = await world.withdrawal_status(withdrawal, "broadcast")
    await world.rpc("anvil_dropTransaction", row["tx_hash"])
    await asyncio.sleep(4)
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
    assert await world.balance(to) == 10 * USDC


async def test_mined_withdrawal_dropped_by_a_reorg_is_sent_again_and_pays_once(world: World) -> None:
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 10 * USDC, to)
    await world.withdrawal_status(withdrawal, "broadcast")
    await world.mine(4)
    await world.withdrawal_status(withdrawal, "confirming")
    await world.rpc("anvil_reorg", 5, [])
    assert await world.balance(to) == 0
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
    assert await world.balance(to) == 10 * USDC
    await world.check_books()


async def test_token_that_refuses_in_simulation_fails_before_signing_and_releases(hostile_world: World) -> None:
    world = hostile_world
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    to = fresh_address()
    await world.call("HostileToken", world.token, "setBlacklisted", to, True)
    await world.mine()
    row = await world.withdrawal_status(await world.request_withdrawal(account, 10 * USDC, to), "failed")
    assert row["failure_code"] == "token_refused"
    assert await world.rows("SELECT 1 FROM exchange.transactions") == []
    assert await world.available(account) == 40 * USDC
    await world.check_books()


async def _broadcast_then(world: World, function: str, *arguments: object) -> tuple[str, str]:
    """A withdrawal in the pool, then the token changes its mind in the same block, before it."""
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 10 * USDC, to)
    await world.withdrawal_status(withdrawal, "broadcast")
    arguments = tuple(to if a == "recipient" else a for a in arguments)
    await world.call("HostileToken", world.token, function, *arguments)
    await world.mine()
    return account, withdrawal


async def test_reverted_transaction_fails_and_releases_once_finalized(hostile_world: World) -> None:
    world = hostile_world
    account, withdrawal = await _broadcast_then(world, "setBlacklisted", "recipient", True)
    await world.mine(20)
    await world.settled()
    assert await world.held(account) == 10 * USDC
    await world.mine(20)
    row = await world.withdrawal_status(withdrawal, "failed")
    assert row["failure_code"] == "transaction_reverted"
    assert await world.available(account) == 40 * USDC
    await world.check_books()


async def test_token_that_returns_false_fails_and_releases_once_finalized(hostile_world: World) -> None:
    world = hostile_world
    account, withdrawal = await _broadcast_then(world, "setMode", 1)
    await world.mine(40)
    row = await world.withdrawal_status(withdrawal, "failed")
    assert row["failure_code"] == "token_moved_nothing"
    assert await world.available(account) == 40 * USDC
    await world.check_books()


async def test_token_that_moves_and_logs_nothing_fails_and_keeps_the_hold(hostile_world: World) -> None:
    world = hostile_world
    account, withdrawal = await _broadcast_then(world, "setMode", 2)
    await world.mine(40)
    row = await world.withdrawal_status(withdrawal, "failed")
    assert row["failure_code"] == "mined_without_proof"
    assert (await world.available(account), await world.held(account)) == (30 * USDC, 10 * USDC)
    operation = await world.row("SELECT status FROM platform.operations WHERE id = %s", row["operation_id"])
    assert operation["status"] == "needs_operator"
    await world.withdrawal_store().resolve_uncertain(withdrawal, "bob", paid=True, tx_hash=row["tx_hash"], note="seen")
    assert (await world.withdrawal(withdrawal))["status"] == "settled"
    assert await world.held(account) == 0
    await world.check_books()


async def test_foreign_use_of_the_nonce_keeps_the_hold_and_calls_an_operator(world: World) -> None:
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    row = await world.withdrawal_status(withdrawal, "broadcast")
    await world.rpc("anvil_dropTransaction", row["tx_hash"])
    await world.use_nonce_elsewhere(world.wallets.hot_key, 0)
    async with world.mining():
        row = await world.withdrawal_status(withdrawal, "failed")
    assert row["failure_code"] == "nonce_used_by_foreign_transaction"
    assert await world.held(account) == 10 * USDC


async def test_signing_twice_at_once_gives_one_transaction(world: World) -> None:
    """The signer's row lock and unique purpose: whoever comes second gets the first one's bytes."""
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    await world.withdrawal_status(withdrawal, "signed", "broadcast")
    answers = await asyncio.gather(*(world.sign_again(withdrawal) for _ in range(5)))
    assert len({answer.transaction_id for answer in answers}) == 1
    assert len(await world.rows("SELECT 1 FROM exchange.transactions")) == 1
