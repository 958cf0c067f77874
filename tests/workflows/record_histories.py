"""Record golden histories: real runs against real parts, one file per workflow and path.

`python -m tests.workflows.record_histories` writes what is MISSING below replay/histories. A golden that no longer
replays is never recorded again to make a test pass: the code change is gated by `workflow.patched` instead
(docs/concepts/processes.md), and the new path gets a file of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psycopg

from domain.exchange.messages import WatchChain
from domain.operations.probe import ProbeTimers
from domain.shared import ids
from domain.shared.processes import Start
from gateways.webhooks import new_secret
from localnet.running import running_postgres
from localnet.sink import WebhookSink
from localnet.upstreams import Upstreams
from storage.database import transaction
from storage.intents.webhooks import add_webhook
from storage.migrate import upgrade
from tests.workflows.record_chain import chain
from tests.workflows.record_copying import copying
from tests.workflows.record_corrections import corrections
from tests.workflows.record_deployments import deployments
from tests.workflows.record_feed import feed
from tests.workflows.record_landings import looks
from tests.workflows.record_launches import launches
from tests.workflows.record_liquidity import QUEUE_S, liquidity
from tests.workflows.record_market import market
from tests.workflows.record_mirror import copies
from tests.workflows.record_oracle import oracle, upstreams
from tests.workflows.record_paper import paper
from tests.workflows.record_prices import prices
from tests.workflows.record_sales import aftercare, sales
from tests.workflows.record_upkeep import upkeep_of_sales
from tests.world import CHAIN_ID, USDC, World, fresh_address

HISTORIES = Path(__file__).parent / "replay" / "histories"
ROOT = Path(__file__).resolve().parents[2]
"""Not told in a golden: stack traces name files from here on."""
Scenario = Callable[[World], Awaitable[dict[str, str]]]
"""Plays on a world; returns {"Workflow/path": workflow id}."""


async def deposits(world: World) -> dict[str, str]:
    account = await world.account()
    address = await world.address(account)
    dust = await world.mint(address, USDC // 2)
    await world.mine(13)
    await world.until(lambda: world.deposit(dust), lambda row: row["reason"] == "below_minimum")
    rest = await world.mint(address, 5 * USDC)
    await world.mine(13)
    await world.deposit_status(rest, "credited")
    lost = await world.mint(address, 9 * USDC)
    await world.mine(2)
    await world.settled()
    await world.rpc("anvil_reorg", 3, [])
    await world.deposit_status(lost, "orphaned")
    await world.mine(40)
    await world.until(lambda: world.deposit(lost), lambda row: row["closed"])
    return {
        "Deposit/credited": ids.deposit(CHAIN_ID, rest, 0),
        "Deposit/dust_credited_with_another": ids.deposit(CHAIN_ID, dust, 0),
        "Deposit/orphaned_for_good": ids.deposit(CHAIN_ID, lost, 0),
        "HeadWatcher/running": ids.head_watcher(CHAIN_ID),
        "ChainScanner/running": ids.chain_scanner(CHAIN_ID),
        "Dispatcher/running": ids.DISPATCHER,
    }


async def withdrawals(world: World) -> dict[str, str]:
    account = await world.funded(3_000 * USDC)
    reviewed = await world.request_withdrawal(account, 1_000 * USDC, by="alice")
    await world.withdrawal_status(reviewed, "pending_approval")
    await world.decide(reviewed, "bob")
    async with world.mining():
        await world.withdrawal_status(reviewed, "settled")
    refused = await world.request_withdrawal(account, 1_000 * USDC, by="alice")
    await world.withdrawal_status(refused, "pending_approval")
    await world.decide(refused, "bob", approve=False)
    poor = await world.request_withdrawal(account, 4_999 * USDC)
    await world.withdrawal_status(poor, "rejected")
    replaced = await world.request_withdrawal(account, 5 * USDC, fresh_address())
    signed = "SELECT s.* FROM exchange.signed_transactions s JOIN exchange.transactions t ON t.id = s.transaction_id"
    await world.until(lambda: world.rows(signed + " WHERE t.ref_id = %s", replaced), lambda rows: len(rows) >= 2)
    async with world.mining():
        await world.withdrawal_status(replaced, "settled")
    await world.rpc("anvil_setBalance", world.wallets.hot, "0x0")
    cancelled = await world.request_withdrawal(account, 5 * USDC)
    await world.until(lambda: world.withdrawal(cancelled), lambda row: row["reason"] == "gas_wallet_low")
    await world.cancel(cancelled)
    sweep = await world.row("SELECT id FROM exchange.sweeps LIMIT 1")
    return {
        "Withdrawal/approved_and_settled": ids.withdrawal(reviewed),
        "Withdrawal/rejected_in_review": ids.withdrawal(refused),
        "Withdrawal/rejected_for_funds": ids.withdrawal(poor),
        "Withdrawal/replaced_and_settled": ids.withdrawal(replaced),
        "Withdrawal/cancelled": ids.withdrawal(cancelled),
        "Sweep/with_gas_top_up": ids.sweep(str(sweep["id"])),
    }


async def upkeep(world: World) -> dict[str, str]:
    await world.funded(50 * USDC)
    watch = WatchChain(chain_id=CHAIN_ID)
    for workflow, name in (("CustodyUpkeep", "upkeep"), ("Solvency", "solvency")):
        await world.client.execute_workflow(workflow, watch, id=name, task_queue="exchange")
    await world.rows(
        """INSERT INTO platform.operations (id, kind, subject_id, workflow_id, summary, dispatched_at)
           VALUES (gen_random_uuid(), 'deposit', gen_random_uuid(), 'deposit:lost', 'lost', now() - interval '1h')"""
    )
    for workflow, name in (
        ("LedgerCheck", "ledger-check"),
        ("Retention", "retention"),
        ("ProcessCheck", "process-check"),
    ):
        await world.client.execute_workflow(workflow, id=name, task_queue="operations")
    return {
        "CustodyUpkeep/round": "upkeep",
        "Solvency/ok": "solvency",
        "LedgerCheck/ok": "ledger-check",
        "Retention/round": "retention",
        "ProcessCheck/one_lost": "process-check",
        "WebhookFanout/running": "webhook-fanout",
    }


async def operations(world: World) -> dict[str, str]:
    account = await world.funded(5 * USDC)
    start = Start(subject_id="")
    for workflow in ("Backup", "RestoreDrill"):
        await world.client.execute_workflow(workflow, start, id=workflow, task_queue="operations")
    await world.client.execute_workflow("TimerProbe", ProbeTimers(), id="probe", task_queue="operations")
    sink = WebhookSink()
    await sink.start()
    async with httpx.AsyncClient() as client:
        await client.post(f"{sink.url}/faults", json={"status": 500, "times": 2})
    async with transaction(world.parts.pool) as connection:
        await add_webhook(
            connection,
            account_id=account,
            url=f"{sink.url}/hook",
            topics=["deposits"],
            secret=new_secret(),
            principal="test",
        )
    await world.mint(await world.address(account), 2 * USDC)
    await world.mine(13)
    deliveries = "SELECT id FROM platform.webhook_deliveries WHERE status = 'delivered' ORDER BY attempts DESC"
    found = await world.until(lambda: world.rows(deliveries), bool)
    await sink.close()
    return {
        "Backup/written_and_verified": "Backup",
        "RestoreDrill/restored": "RestoreDrill",
        "TimerProbe/measured": "probe",
        "WebhookDelivery/delivered_at_the_third_attempt": ids.webhook_delivery(str(found[0]["id"])),
    }


SCENARIOS: tuple[Scenario, ...] = (
    deposits,
    withdrawals,
    upkeep,
    operations,
    oracle,
    prices,
    liquidity,
    market,
    corrections,
    copying,
    chain,
    feed,
    paper,
    deployments,
    launches,
    sales,
    aftercare,
    upkeep_of_sales,
    looks,
    copies,
)


async def _record(world: World, found: dict[str, str]) -> None:
    for path, workflow_id in found.items():
        file = HISTORIES / f"{path}.json"
        if file.exists():
            continue
        # a golden ends with the workflow's end where it has one
        handle = world.client.get_workflow_handle(workflow_id)
        if not path.endswith("/running"):
            await asyncio.wait_for(handle.result(), 60)
        file.parent.mkdir(parents=True, exist_ok=True)
        history = json.loads((await handle.fetch_history()).to_json().replace(f"{ROOT}/", "./"))
        file.write_text(json.dumps(history, indent=1, sort_keys=True) + "\n")
        print("recorded", file.relative_to(HISTORIES))


async def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = Path(name)
        async with running_postgres(directory / "postgres") as postgres:
            for number, scenario in enumerate(SCENARIOS):
                database = f"record_{number}"
                async with await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True) as connection:
                    await connection.execute(f"CREATE DATABASE {database}")  # type: ignore[arg-type]
                dsn = postgres.dsn_of(database)
                upgrade(dsn)
                backups = {
                    "backup_dir": str(directory / "backups"),
                    "backup_key": base64.b64encode(bytes(32)).decode(),
                    "pg_bin_dir": str(postgres.bin_dir),
                }
                async with (
                    Upstreams() as web,
                    World.open(
                        dsn, directory / database, replace_after_s=4, lp_queue_s=QUEUE_S, **backups, **upstreams(web)
                    ) as world,
                ):
                    await _record(world, await scenario(world))


if __name__ == "__main__":
    asyncio.run(main())
