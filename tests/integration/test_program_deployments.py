"""Rows of deployments: one per address, what may be planned after cancelling was asked for, and until when it may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from domain.launchpad import deployment
from domain.launchpad.deployment import STEPS, SUBJECT, DeploymentEnded, Effect
from domain.launchpad.transactions import Plan
from domain.shared.errors import Broken, Rejected
from storage.database import Pool, make_pool, transaction
from storage.events import new_id
from storage.intents.deployments import NewDeployment, ask_to_cancel, open_deployment
from storage.intents.opened import Opened
from storage.launchpad.deployments import DeploymentStore
from storage.operations import set_operation
from storage.reads import deployments as reads
from tests.loader_lab import small_elf

PROGRAM = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"


class Desk(NamedTuple):
    pool: Pool
    store: DeploymentStore

    async def opened(self, program: str = PROGRAM, *, content: bytes | None = None) -> Opened:
        deployment_id = new_id()
        elf = content if content is not None else small_elf(3)
        asked = NewDeployment(deployment_id, "small", "localnet", program, "buffer", elf, False)
        async with transaction(self.pool) as connection:
            return await open_deployment(connection, asked, "ada")

    async def cancel(self, deployment_id: str) -> None:
        async with transaction(self.pool) as connection:
            await ask_to_cancel(connection, deployment_id, "ada")

    async def execute(self, statement: str, *values: object) -> None:
        async with transaction(self.pool) as connection:
            await connection.execute(statement, list(values))  # type: ignore[arg-type]

    async def signed(self, key: str, status: str = "planned") -> None:
        """The signer stored bytes for it."""
        await self.execute(
            """INSERT INTO launchpad.transaction_attempts (transaction_id, number, status, message, raw, blockhash,
                 compute_limit, compute_price_micro_lamports, fee_lamports)
               SELECT id, 1, 'signed', 'm', 'r', 'b', 1, 0, 5000 FROM launchpad.transactions WHERE key = %s""",
            key,
        )
        await self.execute("UPDATE launchpad.transactions SET status = %s WHERE key = %s", status, key)

    async def parked(self, made: Opened) -> None:
        async with transaction(self.pool) as connection:
            await set_operation(connection, made.operation_id, "needs_operator", "deployment_stuck", "deployment_stuck")


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: str) -> AsyncIterator[Desk]:
    async with make_pool(database, size=2, name="test") as pool:
        yield Desk(pool, DeploymentStore(pool))


def plan(made: Opened, key: str) -> Plan:
    return Plan(key=key, subject_kind=SUBJECT, subject_id=made.subject_id, payer="p", instructions=(), most_lamports=1)


def effect(made: Opened, effect: Effect) -> Plan:
    return plan(made, deployment.key(made.subject_id, effect))


async def test_an_address_is_deployed_to_once_unless_that_was_undone(desk: Desk) -> None:
    first = await desk.opened()
    with pytest.raises(Rejected, match="conflict"):
        await desk.opened()
    await desk.opened("another")
    await desk.cancel(first.subject_id)
    await desk.store.end(
        DeploymentEnded(deployment_id=first.subject_id, operation_id=first.operation_id, cancelled=True)
    )
    again = await desk.opened()
    found = await reads.deployment(desk.pool, PROGRAM)
    assert found is not None
    assert (found["id"], found["status"], found["chunks"], found["written"]) == (again.subject_id, "running", 3, 0)
    assert [row["id"] for row in await reads.deployments(desk.pool)][-1] == first.subject_id
    assert (await desk.store.facts(first.subject_id)).cancelled


async def test_what_is_no_program_is_not_opened(desk: Desk) -> None:
    with pytest.raises(Rejected, match="validation_failed"):
        await desk.opened(content=b"#!/bin/sh")
    assert await reads.deployments(desk.pool) == []


async def test_plans_are_written_once_and_show_the_step(desk: Desk) -> None:
    made = await desk.opened()
    for _ in range(2):
        planned = await desk.store.plan(made.subject_id, "buffer", [effect(made, Effect.BUFFER)])
        assert (planned.keys, planned.cancelled) == ((deployment.key(made.subject_id, Effect.BUFFER),), False)
    await desk.store.plan(made.subject_id, "chunks", [plan(made, deployment.chunk_key(made.subject_id, 0, 0))])
    async with transaction(desk.pool) as connection:
        cursor = await connection.execute(
            "SELECT name, status::text AS status, attempts FROM platform.operation_steps WHERE operation_id = %s"
            " ORDER BY position",
            [made.operation_id],
        )
        steps = [(row["name"], row["status"], row["attempts"]) for row in await cursor.fetchall()]
    assert steps == [("buffer", "done", 1), ("chunks", "running", 1), *((name, "pending", 0) for name in STEPS[2:])]
    facts = await desk.store.facts(made.subject_id)
    assert (facts.created, facts.published, facts.ended) == (True, False, False)


async def test_after_cancelling_only_what_is_under_way_is_carried_through(desk: Desk) -> None:
    made = await desk.opened()
    chunks = [plan(made, deployment.chunk_key(made.subject_id, number, 0)) for number in range(3)]
    await desk.store.plan(made.subject_id, "buffer", [effect(made, Effect.BUFFER)])
    await desk.store.plan(made.subject_id, "chunks", chunks[:2])
    await desk.signed(chunks[0].key)
    with pytest.raises(Broken, match="deployment_stuck"):
        await desk.store.plan_close(made.subject_id, effect(made, Effect.CLOSE))
    await desk.cancel(made.subject_id)
    planned = await desk.store.plan(made.subject_id, "chunks", chunks)
    assert (planned.keys, planned.cancelled) == ((chunks[0].key,), True)
    closing = await desk.store.plan_close(made.subject_id, effect(made, Effect.CLOSE))
    assert not closing.cancelled


async def test_a_publication_under_way_cannot_be_cancelled(desk: Desk) -> None:
    made = await desk.opened()
    await desk.store.plan(made.subject_id, "publish", [effect(made, Effect.PUBLISH)])
    with pytest.raises(Rejected, match="not_cancellable"):
        await desk.cancel(made.subject_id)
    await desk.signed(deployment.key(made.subject_id, Effect.PUBLISH))
    await desk.parked(made)
    with pytest.raises(Rejected, match="not_cancellable"):
        await desk.cancel(made.subject_id)
    assert (await desk.store.facts(made.subject_id)).published


@pytest.mark.parametrize("sent", [True, False])
async def test_a_publication_that_failed_can_be_cancelled(desk: Desk, sent: bool) -> None:
    """On the chain, or in the simulation before it was ever signed."""
    made = await desk.opened()
    await desk.store.plan(made.subject_id, "publish", [effect(made, Effect.PUBLISH)])
    if sent:
        await desk.signed(deployment.key(made.subject_id, Effect.PUBLISH), "failed")
    await desk.parked(made)
    assert (await desk.store.facts(made.subject_id)).published  # a retry would publish it
    await desk.cancel(made.subject_id)
    assert not (await desk.store.facts(made.subject_id)).published
    planned = await desk.store.plan(made.subject_id, "publish", [effect(made, Effect.PUBLISH)])
    assert (planned.keys, planned.cancelled) == ((), True)
    await desk.store.plan_close(made.subject_id, effect(made, Effect.CLOSE))


async def test_what_has_ended_cannot_be_cancelled(desk: Desk) -> None:
    made = await desk.opened()
    await desk.store.end(DeploymentEnded(deployment_id=made.subject_id, operation_id=made.operation_id))
    with pytest.raises(Rejected, match="not_cancellable"):
        await desk.cancel(made.subject_id)
    with pytest.raises(Rejected, match="not_found"):
        await desk.cancel(new_id())
