"""Webhooks end to end: an event in the outbox, a signed request at a real receiver."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.processes import OPERATIONS
from localnet.running import RunningTemporal, running_temporal
from localnet.sink import WebhookSink
from storage.database import transaction
from storage.intents.webhooks import delete_webhook, redeliver
from tests.ops_lab import Lab, make_vault, open_lab, working
from tests.patience import until
from workflows.operations.webhooks import WebhookFanoutWorkflow


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[Lab]:
    async with open_lab(database) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def sink() -> AsyncIterator[WebhookSink]:
    receiver = WebhookSink()
    await receiver.start()
    yield receiver
    await receiver.close()


@pytest_asyncio.fixture(loop_scope="session")
async def client(lab: Lab, temporal: RunningTemporal, tmp_path: Path) -> AsyncIterator[Client]:
    async with working(lab, temporal, make_vault(lab.dsn, tmp_path / "vault")) as connected:
        handle = await connected.start_workflow(WebhookFanoutWorkflow.run, id="webhook-fanout", task_queue=OPERATIONS)
        yield connected
        await handle.terminate()


def refuse(sink: WebhookSink, status: int, times: int) -> None:
    from localnet.sink import _Refusal

    sink._refusal = _Refusal(status=status, times=times, delay_seconds=0)


async def delivered(lab: Lab, hook: str, count: int) -> list[dict[str, object]]:
    async def all_of_them() -> list[dict[str, object]] | None:
        rows = await lab.deliveries(hook)
        return rows if len(rows) >= count and all(r["status"] == "delivered" for r in rows) else None

    found: list[dict[str, object]] = await until(all_of_them)
    return found


async def test_an_event_arrives_signed_with_type_time_and_data(lab: Lab, client: Client, sink: WebhookSink) -> None:
    account = await lab.account()
    hook = await lab.webhook(account, f"{sink.url}/in", ["deposits"])
    await lab.tell("deposits", 7, account)
    await delivered(lab, hook, 1)
    (received,) = sink.deliveries
    body = json.loads(received["body"])
    assert set(body) == {"type", "timestamp", "data"}
    assert (body["type"], body["data"]) == ("deposits_told", {"n": 7})
    assert body["timestamp"].endswith("Z")
    headers = received["headers"]
    secret = (await lab.one("SELECT secret FROM platform.webhooks WHERE id = %s", hook))["secret"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{received['body']}".encode()
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_a_receiver_that_fails_gets_the_same_message_again(lab: Lab, client: Client, sink: WebhookSink) -> None:
    account = await lab.account()
    hook = await lab.webhook(account, sink.url, ["deposits"])
    refuse(sink, 503, 2)
    await lab.tell("deposits", 1, account)
    (delivery,) = await delivered(lab, hook, 1)
    assert [d["status"] for d in sink.deliveries] == [503, 503, 204]
    assert len({(d["headers"]["webhook-id"], d["body"]) for d in sink.deliveries}) == 1
    assert delivery["attempts"] == 3
    assert "HTTP 503" in str(delivery["last_error"])
    assert await lab.alerts("webhook_failing") == []


async def test_traders_hear_of_themselves_operators_of_everything(lab: Lab, client: Client, sink: WebhookSink) -> None:
    mine, other, operator = await lab.account(), await lab.account(), await lab.account("operator")
    own = await lab.webhook(mine, f"{sink.url}/own", ["deposits", "system"])
    everything = await lab.webhook(operator, f"{sink.url}/all", ["deposits", "system"])
    for number, account, topic in ((1, mine, "deposits"), (2, other, "deposits"), (3, None, "system")):
        await lab.tell(topic, number, account)
    await lab.tell("withdrawals", 4, mine)
    assert {d["n"] for d in await delivered(lab, everything, 3)} == {1, 2, 3}
    assert {d["n"] for d in await delivered(lab, own, 1)} == {1}


async def test_market_data_reaches_every_webhook_that_asked(lab: Lab, client: Client, sink: WebhookSink) -> None:
    mine, other, operator = await lab.account(), await lab.account(), await lab.account("operator")
    topics = ["assets", "prices", "oracle", "trades", "operations", "custody", "system"]
    own = await lab.webhook(mine, f"{sink.url}/own", topics)
    everything = await lab.webhook(operator, f"{sink.url}/all", topics)
    for number, topic in enumerate(topics):
        await lab.tell(topic, number)
    await lab.tell("trades", 10, mine)
    await lab.tell("trades", 11, other)
    await lab.tell("prices", 12, other)
    assert {d["n"] for d in await delivered(lab, everything, 10)} == {*range(7), 10, 11, 12}
    assert {d["n"] for d in await delivered(lab, own, 4)} == {0, 1, 2, 10}


async def test_an_event_committed_late_is_not_skipped(lab: Lab, client: Client, sink: WebhookSink) -> None:
    """A transaction that began first commits last; its event is older than one that was readable before."""
    admin = await lab.account("admin")
    hook = await lab.webhook(admin, sink.url, ["deposits"])
    async with transaction(lab.books.pool) as early:
        await early.execute(
            """INSERT INTO platform.outbox (topic, type, payload) VALUES ('deposits', 'deposits_told', '{"n": 1}')"""
        )
        await lab.tell("deposits", 2)
        await asyncio.sleep(1.5)
        assert await lab.deliveries(hook) == [], "nothing is told while an older transaction may still add to it"
    assert [d["n"] for d in await delivered(lab, hook, 2)] == [1, 2]


async def test_a_delivery_can_be_repeated_under_the_same_message_id(
    lab: Lab, client: Client, sink: WebhookSink
) -> None:
    admin = await lab.account("admin")
    hook = await lab.webhook(admin, sink.url, ["deposits"])
    await lab.tell("deposits", 1)
    (first,) = await delivered(lab, hook, 1)
    async with transaction(lab.books.pool) as connection:
        fresh = await redeliver(connection, webhook_id=hook, delivery_id=str(first["id"]), principal="test")
    await until(lambda: _ended(client, ids.webhook_delivery(fresh)))
    (again,) = await delivered(lab, hook, 1)
    assert again["id"] == fresh
    assert len(sink.deliveries) == 2
    assert len({d["headers"]["webhook-id"] for d in sink.deliveries}) == 1


async def _terminated(lab: Lab, client: Client, hook: str) -> str:
    """A delivery whose process an operator took out between two attempts; returns its id."""
    await until(lambda: _attempted(lab, hook))
    (row,) = await lab.deliveries(hook)
    await client.get_workflow_handle(ids.webhook_delivery(str(row["id"]))).terminate("an operator")
    return str(row["id"])


async def test_a_terminated_delivery_is_started_again_under_its_id(lab: Lab, client: Client, sink: WebhookSink) -> None:
    """As after a restore, which has everything unfinished dispatched again."""
    admin = await lab.account("admin")
    hook = await lab.webhook(admin, sink.url, ["deposits"])
    refuse(sink, 500, 1000)
    await lab.tell("deposits", 1)
    delivery = await _terminated(lab, client, hook)
    refuse(sink, 500, 0)
    await lab.rows("UPDATE platform.webhook_deliveries SET dispatched_at = NULL WHERE id = %s", delivery)
    (row,) = await delivered(lab, hook, 1)
    assert row["id"] == delivery


async def test_a_terminated_delivery_is_delivered_again_when_an_operator_asks(
    lab: Lab, client: Client, sink: WebhookSink
) -> None:
    admin = await lab.account("admin")
    hook = await lab.webhook(admin, sink.url, ["deposits"])
    refuse(sink, 500, 1000)
    await lab.tell("deposits", 1)
    delivery = await _terminated(lab, client, hook)
    refuse(sink, 500, 0)
    async with transaction(lab.books.pool) as connection:
        asked = {"webhook_id": hook, "delivery_id": delivery, "principal": "test"}
        with pytest.raises(Rejected):
            await redeliver(connection, **asked)
        fresh = await redeliver(connection, **asked, abandoned=True)
    (row,) = await delivered(lab, hook, 1)
    assert row["id"] == fresh


async def _ended(client: Client, workflow_id: str) -> bool:
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:  # not started yet
        return False
    return description.status is WorkflowExecutionStatus.COMPLETED


async def test_a_deleted_webhook_ends_quietly(lab: Lab, client: Client, sink: WebhookSink) -> None:
    admin = await lab.account("admin")
    hook = await lab.webhook(admin, sink.url, ["deposits"])
    refuse(sink, 500, 1000)
    await lab.tell("deposits", 1)
    await until(lambda: _attempted(lab, hook))
    async with transaction(lab.books.pool) as connection:
        await delete_webhook(connection, webhook_id=hook, principal="test")
    await lab.tell("deposits", 2)

    async def failed() -> bool:
        return (await lab.deliveries(hook))[0]["status"] == "failed"

    await until(failed)
    (delivery,) = await lab.deliveries(hook)
    assert delivery["last_error"] == "the webhook was deleted"
    assert await lab.alerts("webhook_failing") == []


async def _attempted(lab: Lab, hook: str) -> bool:
    return any(d["attempts"] for d in await lab.deliveries(hook))


async def test_a_worker_that_dies_between_rows_and_workflows_loses_nothing(
    lab: Lab, temporal: RunningTemporal, sink: WebhookSink, tmp_path: Path
) -> None:
    """Rows are written, no workflow was started; the next fan-out starts it."""
    admin = await lab.account("admin")
    hook = await lab.webhook(admin, sink.url, ["deposits"])
    await lab.tell("deposits", 1)
    while await lab.hooks.fan_out():
        pass
    assert [d["dispatched_at"] for d in await lab.deliveries(hook)] == [None]
    async with working(lab, temporal, make_vault(lab.dsn, tmp_path / "vault")) as client:
        await client.start_workflow(WebhookFanoutWorkflow.run, id="webhook-fanout", task_queue=OPERATIONS)
        await delivered(lab, hook, 1)
