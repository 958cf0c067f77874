"""The queue `operations`: dispatcher, webhooks, backups, checks, retention."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from activities.operations.backup import BackupActivities, DrillActivities
from activities.operations.checks import LedgerCheckActivities
from activities.operations.dispatch import DispatchActivities
from activities.operations.processes import ProcessCheckActivities
from activities.operations.retention import RetentionActivities
from activities.operations.webhooks import WebhookActivities
from composition.corrections import corrections
from composition.parts import Parts
from domain.shared import ids
from gateways.backup import Vault, VaultConfig
from gateways.pgtools import PgTools
from settings import WorkerSettings
from storage.backup_runs import BackupRuns
from storage.checks import LedgerCheckStore
from storage.jobs import Undispatched
from storage.open_processes import OpenProcesses
from storage.retention import RetentionStore
from storage.scratch import ScratchDatabases
from storage.webhooks import WaitingDelivery, WebhookStore


def operations(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of this queue."""
    dsn, vault = settings.database_url.get_secret_value(), make_vault(settings)
    backup = BackupActivities(vault, BackupRuns(opened.books, dsn))
    drill = DrillActivities(vault, ScratchDatabases(dsn))
    checks = LedgerCheckActivities(LedgerCheckStore(opened.books, dsn))
    processes = ProcessCheckActivities(OpenProcesses(opened.books), opened.processes.running, opened.processes.state)
    retention = RetentionActivities(RetentionStore(opened.books, settings.tick_days, settings.launchpad_asset_days))
    return [
        make_dispatch(opened).dispatch,
        *(backup.open_run, backup.note_step, backup.close_run, backup.write_archive, backup.verify_archive),
        *(backup.publish_archive, backup.discard_archive, backup.prune_archives),
        *(drill.choose_archive, drill.restore_scratch, drill.check_scratch, drill.check_workflow_store),
        drill.drop_scratch,
        *(checks.check_ledger, checks.record_ledger_check),
        *(processes.find_gone, processes.record_gone),
        *(retention.apply_retention, retention.record_retention),
        *make_webhooks(opened),
        *corrections(opened),
    ]


def make_vault(settings: WorkerSettings) -> Vault:
    """Where backups go, what goes into them, and the key."""
    return Vault(
        VaultConfig(
            directory=settings.backup_dir,
            key=settings.backup_key.get_secret_value(),
            app_version=version("holdfast"),
            database_url=settings.database_url.get_secret_value(),
            keep=settings.backup_keep,
            temporal_db_file=settings.temporal_db_file,
            temporal_db_dsn=settings.temporal_db_dsn.get_secret_value(),
            data_dirs=(Path(settings.data_dir),) if settings.data_dir else (),
        ),
        PgTools(settings.pg_bin_dir),
    )


def make_webhooks(opened: Parts) -> list[Callable[..., Any]]:
    async def start(delivery: WaitingDelivery) -> None:
        await opened.processes.start(
            "webhook_delivery",
            delivery.delivery_id,
            ids.webhook_delivery(delivery.delivery_id),
            delivery.summary,
            account_id=delivery.account_id,
        )

    webhooks = WebhookActivities(WebhookStore(opened.books), opened.sender, start, opened.listener.listen)
    return [webhooks.fan_out, webhooks.deliver, webhooks.record_attempt]


def make_dispatch(opened: Parts) -> DispatchActivities:
    async def start(intent: Undispatched) -> None:
        await opened.processes.start(
            intent.kind,
            intent.subject_id,
            intent.workflow_id,
            intent.summary,
            operation_id=intent.operation_id,
            account_id=intent.account_id,
        )

    return DispatchActivities(opened.jobs, start, opened.listener.listen)
