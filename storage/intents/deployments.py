"""What operators ask about programs: publish one, or undo what is not published yet."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import psycopg

from domain.launchpad.deployment import STEPS, Effect, check_program, count, key
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.events import audit
from storage.intents.opened import Opened
from storage.operations import open_operation


class NewDeployment(NamedTuple):
    """`deployment_id` is chosen by the caller: the buffer's address follows from it."""

    deployment_id: str
    name: str
    cluster: str
    program_id: str
    buffer: str
    content: bytes
    final: bool


async def open_deployment(connection: Connection, asked: NewDeployment, principal: str) -> Opened:
    """Have a program brought onto the chain.

    Raises: Rejected validation_failed, conflict (the address is taken by another deployment).
    """
    check_program(asked.name, asked.content)
    workflow_id = ids.program_deployment(asked.deployment_id)
    summary = f"Publish {asked.name} ({len(asked.content)} bytes) at {asked.program_id} on {asked.cluster}"
    operation_id = await open_operation(
        connection,
        kind="program_deployment",
        subject_id=asked.deployment_id,
        workflow_id=workflow_id,
        steps=STEPS,
        summary=summary,
    )
    digest = hashlib.sha256(asked.content).hexdigest()
    try:
        await connection.execute(
            """INSERT INTO launchpad.deployments (id, name, cluster, program_id, buffer, so_sha256, content, chunks,
                 final, requested_by, operation_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                *(asked.deployment_id, asked.name, asked.cluster, asked.program_id, asked.buffer, digest),
                *(asked.content, count(len(asked.content)), asked.final, principal, operation_id),
            ],
        )
    except psycopg.errors.UniqueViolation as error:
        raise Rejected("conflict", f"{asked.program_id} is deployed to already; choose another name") from error
    await audit(
        connection, principal, "deployment_asked", asked.deployment_id, name=asked.name, sha256=digest,
        program_id=asked.program_id, final=asked.final,
    )  # fmt: skip
    return Opened(asked.deployment_id, operation_id, workflow_id, None, summary)


_LATE: Final = """
SELECT d.deployed_at IS NOT NULL OR d.cancelled_at IS NOT NULL OR EXISTS (
  SELECT 1 FROM launchpad.transactions t WHERE t.key = %(publish)s AND NOT (
    o.status = 'needs_operator' AND (t.status = 'failed' OR NOT EXISTS (
      SELECT 1 FROM launchpad.transaction_attempts a WHERE a.transaction_id = t.id)))) AS late
FROM launchpad.deployments d JOIN platform.operations o ON o.id = d.operation_id
WHERE d.id = %(id)s FOR UPDATE OF d
"""


async def ask_to_cancel(connection: Connection, deployment_id: str, principal: str) -> None:
    """Undo a deployment: effective from the next step on. One that is parked has to be resumed to take notice.

    Raises: Rejected not_found, not_cancellable (it has ended, or its publication is planned and has not failed).
    """
    cursor = await connection.execute(_LATE, {"id": deployment_id, "publish": key(deployment_id, Effect.PUBLISH)})
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", "no such deployment")
    if row["late"]:
        raise Rejected("not_cancellable", "its publication is on its way, or it has ended")
    await connection.execute(
        """UPDATE launchpad.deployments SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
           WHERE id = %s""",
        [deployment_id],
    )
    await audit(connection, principal, "deployment_cancel_asked", deployment_id)
