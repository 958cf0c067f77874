"""A small world for corrections: real Postgres, a real Temporal server, our operations worker; no chain."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from temporalio.client import Client, WorkflowHandle

import worker
from composition.corrections import corrections
from composition.queues import Queue
from domain.operations.corrections import CorrectionState, CorrectionVerdict
from domain.shared import ids
from domain.shared.ledger import PLATFORM_TREASURY, WORLD, Line, available, move
from domain.shared.money import USDC as UNIT
from domain.shared.processes import OPERATIONS
from storage.database import transaction
from storage.intents.corrections import open_correction
from storage.intents.opened import Opened
from tests import liquidity_lab
from tests.liquidity_lab import USDC
from workflows import client as temporal
from workflows.registry import WORKFLOWS


class Lab(liquidity_lab.Lab):
    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        queue = Queue(WORKFLOWS[OPERATIONS], corrections(self.parts))
        async with worker.build_worker(self.client, OPERATIONS, queue, self.settings, self.parts):
            yield

    async def treasury(self, micros: int) -> None:
        """Money of the platform's own, to be moved."""
        await self._book(move(UNIT, micros, WORLD, PLATFORM_TREASURY))

    async def ask(self, *lines: Line, by: str, reason: str = "a mistake of ours") -> Opened:  # type: ignore[override]
        async with transaction(self.parts.pool) as connection:
            return await open_correction(connection, reason=reason, lines=lines, requested_by=by)

    async def pay_from_treasury(self, account: str, micros: int, by: str) -> Opened:
        lines: tuple[Line, ...] = ((PLATFORM_TREASURY, UNIT, -micros), (available(account), UNIT, micros))
        return await self.ask(*lines, by=by)

    async def begin(self, opened: Opened) -> WorkflowHandle[Any, CorrectionState]:
        await self.parts.processes.start(
            "correction", opened.subject_id, opened.workflow_id, "test", operation_id=opened.operation_id
        )
        return self.client.get_workflow_handle(opened.workflow_id, result_type=CorrectionState)

    async def decide(self, opened: Opened, by: str, *, approve: bool = True) -> CorrectionState:
        verdict = CorrectionVerdict(principal=by, approve=approve, note="compared")
        return await self.parts.processes.update(
            ids.correction(opened.subject_id), "decide", verdict, CorrectionState, update_id=f"decide:{by}:{approve}"
        )

    async def correction(self, opened: Opened) -> dict[str, Any]:
        return await self.row("SELECT * FROM platform.corrections WHERE id = %s", opened.subject_id)

    async def transfers(self) -> int:
        row = await self.row("SELECT count(*) AS n FROM platform.transfers WHERE kind = 'correction'")
        return int(row["n"])


@asynccontextmanager
async def open_lab(dsn: str, client: Client) -> AsyncIterator[Lab]:
    async with liquidity_lab.open_lab(dsn, client) as lab:
        yield Lab(lab.dsn, lab.client, lab.parts, lab.settings)


async def serve(dsn: str, address: str) -> None:
    """A worker in a process of its own, to be killed."""
    client = await temporal.connect(address, "default")
    async with open_lab(dsn, client) as lab, lab.worker():
        print("ready", flush=True)
        await asyncio.Event().wait()


def worker_process(dsn: str, address: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """A worker for corrections as a child; killed at the end if it still lives."""
    return liquidity_lab.worker_process(dsn, address, "tests.corrections_lab")


__all__ = ["USDC", "Lab", "open_lab", "worker_process"]

if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:3]))
