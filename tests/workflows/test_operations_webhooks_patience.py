"""A receiver that stays away for three days, on a server that skips the waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from domain.operations.messages import DeliveryDone
from domain.shared.processes import OPERATIONS, Start
from gateways.webhooks import WebhookSender
from localnet.sink import WebhookSink, _Refusal
from tests.ops_lab import Lab, make_vault, open_lab, worker_for
from tests.world.skipping import skipping_temporal
from workflows.operations.webhooks import WebhookDeliveryWorkflow


@pytest_asyncio.fixture(loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_temporal() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[Lab]:
    async with open_lab(database) as opened:
        yield opened


async def test_after_three_days_it_is_given_up_and_an_operator_called(
    env: WorkflowEnvironment, lab: Lab, tmp_path: Path
) -> None:
    sink, sender = WebhookSink(), WebhookSender(allow_private=True, timeout_s=3)
    await sink.start()
    sink._refusal = _Refusal(status=500, times=1000, delay_seconds=0)
    try:
        hook = await lab.webhook(await lab.account("admin"), sink.url, ["deposits"])
        await lab.tell("deposits", 1)
        while await lab.hooks.fan_out():
            pass
        (waiting,) = await lab.hooks.waiting()
        async with worker_for(env.client, lab, make_vault(lab.dsn, tmp_path / "vault"), sender):
            handle = await env.client.start_workflow(
                WebhookDeliveryWorkflow.run,
                Start(subject_id=waiting.delivery_id),
                id="delivery",
                task_queue=OPERATIONS,
                result_type=DeliveryDone,
            )
            done = await handle.result()
            described = await handle.describe()
    finally:
        await sink.close()
        await sender.aclose()
    assert done.status == "failed"
    assert done.attempts == len(sink.deliveries)
    assert 15 <= done.attempts <= 25
    (delivery,) = await lab.deliveries(hook)
    assert (delivery["status"], delivery["attempts"]) == ("failed", done.attempts)
    (alert,) = await lab.alerts("webhook_failing")
    assert alert["subject"] == hook
    assert described.close_time is not None
    assert described.close_time - described.start_time > timedelta(days=2)
