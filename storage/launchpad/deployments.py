"""Programs on their way to the chain: what is to be published, which effects are planned, how it ended."""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.launchpad.deployment import (
    STEPS,
    SUBJECT,
    DeploymentEnded,
    DeploymentFacts,
    Effect,
    ToLand,
    key,
)
from domain.launchpad.transactions import Plan
from domain.shared.errors import Broken, Rejected
from storage.database import Connection, Pool, transaction
from storage.launchpad import transactions
from storage.operations import mark_step, set_operation

_FACTS: Final = """
SELECT d.id AS deployment_id, d.name, d.program_id, d.chunks, d.final,
  d.deployed_at IS NOT NULL OR d.cancelled_at IS NOT NULL AS ended, d.cancelled_at IS NOT NULL AS cancelled,
  EXISTS (SELECT 1 FROM launchpad.transactions t WHERE t.key = %(created)s) AS created,
  EXISTS (SELECT 1 FROM launchpad.transactions t WHERE t.key = %(published)s
    AND (d.cancel_requested_at IS NULL OR (t.status <> 'failed' AND EXISTS (
      SELECT 1 FROM launchpad.transaction_attempts a WHERE a.transaction_id = t.id)))) AS published
FROM launchpad.deployments d WHERE d.id = %(id)s
"""
_UNDER_WAY: Final = """
SELECT t.key FROM launchpad.transactions t WHERE t.key = ANY(%s) AND t.status <> 'failed'
  AND EXISTS (SELECT 1 FROM launchpad.transaction_attempts a WHERE a.transaction_id = t.id)
"""
"""Signed at least, and not failed for good: they may land, or have landed."""


class Program(NamedTuple):
    """What is to be published, and where."""

    name: str
    program_id: str
    buffer: str
    content: bytes
    final: bool


class DeploymentStore:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def facts(self, deployment_id: str) -> DeploymentFacts:
        """Raises: Rejected not_found."""
        values = {
            "id": deployment_id,
            "created": key(deployment_id, Effect.BUFFER),
            "published": key(deployment_id, Effect.PUBLISH),
        }
        async with transaction(self.pool) as connection:
            row = await (await connection.execute(_FACTS, values)).fetchone()
        if row is None:
            raise Rejected("not_found", "no such deployment")
        return DeploymentFacts.model_validate(row)

    async def program(self, deployment_id: str) -> Program:
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(
                "SELECT name, program_id, buffer, content, final FROM launchpad.deployments WHERE id = %s",
                [deployment_id],
            )
            row = await cursor.fetchone()
        if row is None:
            raise Rejected("not_found", "no such deployment")
        return Program(row["name"], row["program_id"], row["buffer"], bytes(row["content"]), row["final"])

    async def newest_slot(self, deployment_id: str) -> int:
        """A node that knows less has not seen everything we know to have landed."""
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(
                """SELECT coalesce(max(slot), 0) AS slot FROM launchpad.transactions
                   WHERE subject_kind = %s AND subject_id = %s""",
                [SUBJECT, deployment_id],
            )
            row = await cursor.fetchone()
        assert row is not None
        slot: int = row["slot"]
        return slot

    async def plan(self, deployment_id: str, step: str, plans: list[Plan]) -> ToLand:
        """Write the plans. Once cancelling was asked for, only what is under way is carried through."""
        keys = tuple(plan.key for plan in plans)
        async with transaction(self.pool) as connection:
            row = await _locked(connection, deployment_id)
            if row["cancel_requested_at"] is not None:
                begun = await _under_way(connection, keys)
                return ToLand(keys=tuple(key for key in keys if key in begun), cancelled=begun != set(keys))
            for plan in plans:
                await transactions.plan(connection, plan)
            await _at(connection, row["operation_id"], step)
        return ToLand(keys=keys)

    async def plan_close(self, deployment_id: str, plan: Plan) -> ToLand:
        """Raises: Broken deployment_stuck for what nobody asked to undo, or what cannot be undone any more."""
        async with transaction(self.pool) as connection:
            row = await _locked(connection, deployment_id)
            published = await _under_way(connection, (key(deployment_id, Effect.PUBLISH),))
            if row["cancel_requested_at"] is None or published:
                raise Broken("deployment_stuck", "its buffer must not be closed")
            await transactions.plan(connection, plan)
        return ToLand(keys=(plan.key,))

    async def reach(self, deployment_id: str, step: str) -> None:
        """Show that it is at this step."""
        async with transaction(self.pool) as connection:
            await _at(connection, (await _locked(connection, deployment_id))["operation_id"], step)

    async def end(self, ended: DeploymentEnded) -> None:
        """Book the outcome."""
        column = "cancelled_at" if ended.cancelled else "deployed_at"
        async with transaction(self.pool) as connection:
            row = await _locked(connection, ended.deployment_id)
            await connection.execute(
                f"UPDATE launchpad.deployments SET {column} = coalesce({column}, clock_timestamp()) WHERE id = %s",
                [ended.deployment_id],
            )
            if ended.cancelled:
                summary = f"Undone: {row['name']} was not published, the buffer's rent is back"
            else:
                summary = f"Published {row['name']} at {row['program_id']}"
            await set_operation(
                connection, ended.operation_id, "cancelled" if ended.cancelled else "completed", summary
            )


async def _locked(connection: Connection, deployment_id: str) -> dict[str, object]:
    cursor = await connection.execute(
        """SELECT name, program_id, cancel_requested_at, operation_id FROM launchpad.deployments WHERE id = %s
           FOR UPDATE""",
        [deployment_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", "no such deployment")
    return row


async def _under_way(connection: Connection, keys: tuple[str, ...]) -> set[str]:
    cursor = await connection.execute(_UNDER_WAY, [list(keys)])
    return {row["key"] for row in await cursor.fetchall()}


async def _at(connection: Connection, operation_id: object, step: str) -> None:
    """The first time a step is reached, those before it are done."""
    if operation_id is None:
        return
    name = str(operation_id)
    cursor = await connection.execute(
        "SELECT name, status::text AS status FROM platform.operation_steps WHERE operation_id = %s", [name]
    )
    statuses = {row["name"]: row["status"] for row in await cursor.fetchall()}
    if statuses.get(step) != "pending":
        return
    for earlier in STEPS[: STEPS.index(step)]:
        if statuses.get(earlier) != "done":
            await mark_step(connection, name, earlier, "done")
    await mark_step(connection, name, step, "running")
