"""Golden histories of deployments: a program published, one made final, one undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from solders.keypair import Keypair

from composition.parts import open_parts
from domain.launchpad import deployment
from domain.launchpad.deployment import Effect
from domain.shared import ids
from gateways.solana.loader import LoaderProgram
from storage.database import transaction
from storage.events import new_id
from storage.intents.deployments import NewDeployment, ask_to_cancel, open_deployment
from tests.loader_lab import small_elf
from tests.svm_lab import SOL
from tests.world import World
from tests.world.svm import RunningSvm, running_svm


@asynccontextmanager
async def solana_world(world: World) -> AsyncIterator[RunningSvm]:
    """Launchpad and signer are served on a local Solana, whose slots go by, while the block runs."""
    before, wallet = (world.settings, world.parts), Keypair()
    async with running_svm(running=True) as svm:
        svm.fund(wallet.pubkey(), 100 * SOL)
        given = {
            "solana_rpc_url": tuple(svm.urls),
            "solana_cluster": "localnet",
            "solana_platform_address": str(wallet.pubkey()),
            "solana_platform_keypair": str(wallet),
            "solana_max_rps": 1_000,
            "launchpad_deploy_at_once": 2,
        }
        world.settings = type(world.settings).model_validate(world.settings.model_dump() | given)
        async with (
            open_parts(world.settings, world.client, "solana") as world.parts,
            world.workers("launchpad", "solana-signer"),
        ):
            yield svm
    world.settings, world.parts = before


async def deployments(world: World) -> dict[str, str]:
    async with solana_world(world) as svm:
        hurrying = asyncio.create_task(_hurry(svm))
        published = await opened(world, "small", final=False)
        await ended(world, published)
        final = await opened(world, "other", final=True)
        await ended(world, final)
        undone = await opened(world, "third", final=False)
        buffer = "SELECT 1 FROM launchpad.transactions WHERE key = %s AND status <> 'planned'"
        await world.until(lambda: world.rows(buffer, deployment.key(undone, Effect.BUFFER)), bool)
        async with transaction(world.parts.pool) as connection:
            await ask_to_cancel(connection, undone, "test")
        await ended(world, undone)
        hurrying.cancel()
    return {
        "ProgramDeployment/published": ids.program_deployment(published),
        "ProgramDeployment/made_final": ids.program_deployment(final),
        "ProgramDeployment/undone": ids.program_deployment(undone),
    }


async def _hurry(svm: RunningSvm) -> None:
    """Finality need not be waited for."""
    while True:
        await asyncio.sleep(1)
        svm.finalize()


async def opened(world: World, name: str, *, final: bool) -> str:
    """As the command line does it."""
    loader, deployment_id = LoaderProgram(world.settings.solana_platform_address), new_id()
    program, buffer = loader.program_address(name), loader.buffer_address(deployment_id)
    asked = NewDeployment(deployment_id, name, "localnet", program, buffer, small_elf(5), final)
    async with transaction(world.parts.pool) as connection:
        made = await open_deployment(connection, asked, "test")
    await world.processes.start(
        "program_deployment", made.subject_id, made.workflow_id, made.summary, operation_id=made.operation_id
    )
    return deployment_id


async def ended(world: World, deployment_id: str) -> None:
    handle = world.client.get_workflow_handle(ids.program_deployment(deployment_id))
    await asyncio.wait_for(handle.result(), 90)
