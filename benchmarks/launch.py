"""Launches a minute with the whole saga against a straight script that does the same without durability.

Both have eight launches under way, pin the same files at the same pinning node, and wait for the same commitments of
the same transactions on the same node: token and sale confirmed one after the other, both final at the end. The saga's
processor time is that of its worker with the signer, Temporal and Postgres; the script's is its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from solders.keypair import Keypair

from benchmarks import launch_obvious, launch_worker, report, stage
from composition.launch_policy import launch_policy
from domain.launchpad.cids import cid_of
from domain.launchpad.launching import LaunchPolicy
from domain.launchpad.pictures import Picture
from domain.launchpad.request import SOL, LaunchRequest
from gateways.solana.sale_idl import interface
from localnet.ports import free_port
from localnet.running import RunningPostgres, RunningTemporal, Solo, locked, running_postgres, running_temporal
from localnet.svm.process import SvmProcess
from localnet.svm.programs import PROGRAMS, airdrop, configure_pools
from localnet.upstreams.process import UpstreamsProcess
from settings import SignerSettings
from storage.accounts import add_account
from storage.database import Pool, make_pool, transaction
from storage.intents.launches import open_launch
from storage.intents.opened import mark_dispatched
from storage.intents.pictures import keep_picture
from workflows import client as temporal
from workflows.client import Processes

LAUNCHES: Final = int(os.environ.get("LAUNCH_LAUNCHES", "16"))
ROUNDS: Final = 3
AT_ONCE: Final = 8
TARGET: Final = 0.5
FLOAT: Final = 1_000 * SOL


@dataclass
class Place:
    """What both sides share: a node and a pinning node, a wallet, the platform's terms, what is asked for."""

    rpc_url: str
    ipfs_url: str
    wallet: Keypair
    policy: LaunchPolicy
    request: LaunchRequest


@asynccontextmanager
async def outside(directory: Path) -> AsyncIterator[tuple[SvmProcess, UpstreamsProcess]]:
    """Solana with our programs, and the pinning node, each a process."""
    node = SvmProcess(
        directory / "solana", (free_port(), free_port()), {p.address: p.elf for p in PROGRAMS.values()}, running=True
    )
    pins = UpstreamsProcess(free_port(), files=directory / "ipfs")
    with locked(directory):
        running = [Solo(node.child(directory / "solana.log")), Solo(pins.child(directory / "pins.log"))]
        try:
            for one in running:
                await one.start()
            yield node, pins
        finally:
            for one in running:
                await one.stop()


def asked_for() -> LaunchRequest:
    return LaunchRequest(
        name="Benchmark",
        symbol="BENCH",
        total_supply=10**18,
        curve_type="exponential",
        initial_price=10**10,
        target_price=10**11,
        soft_cap_lamports=5 * SOL,
        hard_cap_lamports=15 * SOL,
        starts_at=datetime.now(UTC),
        ends_at=datetime.now(UTC) + timedelta(days=30),
        transfer_fee_bps=100,
        creator_wallet=str(Keypair().pubkey()),
    )


class Saga:
    """The product's side: rows as the API writes them, a worker with the signer in a process of its own."""

    def __init__(self, pool: Pool, processes: Processes, place: Place, account: str) -> None:
        self.pool, self.processes, self.place, self.account = pool, processes, place, account
        self.done = 0

    async def round(self) -> float:
        """Seconds for so many launches."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with slots:
                await self._launch(number)

        began = time.monotonic()
        await asyncio.gather(*(one(self.done + number) for number in range(LAUNCHES)))
        self.done += LAUNCHES
        return time.monotonic() - began

    async def _launch(self, number: int) -> None:
        async with transaction(self.pool) as connection:
            pictures = {}
            for name in launch_obvious.PICTURES:
                content = launch_obvious.picture(name, number)
                pictures[name] = await keep_picture(
                    connection,
                    account_id=self.account,
                    picture=Picture("image/png", 512, 512),
                    sha256=hashlib.sha256(content).hexdigest(),
                    cid=cid_of(content),
                    content=content,
                )
            opened = await open_launch(
                connection,
                account_id=self.account,
                request=self.place.request.model_copy(update=pictures),
                policy=self.place.policy,
                requested_by=self.account,
            )
        await self.processes.start(
            "token_launch", opened.subject_id, opened.workflow_id, opened.summary, operation_id=opened.operation_id
        )
        await mark_dispatched(self.pool, opened.operation_id)
        ended = await self.processes.client.get_workflow_handle(opened.workflow_id).result()
        if ended["status"] != "live":
            raise RuntimeError(f"launch {opened.subject_id} ended {ended}")


async def script(place: Place) -> dict[str, float]:
    return await launch_obvious.run(
        {
            "rpc_url": place.rpc_url,
            "ipfs_url": place.ipfs_url,
            "keypair": str(place.wallet),
            "policy": place.policy.model_dump(mode="json"),
            "request": place.request.model_dump(mode="json"),
            "launches": LAUNCHES,
            "at_once": AT_ONCE,
        }
    )


async def check(place: Place, launches: int) -> None:
    """So many sales stand on the chain for good, no more and no less."""
    asked = {"commitment": "finalized", "encoding": "base64", "filters": [{"dataSize": interface().sizes["Sale"]}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "getProgramAccounts", "params": [place.policy.program, asked]}
    async with httpx.AsyncClient() as http:
        found = (await http.post(place.rpc_url, json=body)).json()["result"]
    if len(found) != launches:
        raise RuntimeError(f"{len(found)} sales are final, {launches} were launched")


def spent(pids: list[int]) -> float:
    """Seconds of processor time of these processes and their children."""
    total = 0.0
    for pid in pids:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


async def measure() -> bool:
    speed: list[report.Round] = []
    cost: list[report.Round] = []
    with stage.directory() as directory:
        async with (
            running_postgres(directory / "postgres", durable=True) as server,
            running_temporal(directory / "temporal") as workflows,
            outside(directory) as (node, pins),
        ):
            await _rounds(server, workflows, node, pins, speed, cost)
    lines = [
        report.Line(f"launches a minute, {AT_ONCE} under way", "/min", tuple(speed), target=TARGET),
        report.Line("processor time per launch", "ms", tuple(cost)),
    ]
    note = f"{ROUNDS} rounds of {LAUNCHES} launches on each side, every one live and final"
    return report.show("launch", lines, sides=("saga", "script"), note=note)


async def _rounds(
    server: RunningPostgres, workflows: RunningTemporal, node: SvmProcess, pins: UpstreamsProcess,
    speed: list[report.Round], cost: list[report.Round],
) -> None:  # fmt: skip
    dsn, wallet = await stage.new_database(server, "bench"), Keypair()
    await airdrop(node.rpc_urls[0], str(wallet.pubkey()), FLOAT)
    await configure_pools(node.rpc_urls[0])
    names: dict[str, Any] = {
        "launchpad_program_id": PROGRAMS["launchpad"].address,
        "launchpad_pool_program_id": PROGRAMS["pool"].address,
        "launchpad_budget_lamports": str(SOL),
        "launchpad_open_launches": "1000",
        **pins.ipfs_env(),
    }
    environment = launch_worker.environment(
        dsn, workflows.address, str(wallet.pubkey()), str(wallet), node.rpc_urls, **names
    )
    given: dict[str, Any] = {name.lower(): value for name, value in environment.items()}
    policy = launch_policy(SignerSettings(**given))
    assert policy is not None
    place = Place(node.rpc_urls[0], pins.ipfs_url, wallet, policy, asked_for())
    child = await launch_worker.start_worker(environment)
    try:
        async with make_pool(dsn, size=4, name="bench") as pool:
            async with transaction(pool) as connection:
                account = await add_account(
                    connection, principal="bench", name="bench", role="creator", email=None, password_hash=None
                )
            saga = Saga(pool, Processes(await temporal.connect(workflows.address, "default")), place, account)
            pids = [child.pid, workflows.pid, server.pid]
            for number in range(ROUNDS):
                theirs = await script(place)
                used = spent(pids)
                seconds = await saga.round()
                used = spent(pids) - used
                speed.append(report.faster(60 * LAUNCHES / seconds, 60 * LAUNCHES / theirs["seconds"]))
                cost.append(report.sooner(1000 * used / LAUNCHES, 1000 * theirs["cpu_s"] / LAUNCHES))
                await check(place, 2 * (number + 1) * LAUNCHES)
                print(f"round {number + 1}: saga {seconds:.1f} s, script {theirs['seconds']:.1f} s", flush=True)
    finally:
        child.kill()
        await child.wait()


if __name__ == "__main__":
    report.main(measure)
