"""What each task queue serves, and the periodic processes. The wiring of a queue is imported when it is served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from composition.parts import Parts
from domain.shared.processes import COPYTRADE, EVM_SIGNER, EXCHANGE, LAUNCHPAD, OPERATIONS, SOLANA_SIGNER
from settings import WorkerSettings
from workflows import schedules
from workflows.registry import WORKFLOWS


@dataclass
class Queue:
    """What one task queue serves."""

    workflows: list[type[Any]]
    activities: list[Callable[..., Any]]


def build_queues(settings: WorkerSettings, opened: Parts, names: list[str]) -> dict[str, Queue]:
    """What each named queue serves in this process. A queue of an area that is switched off serves nothing."""
    queues = {name: Queue(WORKFLOWS.get(name, []), _WIRING[name](settings, opened)) for name in names}
    return {name: queue for name, queue in queues.items() if queue.activities}


def _exchange(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    from composition.exchange import exchange

    return exchange(settings, opened)


def _copytrade(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    from composition.copytrade import copytrade

    return copytrade(settings, opened)


def _launchpad(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    from composition.launchpad import launchpad

    return launchpad(settings, opened)


def _operations(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    from composition.operations import operations

    return operations(settings, opened)


def _evm_signer(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    from composition.signer import evm_signer

    return evm_signer(settings, opened)


def _solana_signer(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    from composition.solana_signer import solana_signer

    return solana_signer(settings, opened)


_WIRING = {
    EXCHANGE: _exchange,
    COPYTRADE: _copytrade,
    LAUNCHPAD: _launchpad,
    OPERATIONS: _operations,
    EVM_SIGNER: _evm_signer,
    SOLANA_SIGNER: _solana_signer,
}


def wanted_schedules(settings: WorkerSettings) -> list[schedules.Wanted]:
    """The periodic processes this installation should have."""
    return schedules.wanted(
        settings.arbitrum_chain_id,
        custody_interval_s=settings.custody_interval_s,
        check_interval_s=settings.check_interval_s,
        backup_hour_utc=settings.backup_hour_utc,
        backups=bool(settings.backup_dir),
        oracle_interval_s=settings.oracle_interval_s,
        oracle_at_once=settings.oracle_at_once,
        marks_s=settings.copytrade_marks_s,
        snapshots_s=settings.copytrade_snapshots_s,
        settlement_s=settings.copytrade_settlement_s,
        drift_s=settings.copytrade_drift_s,
        markets_s=settings.copytrade_markets_s,
        launchpad=_launchpad_times(settings),
    )


def _launchpad_times(settings: WorkerSettings) -> schedules.LaunchpadTimes | None:
    if not settings.solana_rpc_url or not settings.launchpad_program_id:
        return None
    return schedules.LaunchpadTimes(
        settings.launchpad_reconcile_s,
        settings.launchpad_tax_cycle_s,
        settings.launchpad_tax_least_lamports,
        settings.launchpad_vesting_slice_s,
        mirror_s=settings.launchpad_mirror_s if settings.arweave_bundler_url else 0,
    )
