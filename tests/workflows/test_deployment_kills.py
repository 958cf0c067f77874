"""A program onto the chain while its worker is killed at every piece: each effect once, and it goes on where it was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from domain.launchpad import deployment
from domain.launchpad.deployment import Effect
from domain.shared.processes import RetryProcess
from gateways.solana.loader import LoaderProgram
from localnet.running import RunningTemporal, running_temporal
from localnet.temporal import binary
from storage.database import transaction
from storage.events import new_id
from storage.intents.deployments import NewDeployment, ask_to_cancel, open_deployment
from storage.intents.opened import Opened
from tests.launch_lab import LaunchLab, launch_lab
from tests.loader_lab import small_elf
from tests.svm_lab import SOL
from workflows import search

PIECES = 6


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


async def opened(lab: LaunchLab, *, final: bool = False) -> Opened:
    """A deployment as the command line opens it."""
    loader, deployment_id = LoaderProgram(lab.platform), new_id()
    asked = NewDeployment(
        deployment_id, "small", "localnet", loader.program_address("small"), loader.buffer_address(deployment_id),
        small_elf(PIECES), final,
    )  # fmt: skip
    async with transaction(lab.pool) as connection:
        made = await open_deployment(connection, asked, "test")
    await lab.processes.start(
        "program_deployment", made.subject_id, made.workflow_id, made.summary, operation_id=made.operation_id
    )
    return made


async def planned(lab: LaunchLab, deployment_id: str) -> dict[str, dict[str, Any]]:
    rows = await lab.rows(
        """SELECT t.key, t.status::text AS status, t.signature,
             (SELECT count(*) FROM launchpad.transaction_attempts a WHERE a.transaction_id = t.id) AS attempts
           FROM launchpad.transactions t WHERE t.subject_id = %s""",
        deployment_id,
    )
    return {row["key"]: row for row in rows}


async def each_once(lab: LaunchLab, made: Opened, effects: list[Effect]) -> None:
    """On the chain itself: so many transactions wrote the buffer, all of them ours and every one successful."""
    plans = await planned(lab, made.subject_id)
    pieces = [deployment.chunk_key(made.subject_id, number, 0) for number in range(PIECES)]
    keys = [deployment.key(made.subject_id, effect) for effect in effects] + pieces
    assert sorted(plans) == sorted(keys)
    landed = await lab.signatures(LoaderProgram(lab.platform).buffer_address(made.subject_id))
    assert [one["err"] for one in landed] == [None] * len(landed)
    on_buffer = {plans[key]["signature"] for key in keys if not key.endswith(Effect.FINAL)}
    assert Counter(one["signature"] for one in landed) == Counter(on_buffer)


async def test_a_worker_killed_at_every_piece_writes_each_once(
    database: str, temporal: RunningTemporal, tmp_path: Path, record_property: Any
) -> None:
    async with launch_lab(database, temporal.address, tmp_path, launchpad_deploy_at_once="1") as lab:
        made = await opened(lab, final=True)
        resumed = []
        steps = [
            deployment.key(made.subject_id, Effect.BUFFER),
            *(deployment.chunk_key(made.subject_id, number, 0) for number in range(PIECES)),
            deployment.key(made.subject_id, Effect.PUBLISH),
            deployment.key(made.subject_id, Effect.FINAL),
        ]
        for step in steps:
            await lab.start_worker()
            serving = time.monotonic()

            async def signed(step: str = step) -> bool:
                if step.endswith(Effect.FINAL):  # its predecessor waits for finality
                    await lab.node.control("finalize")
                return step in (plans := await planned(lab, made.subject_id)) and bool(plans[step]["attempts"])

            await lab.until(signed, bool, every=0.1)
            resumed.append(time.monotonic() - serving)
            await lab.kill()
        await lab.start_worker()
        operation = await lab.operation(made.workflow_id, "completed")
        assert "Published small" in operation["summary"]
        await each_once(lab, made, [Effect.BUFFER, Effect.PUBLISH, Effect.FINAL])
        record_property("resumed_s", [round(seconds, 2) for seconds in resumed])
        print("seconds from serving to the next signature:", *(f"{seconds:.2f}" for seconds in resumed))


async def test_a_cancelled_deployment_closes_its_buffer_and_has_its_rent_back(
    database: str, temporal: RunningTemporal, tmp_path: Path
) -> None:
    async with launch_lab(database, temporal.address, tmp_path, launchpad_deploy_at_once="1") as lab:
        before = await lab.lamports(lab.platform)
        made = await opened(lab)
        await lab.start_worker()
        third = deployment.chunk_key(made.subject_id, 2, 0)

        async def begun() -> bool:
            return third in await planned(lab, made.subject_id)

        await lab.until(begun, bool)
        async with transaction(lab.pool) as connection:
            await ask_to_cancel(connection, made.subject_id, "test")
        await lab.kill()
        await lab.start_worker()
        await lab.operation(made.workflow_id, "cancelled")
        plans = await planned(lab, made.subject_id)
        assert deployment.key(made.subject_id, Effect.PUBLISH) not in plans
        landed = [plan for plan in plans.values() if plan["signature"]]
        assert deployment.key(made.subject_id, Effect.CLOSE) in {plan["key"] for plan in landed}
        assert before - await lab.lamports(lab.platform) == 5_000 * len(landed)
        again = await opened(lab)  # the same program, as if nothing had been
        await lab.operation(again.workflow_id, "completed")


async def test_a_buffer_that_was_taken_from_us_is_left_alone(
    database: str, temporal: RunningTemporal, tmp_path: Path
) -> None:
    """Somebody with the platform's key gave the buffer to another authority: nothing is published from it."""
    async with launch_lab(database, temporal.address, tmp_path, launchpad_deploy_at_once="1") as lab:
        made = await opened(lab)
        buffer = LoaderProgram(lab.platform).buffer_address(made.subject_id)
        await lab.start_worker()
        await lab.until(lambda: lab.lamports(buffer), bool)
        await lab.kill()
        await lab.give_away(buffer)
        await lab.start_worker()
        operation = await lab.operation(made.workflow_id, "needs_operator")
        assert operation["failure_code"] == "deployment_stuck"
        assert deployment.key(made.subject_id, Effect.PUBLISH) not in await planned(lab, made.subject_id)


async def test_a_publication_that_can_never_land_is_parked_and_can_be_undone(
    database: str, temporal: RunningTemporal, tmp_path: Path
) -> None:
    """Somebody sent lamports to where the loader would create the program's data: it refuses that address for ever."""
    async with launch_lab(database, temporal.address, tmp_path) as lab:
        loader = LoaderProgram(lab.platform)
        taken = loader.data_address(loader.program_address("small"))
        await lab.node.control("account", key=taken, lamports=SOL)
        before = await lab.lamports(lab.platform)
        made = await opened(lab)
        await lab.start_worker()
        operation = await lab.operation(made.workflow_id, "needs_operator")
        assert operation["failure_code"] == "deployment_stuck"
        assert await lab.lamports(loader.buffer_address(made.subject_id)) > 0
        async with transaction(lab.pool) as connection:
            await ask_to_cancel(connection, made.subject_id, "test")
        await lab.processes.signal(made.workflow_id, "retry", RetryProcess(cause="test"))
        await lab.operation(made.workflow_id, "cancelled")
        landed = [plan for plan in (await planned(lab, made.subject_id)).values() if plan["signature"]]
        assert before - await lab.lamports(lab.platform) == 5_000 * len(landed)


async def test_a_long_deployment_goes_on_as_a_new_run(database: str, tmp_path: Path) -> None:
    """On a server that suggests it after a few dozen events instead of thousands."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(binary()),
        search_attributes=list(search.ALL),
        dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=50"],
    ) as env:
        address = env.client.service_client.config.target_host
        async with launch_lab(database, address, tmp_path, launchpad_deploy_at_once="2") as lab:
            made = await opened(lab)
            handle = lab.processes.client.get_workflow_handle(made.workflow_id)
            first = (await handle.describe()).run_id
            await lab.start_worker()
            await lab.operation(made.workflow_id, "completed")
            assert (await handle.describe()).run_id != first
            await each_once(lab, made, [Effect.BUFFER, Effect.PUBLISH])
