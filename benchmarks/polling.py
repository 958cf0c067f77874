"""What one writes first: each deposit's workflow asks the node every second whether its block is deep enough.

Only the waiting differs from ours. The facts, the check on the chain and the credit are the same code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

with workflow.unsafe.imports_passed_through():
    from activities.exchange.deposits import DepositActivities
    from domain.exchange.messages import CreditDeposit, DepositChecked, DepositCredited, DepositRef, DepositVerdict

QUEUE = "polling"
POLL_S = 1


class PollingActivities:
    """The product's own activities under names of this queue."""

    def __init__(self, deposits: DepositActivities) -> None:
        self._deposits = deposits

    @activity.defn
    async def confirmed(self, command: DepositRef) -> DepositChecked:
        return await self._deposits.verify_deposit(command)

    @activity.defn
    async def credited(self, command: CreditDeposit) -> DepositCredited:
        return await self._deposits.credit_deposit(command)


@workflow.defn(name="PollingDeposit")
class PollingDeposit:
    @workflow.run
    async def run(self, deposit: DepositRef) -> DepositCredited:
        limit = timedelta(seconds=20)
        while True:
            checked = await workflow.execute_activity_method(
                PollingActivities.confirmed, deposit, start_to_close_timeout=limit
            )
            if checked.verdict is DepositVerdict.CONFIRMED:
                break
            await workflow.sleep(POLL_S)
        command = CreditDeposit(deposit_id=deposit.deposit_id, verified=checked.verified)
        return await workflow.execute_activity_method(PollingActivities.credited, command, start_to_close_timeout=limit)


@asynccontextmanager
async def polling_worker(client: Client, deposits: DepositActivities) -> AsyncIterator[None]:
    """A worker with the SDK's defaults; only our own packages are passed through the sandbox, as ours does."""
    activities = PollingActivities(deposits)
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[PollingDeposit],
        activities=[activities.confirmed, activities.credited],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities", "benchmarks")
        ),
    ):
        yield
