"""Golden histories of the launchpad's upkeep: books that agree and books that do not, a tax cycle with and without
anything due, and one that somebody else was faster than."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from temporalio.client import WorkflowHandle

from composition.parts import open_parts
from domain.launchpad.reconcile import Reconcile
from domain.launchpad.sale import Recipients, SaleKeys
from domain.launchpad.tax_cycle import TaxCycle
from domain.shared.processes import LAUNCHPAD, SOLANA_SIGNER
from localnet.svm.programs import PROGRAMS
from tests.svm_lab import SOL
from tests.upkeep_lab import InProcess, Upkeep, upkeep_over
from tests.world import World
from tests.world.svm import running_svm

LEAST = 10_000_000


@asynccontextmanager
async def launchpad_world(world: World) -> AsyncIterator[Upkeep]:
    """The launchpad is served on a local Solana with our programs, whose slots are soon final; the signer not yet."""
    before, wallet = (world.settings, world.parts), Keypair()
    programs = {Pubkey.from_string(program.address): program.elf for program in PROGRAMS.values()}
    async with running_svm(running=True, programs=programs) as svm:
        given = {
            "solana_rpc_url": tuple(svm.urls),
            "solana_cluster": "localnet",
            "solana_platform_address": str(wallet.pubkey()),
            "solana_platform_keypair": str(wallet),
            "solana_max_rps": 1_000,
            "launchpad_program_id": PROGRAMS["launchpad"].address,
            "launchpad_pool_program_id": PROGRAMS["pool"].address,
        }
        world.settings = type(world.settings).model_validate(world.settings.model_dump() | given)
        dsn = world.settings.database_url.get_secret_value()
        hurrying = asyncio.create_task(_hurry(InProcess(svm)))
        try:
            async with (
                upkeep_over(dsn, svm.urls, InProcess(svm), wallet) as opened,
                open_parts(world.settings, world.client, "solana") as world.parts,
                world.workers(LAUNCHPAD),
            ):
                yield opened
        finally:
            hurrying.cancel()
    world.settings, world.parts = before


async def _hurry(chain: InProcess) -> None:
    """Finality need not be waited for."""
    while True:
        await asyncio.sleep(0.5)
        await chain.finalize()


async def upkeep_of_sales(world: World) -> dict[str, str]:
    async with launchpad_world(world) as sales:
        played = {}

        async def begin(kind: str, path: str, argument: BaseModel) -> WorkflowHandle[Any, Any]:
            name = f"{kind}/{path}"
            played[name] = f"golden:{name}"
            return await world.client.start_workflow(
                kind, argument, id=played[name], task_queue=LAUNCHPAD, static_summary=path
            )

        async def play(kind: str, path: str, argument: BaseModel) -> None:
            await asyncio.wait_for((await begin(kind, path, argument)).result(), 90)

        cycle = TaxCycle(least_lamports=LEAST)
        await play("TaxDistribution", "nothing_is_due", cycle)
        keys, sale = await sales.latched(20 * SOL)
        await play("LaunchpadReconcile", "agrees", Reconcile())
        await sales.change("UPDATE launchpad.sales SET sold = sold - 1 WHERE id = %s", sale.sale_id)
        await play("LaunchpadReconcile", "differs", Reconcile())
        await sales.change("UPDATE launchpad.sales SET sold = sold + 1 WHERE id = %s", sale.sale_id)
        handle = await begin("TaxDistribution", "somebody_else_paid_out", cycle)
        await world.until(lambda: sales.rows("SELECT 1 FROM launchpad.transactions"), bool)
        await pay_out(sales, keys)
        async with world.workers(SOLANA_SIGNER):
            await asyncio.wait_for(handle.result(), 90)
            await sales.buy(keys, await sales.wallet(), 5 * SOL)
            await sales.look()
            await play("TaxDistribution", "paid_and_burned", cycle)
    return played


async def pay_out(sales: Upkeep, keys: SaleKeys) -> None:
    """Anybody may."""
    state = await sales.desk.state(keys)
    recipients = Recipients.model_validate({name: getattr(state, name) for name in Recipients.model_fields})
    await sales.desk.send(sales.platform, sales.desk.program.distribute(keys, recipients))


async def main() -> None:
    """Only these: `python -m tests.workflows.record_upkeep`."""
    from localnet.running import running_postgres
    from storage.migrate import upgrade
    from tests.workflows.record_histories import _record as record

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with running_postgres(Path(name) / "postgres") as postgres:
            upgrade(postgres.dsn)
            async with World.open(postgres.dsn, Path(name) / "world") as world:
                await record(world, await upkeep_of_sales(world))


if __name__ == "__main__":
    asyncio.run(main())
