"""A small world for the system's own upkeep: real Postgres, real Temporal server, our operations worker."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.operations.backup import BackupActivities, DrillActivities
from activities.operations.checks import LedgerCheckActivities
from activities.operations.processes import ProcessCheckActivities
from activities.operations.retention import RetentionActivities
from activities.operations.webhooks import WebhookActivities
from domain.shared import ids
from domain.shared.events import Event
from domain.shared.ledger import Transfer, available, custody, move
from domain.shared.processes import OPERATIONS
from gateways.backup import Vault, VaultConfig
from gateways.pgtools import PgTools
from gateways.webhooks import WebhookSender, new_secret
from localnet.pg_binaries import locate
from localnet.running import RunningTemporal
from storage.backup_runs import BackupRuns
from storage.books import Books
from storage.checks import LedgerCheckStore
from storage.database import make_pool, transaction
from storage.events import emit, new_id
from storage.intents.webhooks import add_webhook
from storage.jobs import JobStore
from storage.listen import Listener
from storage.open_processes import OpenProcesses
from storage.operations import open_operation
from storage.retention import RetentionStore
from storage.scratch import ScratchDatabases
from storage.webhooks import WaitingDelivery, WebhookStore
from workflows.client import Processes, connect
from workflows.failures import FailureInterceptor
from workflows.operations.backup import BackupWorkflow, RestoreDrillWorkflow
from workflows.operations.checks import LedgerCheckWorkflow, ProcessCheckWorkflow
from workflows.operations.retention import RetentionWorkflow
from workflows.operations.webhooks import WebhookDeliveryWorkflow, WebhookFanoutWorkflow

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(32)).decode()
WORKFLOWS = [
    BackupWorkflow,
    RestoreDrillWorkflow,
    LedgerCheckWorkflow,
    ProcessCheckWorkflow,
    RetentionWorkflow,
    WebhookFanoutWorkflow,
    WebhookDeliveryWorkflow,
]


def tools() -> PgTools:
    return PgTools(str(locate().bin))


def make_vault(dsn: str, directory: Path, **changes: Any) -> Vault:
    base: dict[str, Any] = {"directory": str(directory), "key": KEY, "app_version": "test", "database_url": dsn}
    return Vault(VaultConfig(**{**base, **changes}), tools())


class Lab:
    """One database, our stores on it, and ways to act and look."""

    def __init__(self, dsn: str, books: Books) -> None:
        self.dsn, self.books = dsn, books
        self.jobs = JobStore(books)
        self.hooks = WebhookStore(books)
        self.runs = BackupRuns(books, dsn)
        self.ledger = LedgerCheckStore(books, dsn)
        self.retention = RetentionStore(books)
        self.scratch = ScratchDatabases(dsn)

    async def rows(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        connection = await AsyncConnection.connect(self.dsn, autocommit=True, row_factory=dict_row)
        async with connection:
            cursor = await connection.execute(statement, parameters or None)  # type: ignore[arg-type]
            return await cursor.fetchall() if cursor.description else []

    async def one(self, statement: str, *parameters: object) -> dict[str, Any]:
        (row,) = await self.rows(statement, *parameters)
        return row

    async def account(self, role: str = "trader") -> str:
        row = await self.one(
            "INSERT INTO platform.accounts (id, name, role) VALUES (%s, %s, %s) RETURNING id::text",
            new_id(),
            role,
            role,
        )
        return str(row["id"])

    async def fund(self, account: str, micros: int) -> None:
        async with self.books.begin() as book:
            postings = move("USDC", micros, custody(1, "deposits"), available(account))
            await book.book(Transfer(key=f"test:{new_id()}", kind="test", postings=postings))

    async def webhook(self, account: str, url: str, topics: list[str]) -> str:
        async with transaction(self.books.pool) as connection:
            return await add_webhook(
                connection, account_id=account, url=url, topics=topics, secret=new_secret(), principal="test"
            )

    async def tell(self, topic: str, number: int, account: str | None = None) -> None:
        async with transaction(self.books.pool) as connection:
            await emit(connection, Event(topic=topic, type=f"{topic}_told", payload={"n": number}, account_id=account))

    async def deliveries(self, webhook: str) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT d.id::text, d.status, d.attempts, d.last_error, d.dispatched_at, (o.payload->>'n')::int AS n
               FROM platform.webhook_deliveries d LEFT JOIN platform.outbox o ON o.id = d.event_id
               WHERE webhook_id = %s ORDER BY d.id""",
            webhook,
        )

    async def operation(self, workflow_id: str, *, status: str = "running", seconds_ago: int = 61) -> str:
        """An operation whose process was started so long ago."""
        async with transaction(self.books.pool) as connection:
            operation_id = await open_operation(
                connection, kind="correction", subject_id=new_id(), workflow_id=workflow_id, steps=(), summary="test"
            )
            await connection.execute(
                """UPDATE platform.operations SET status = %s::platform.operation_status,
                     dispatched_at = clock_timestamp() - make_interval(secs => %s) WHERE id = %s""",
                [status, seconds_ago, operation_id],
            )
        return operation_id

    async def dispatched(self, operation_id: str) -> bool:
        row = await self.one(
            "SELECT dispatched_at IS NOT NULL AS done FROM platform.operations WHERE id = %s", operation_id
        )
        return bool(row["done"])

    async def control(self, name: str) -> bool | None:
        found = await self.rows("SELECT enabled FROM platform.controls WHERE name = %s", name)
        return found[0]["enabled"] if found else None

    async def alerts(self, code: str) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT code, subject, severity, detail, times FROM platform.alerts
               WHERE code = %s AND resolved_at IS NULL ORDER BY id""",
            code,
        )

    async def runs_of(self, job: str) -> list[dict[str, Any]]:
        return await self.rows("SELECT ok, detail FROM platform.job_runs WHERE job = %s ORDER BY id", job)


@asynccontextmanager
async def open_lab(dsn: str) -> AsyncIterator[Lab]:
    async with make_pool(dsn, size=5, name="ops-lab") as pool:
        yield Lab(dsn, Books(pool))


@asynccontextmanager
async def working(lab: Lab, temporal: RunningTemporal, vault: Vault) -> AsyncIterator[Client]:
    """Serve the operations queue, as worker.py does."""
    client = await connect(temporal.address, temporal.namespace)
    sender = WebhookSender(allow_private=True, timeout_s=3)
    try:
        async with worker_for(client, lab, vault, sender):
            yield client
    finally:
        await sender.aclose()


def worker_for(client: Client, lab: Lab, vault: Vault, sender: WebhookSender) -> Worker:
    processes = Processes(client)

    async def start(delivery: WaitingDelivery) -> None:
        await processes.start(
            "webhook_delivery",
            delivery.delivery_id,
            ids.webhook_delivery(delivery.delivery_id),
            delivery.summary,
            account_id=delivery.account_id,
        )

    async def report(code: str, subject: str, detail: str) -> None:
        await lab.jobs.alert(code, subject, detail)

    backup = BackupActivities(vault, lab.runs)
    drill = DrillActivities(vault, lab.scratch)
    checks = LedgerCheckActivities(lab.ledger)
    gone = ProcessCheckActivities(OpenProcesses(lab.books), processes.running, processes.state)
    retention = RetentionActivities(lab.retention)
    webhooks = WebhookActivities(lab.hooks, sender, start, Listener(lab.dsn).listen)
    return Worker(
        client,
        task_queue=OPERATIONS,
        workflows=WORKFLOWS,
        activities=[
            backup.open_run,
            backup.note_step,
            backup.close_run,
            backup.write_archive,
            backup.verify_archive,
            backup.publish_archive,
            backup.discard_archive,
            backup.prune_archives,
            drill.choose_archive,
            drill.restore_scratch,
            drill.check_scratch,
            drill.check_workflow_store,
            drill.drop_scratch,
            checks.check_ledger,
            checks.record_ledger_check,
            gone.find_gone,
            gone.record_gone,
            retention.apply_retention,
            retention.record_retention,
            webhooks.fan_out,
            webhooks.deliver,
            webhooks.record_attempt,
        ],
        interceptors=[FailureInterceptor(report, lab.jobs.quarantine)],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
        ),
    )
