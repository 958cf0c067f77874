"""From the news to the price: a signal moves F through the running price engine, its absence moves the weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.exchange.pricing import PricingActivities
from activities.operations.parking import ParkingActivities
from domain.exchange.price_messages import PriceEngineState
from domain.shared import ids
from domain.shared.processes import EXCHANGE, Start
from localnet.running import running_temporal
from storage.events import new_id
from storage.exchange.pricing import Pace, PricingStore
from tests.oracle_lab import OracleLab, open_oracle_lab
from tests.price_lab import POLICY
from workflows.client import connect
from workflows.exchange.oracle import OracleRefreshWorkflow
from workflows.exchange.pricing import PriceEngineWorkflow

RARELY = Pace(heartbeat_s=3_600, halt_s=300)
"""So that only a signal can make the engine look."""


async def price(lab: OracleLab, asset: str) -> dict[str, Any]:
    found = await lab.rows("SELECT * FROM exchange.asset_prices WHERE asset_id = %s", asset)
    return found[0] if found else {"fundamental_pico": None, "weight_bps": None}


async def test_a_signal_is_applied_at_once_and_a_bad_day_leaves_the_price_to_the_market(
    database: str, tmp_path: Path
) -> None:
    async with open_oracle_lab(database) as lab, running_temporal(tmp_path / "temporal") as temporal:
        client = await connect(temporal.address, "default")
        pricing = PricingActivities(PricingStore(lab.books, POLICY, RARELY))
        async with Worker(
            client,
            task_queue=EXCHANGE,
            workflows=[OracleRefreshWorkflow, PriceEngineWorkflow],
            activities=[*lab.activities(), pricing.record_tick, ParkingActivities(lab.jobs).park_operation],
            workflow_runner=SandboxedWorkflowRunner(
                restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
            ),
        ):
            asset = await lab.asset("NEWS")
            engine = await client.start_workflow(
                PriceEngineWorkflow.run, PriceEngineState(asset_id=asset), id=ids.price_engine(asset),
                task_queue=EXCHANGE,
            )  # fmt: skip
            await lab.until(lambda: price(lab, asset), lambda row: row["fundamental_pico"] == 10**12)

            async def refresh() -> None:
                await client.execute_workflow(
                    OracleRefreshWorkflow.run, Start(subject_id=asset), id=ids.oracle_refresh(asset, new_id()),
                    task_queue=EXCHANGE,
                )  # fmt: skip

            lab.web.feel("bullish", "NEWS", delta_percent="29")
            await refresh()
            signal = await lab.until(lambda: lab.signal(asset), lambda row: row["status"] == "applied")
            assert (signal["delta_bps"], signal["applied_bps"]) == (2_900, 500)
            # F · (1 + β · 5 %), β = 0.2
            assert (await price(lab, asset))["fundamental_pico"] == 1_010_000_000_000
            assert (await price(lab, asset))["weight_bps"] == 5_000
            lab.web.fail("llm", "prose", 3)
            await refresh()
            assert await lab.degraded_until(asset) is not None
            await refresh()
            await lab.until(lambda: lab.signals(asset), lambda rows: rows[-1]["status"] == "applied")
            assert await lab.degraded_until(asset) is None
            await engine.terminate()
