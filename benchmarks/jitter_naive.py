"""What one writes first: the workflow sleeps the delay, then an activity decides. A worker with the SDK's defaults.

`python -m benchmarks.jitter_naive TEMPORAL_ADDRESS FILE` prints a line when it serves; each decision appends its
lateness in seconds to FILE.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

QUEUE = "naive"


class Decide(BaseModel):
    detected_at: float
    delay_s: float


@activity.defn
async def decide(due: Decide) -> None:
    late = time.time() - due.detected_at - due.delay_s
    with FILE.open("a") as out:
        out.write(f"{late}\n")


@workflow.defn(name="NaiveAttempt")
class NaiveAttempt:
    @workflow.run
    async def run(self, due: Decide) -> None:
        await workflow.sleep(due.delay_s)
        await workflow.execute_activity(decide, due, start_to_close_timeout=timedelta(seconds=10))


FILE = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("/dev/null")


async def connect(address: str) -> Client:
    return await Client.connect(address, data_converter=pydantic_data_converter)


async def serve(address: str) -> None:
    async with Worker(await connect(address), task_queue=QUEUE, workflows=[NaiveAttempt], activities=[decide]):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
