"""A Temporal server on which days pass in a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from localnet.temporal import binary
from workflows import search
from workflows.client import data_converter


@asynccontextmanager
async def skipping_temporal(*, by_itself: bool = True) -> AsyncIterator[WorkflowEnvironment]:
    """Skips what processes wait for, all the time or, with `by_itself` False, only where a test asks."""
    async with await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=by_itself),
        dev_server_existing_path=str(binary()),
        data_converter=data_converter(),
        search_attributes=list(search.ALL),
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
    ) as env:
        yield env
