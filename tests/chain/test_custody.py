"""Custody upkeep: sweeps, wallet levels, solvency, and what a deep reorganisation dropped after settlement."""

from __future__ import annotations

import pytest
from temporalio.common import WorkflowIDReusePolicy

from domain.exchange.messages import WatchChain
from domain.shared import ids
from domain.shared.errors import Unavailable
from domain.shared.processes import Start
from localnet.evm_faults import server_error
from localnet.evm_proxy import EvmProxy
from tests.world import CHAIN_ID, USDC, World, fresh_address

WATCH = WatchChain(chain_id=CHAIN_ID)


async def _run(world: World, workflow: str) -> dict[str, object]:
    result: dict[str, object] = await world.client.execute_workflow(
        workflow, WATCH, id=f"{workflow}-{fresh_address()}", task_queue="exchange"
    )
    return result


async def test_periodic_sweep_moves_what_is_worth_it_and_tops_up_gas(world: World) -> None:
    rich, poor = await world.funded(25 * USDC), await world.funded(5 * USDC)
    assert len((await _run(world, "CustodyUpkeep"))["sweeps"]) == 1  # type: ignore[arg-type]
    async with world.mining():
        await world.until(lambda: world.rows("SELECT status FROM exchange.sweeps"), lambda r: r == [{"status": "done"}])
    assert await world.balance(world.wallets.hot) == 25 * USDC
    assert await world.ledger("custody:421614:hot") == -25 * USDC
    assert await world.ledger("custody:421614:deposits") == -5 * USDC
    assert [await world.available(account) for account in (rich, poor)] == [25 * USDC, 5 * USDC]
    assert (await _run(world, "CustodyUpkeep"))["sweeps"] == []
    operation = await world.row("SELECT id, status FROM platform.operations WHERE kind = 'sweep'")
    steps = await world.rows("SELECT status FROM platform.operation_steps WHERE operation_id = %s", operation["id"])
    assert operation["status"] == "completed"
    assert {step["status"] for step in steps} <= {"done", "skipped"}
    await world.check_books()


async def test_a_mined_sweep_that_begins_anew_is_booked_from_its_transaction(world: World) -> None:
    """Its process is lost after the broadcast and begins from the row again: by then the address is empty."""
    await world.funded(25 * USDC)
    await _run(world, "CustodyUpkeep")
    sent = """SELECT t.ref_id::text AS id FROM exchange.transactions t JOIN exchange.signed_transactions s
                ON s.transaction_id = t.id WHERE t.purpose = 'sweep' AND s.broadcast_at IS NOT NULL"""
    async with world.mining(1):
        [sweep] = await world.until(lambda: world.rows(sent), bool)
        await world.client.get_workflow_handle(ids.sweep(sweep["id"])).terminate("lost")
    await world.mine(20)
    address = (await world.row("SELECT address, status FROM exchange.sweeps"))["address"]
    assert await world.balance(address) == 0
    assert await world.ledger("custody:421614:hot") == 0, "not booked yet"
    operation = await world.row("SELECT id FROM platform.operations WHERE kind = 'sweep'")
    again = await world.client.execute_workflow(
        "Sweep",
        Start(subject_id=sweep["id"], operation_id=operation["id"]),
        id=ids.sweep(sweep["id"]),
        task_queue="exchange",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    assert again == "success"
    assert await world.ledger("custody:421614:hot") == -25 * USDC
    assert await world.ledger("custody:421614:deposits") == 0
    assert await world.rows("SELECT status FROM exchange.sweeps") == [{"status": "done"}]
    assert (await _run(world, "CustodyUpkeep"))["sweeps"] == []
    await world.check_books()


async def test_solvency_holds_through_deposit_sweep_and_withdrawal(world: World) -> None:
    account = await world.funded(50 * USDC)
    assert (await _run(world, "Solvency"))["ok"] is True
    withdrawal = await world.request_withdrawal(account, 20 * USDC)
    async with world.mining():
        while (await world.withdrawal(withdrawal))["status"] != "settled":
            assert (await _run(world, "Solvency"))["ok"] is True
    assert (await _run(world, "Solvency"))["ok"] is True


async def test_missing_custody_stops_withdrawals_and_calls_an_operator(world: World) -> None:
    account = await world.funded(50 * USDC)
    await world.hot_wallet_with(10 * USDC)
    await world.use_nonce_elsewhere(world.wallets.hot_key, 0)  # one micro is gone
    await world.mine()
    result = await _run(world, "Solvency")
    assert result["ok"] is False
    control = await world.row("SELECT enabled, reason FROM platform.controls WHERE name = 'exchange.withdrawals'")
    assert control["enabled"] is False
    assert "insolvent" in control["reason"]
    assert await world.rows("SELECT severity FROM platform.alerts WHERE code = 'insolvent'") == [
        {"severity": "critical"}
    ]
    withdrawal = await world.request_withdrawal(account, 5 * USDC)
    await world.until(lambda: world.withdrawal(withdrawal), lambda row: row["reason"] == "withdrawals_disabled")


async def test_solvency_is_unknown_not_false_when_the_node_is_away(world: World) -> None:
    await world.funded(5 * USDC)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        proxy.fail("*", server_error(), times=None)
        async with world.behind(proxy.url):
            with pytest.raises(Unavailable):
                await world.solvency()


async def test_wallet_levels_open_and_close_alerts(world: World) -> None:
    await world.rpc("anvil_setBalance", world.wallets.hot, "0x1")
    await _run(world, "CustodyUpkeep")
    open_alerts = "SELECT subject FROM platform.alerts WHERE code = 'gas_wallet_low' AND resolved_at IS NULL"
    assert await world.rows(open_alerts) == [{"subject": "hot"}]
    await world.rpc("anvil_setBalance", world.wallets.hot, hex(10**18))
    await _run(world, "CustodyUpkeep")
    assert await world.rows(open_alerts) == []


async def test_settled_withdrawal_dropped_by_a_deep_reorg_is_sent_again(world: World) -> None:
    account = await world.funded(50 * USDC)
    await world.hot_wallet_with(20 * USDC)
    to = fresh_address()
    withdrawal = await world.request_withdrawal(account, 10 * USDC, to)
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
    await world.rpc("anvil_reorg", 20, [])
    assert await world.balance(to) == 0
    await _run(world, "CustodyUpkeep")
    await world.mine(2)
    assert await world.balance(to) == 10 * USDC
    await world.check_books()
