"""Composition root of the workers: settings → storage and gateways → activities → one Temporal worker per queue.

`python worker.py --queues exchange,copytrade,launchpad,operations` or `--queues evm-signer,solana-signer`. Only the
signer reads private keys, and it does nothing else. SIGTERM lets running activities hand over, then the process leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import telemetry
from composition.parts import Parts, connect, open_parts
from composition.queues import Queue, build_queues, wanted_schedules
from domain.shared.processes import COPYTRADE, QUEUES, SIGNERS
from settings import SignerSettings, WorkerSettings, load_file_secrets
from workflows import singletons
from workflows.failures import FailureInterceptor
from workflows.health import WorkerHealth, free_port
from workflows.registry import WORKFLOW_FAILURES

log = structlog.get_logger("worker")

WAITING = 10
"""Copy attempts wait for their moment inside their first task and hold a slot of each kind meanwhile. One without a
slot would be late, and the more are late the fewer slots are free."""


def build_worker(client: Client, name: str, queue: Queue, settings: WorkerSettings, parts: Parts) -> Worker:
    """A worker with the house's tuning: quick failover, pollers for the tasks in flight, sandboxed workflows."""
    pollers = PollerBehaviorSimpleMaximum(maximum=min(10, settings.max_concurrent))
    slots = settings.max_concurrent * (WAITING if name == COPYTRADE else 1)
    return Worker(
        client,
        task_queue=name,
        workflows=queue.workflows,
        activities=queue.activities,
        interceptors=[FailureInterceptor(parts.jobs.alert_broken, parts.jobs.quarantine)],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
        ),
        workflow_failure_exception_types=WORKFLOW_FAILURES,
        max_concurrent_activities=settings.max_concurrent,
        max_concurrent_local_activities=slots,
        max_concurrent_workflow_tasks=slots if name == COPYTRADE else min(100, slots),
        workflow_task_poller_behavior=pollers if queue.workflows else PollerBehaviorSimpleMaximum(maximum=2),
        activity_task_poller_behavior=pollers,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        max_heartbeat_throttle_interval=timedelta(milliseconds=200),
        default_heartbeat_throttle_interval=timedelta(milliseconds=200),
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_s),
        on_fatal_error=_log_fatal,
    )


async def _log_fatal(error: BaseException) -> None:
    log.error("worker_failed", error=repr(error))


@asynccontextmanager
async def stop_signal() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def run(names: list[str]) -> int:
    """Serve the queues until told to stop."""
    load_file_secrets()
    signing = bool(SIGNERS & set(names))
    if signing and set(names) - SIGNERS:
        raise SystemExit("a signer serves signers' queues and nothing else")
    settings = SignerSettings() if signing else WorkerSettings()
    telemetry.configure_logging(settings.log_level, settings.log_format)
    tracing = telemetry.configure_tracing(settings.otlp_endpoint, f"holdfast-{'-'.join(names)}")
    core_port = free_port()
    runtime = Runtime(
        telemetry=TelemetryConfig(
            metrics=PrometheusConfig(
                bind_address=f"127.0.0.1:{core_port}", durations_as_seconds=True, counters_total_suffix=True
            )
        )
    )
    async with contextlib.AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signal())
        client = await connect(settings, runtime, [TracingInterceptor()] if tracing else [])
        parts = await stack.enter_async_context(open_parts(settings, client, "-".join(names)))
        queues = build_queues(settings, parts, names)
        workers = [build_worker(client, name, queue, settings, parts) for name, queue in queues.items()]
        health = WorkerHealth(core_port, list(queues))
        await stack.enter_async_context(health.serve(settings.metrics_host, settings.metrics_port))
        for worker in workers:
            await stack.enter_async_context(worker)
        if not signing:
            listed = wanted_schedules(settings)
            engines = settings.market_engines
            polygon = settings.polygon_chain_id if settings.alchemy_ws_url else 0
            sales = bool(settings.solana_rpc_url and settings.launchpad_program_id)
            await singletons.ensure(
                client, settings.arbitrum_chain_id, listed, names, engines=engines, polygon=polygon, sales=sales
            )
        # modules and parts stay: a full collection that looks through them would hold up the engine's batch
        gc.freeze()
        # workflows run in threads: the event loop, where deadlines are kept, gets its turn back after a millisecond
        sys.setswitchinterval(0.001)
        log.info("worker_started", queues=names)
        await stop.wait()
        log.info("worker_stopping", queues=names)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Holdfast worker")
    known = ", ".join(QUEUES)
    parser.add_argument(
        "--queues", default="exchange,copytrade,launchpad,operations", help=f"comma separated, of: {known}"
    )
    names = [name for name in parser.parse_args().queues.split(",") if name]
    unknown = sorted(set(names) - set(QUEUES))
    if unknown or not names:
        parser.error(f"unknown queues: {', '.join(unknown) or 'none given'}")
    telemetry.run_main(lambda: run(names))


if __name__ == "__main__":
    main()
