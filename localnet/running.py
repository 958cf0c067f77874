"""One embedded server at a time, for tests: started in well under two seconds, killed and restarted at will.

``async with running_postgres(directory) as pg`` (also ``running_temporal``, ``running_evm``). The directory is used as
it is: an empty one makes a new server, a used one resumes it. All of them listen on loopback, on a random free port
that stays the same over ``kill`` and ``start``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from localnet.evm import BLOCK_SECONDS, SLOTS_IN_AN_EPOCH, Evm
from localnet.evm_setup import Faucet, set_up_chain
from localnet.files import DirectoryLock, tail, write_atomically
from localnet.jsonrpc import JsonRpc
from localnet.ports import free_port
from localnet.postgres import DATABASE, Postgres
from localnet.process import ChildSpec, end_group, spawn, stop
from localnet.temporal import NAMESPACE, Temporal


class Solo:
    """One process without a supervisor: nothing restarts it but ``start``."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self._process: asyncio.subprocess.Process | None = None
        self._last_error: Exception | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.spec.name} is not running")
        return self._process.pid

    async def start(self) -> None:
        """Starts the server on its old port and files and returns when it answers."""
        if self.spec.prepare is not None:
            await self.spec.prepare()
        self._process = process = await spawn(self.spec)
        deadline = time.monotonic() + self.spec.ready_timeout
        while not await self._answers():
            if process.returncode is not None or time.monotonic() > deadline:
                log = tail(self.spec.log) if self.spec.log else ""
                await self.kill()
                raise RuntimeError(f"{self.spec.name} did not start: {self._last_error}\n{log}")
            await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        try:
            return await self.spec.ready()
        except Exception as error:  # noqa: BLE001 - not answering yet
            self._last_error = error
            return False

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, for example SIGSTOP to make it hang."""
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            end_group(self._process.pid)
            self._process = None

    async def stop(self) -> None:
        """An orderly stop, as the supervisor does it."""
        if self._process is not None:
            if self.spec.settle is not None:
                await self.spec.settle()
            await stop(self._process, self.spec.stop_signal, self.spec.stop_timeout)
            self._process = None


class RunningPostgres(Solo):
    """A server with the empty database ``holdfast`` and one role, a superuser."""

    def __init__(self, server: Postgres, spec: ChildSpec) -> None:
        super().__init__(spec)
        self.server = server
        self.port = server.port
        self.dsn = server.dsn(DATABASE)
        self.bin_dir = server.binaries.bin

    def dsn_of(self, database: str) -> str:
        """The DSN of another database of the same server."""
        return self.server.dsn(database)


class RunningTemporal(Solo):
    """A dev server with the namespace ``default`` and Holdfast's search attributes."""

    namespace = NAMESPACE

    def __init__(self, server: Temporal, spec: ChildSpec) -> None:
        super().__init__(spec)
        self.server = server
        self.address = server.address
        self.ui_url = server.ui_url
        self.metrics_url = server.metrics_url
        self.db_file = server.db_file


class RunningEvm(Solo):
    """A chain with the local USDC. ``rpc(method, *params)`` calls the node, ``faucet`` signs and mints."""

    def __init__(self, server: Evm, spec: ChildSpec, faucet_key: str) -> None:
        super().__init__(spec)
        self.server = server
        self.rpc_url = server.rpc_url
        self.ws_url = server.ws_url
        self.faucet_private_key = faucet_key
        self.usdc_address = ""
        self.rpc = JsonRpc(server.rpc_url)
        self.faucet = Faucet(self.rpc, faucet_key)

    async def mine(self, blocks: int = 1) -> int:
        """Mines blocks now and returns the new head."""
        for _ in range(blocks):
            await self.rpc("evm_mine")
        return await self.head()

    async def head(self) -> int:
        return int(await self.rpc("eth_blockNumber"), 16)

    async def save(self) -> None:
        """Makes sure that a SIGKILL from now on does not go back behind this point."""
        while self.server.keeper is not None and not await self.server.keeper.save():
            pass


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """The directory is ours alone while the block runs."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = DirectoryLock(directory)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def running_postgres(
    directory: Path, *, port: int | None = None, durable: bool = False
) -> AsyncIterator[RunningPostgres]:
    """A Postgres server in ``directory``. ``durable=True`` syncs to disk as the real stack does."""
    with locked(directory):
        server = Postgres(directory, port or free_port(), durable)
        running = RunningPostgres(server, server.child(directory / "postgres.log"))
        await running.start()
        try:
            yield running
        finally:
            await running.stop()


@contextlib.asynccontextmanager
async def running_temporal(
    directory: Path, *, port: int | None = None, codec_endpoint: str | None = None
) -> AsyncIterator[RunningTemporal]:
    """A Temporal dev server in ``directory``, with the dynamic configuration of the real stack."""
    with locked(directory):
        server = Temporal(directory, port or free_port(), free_port(), free_port(), free_port(), codec_endpoint)
        running = RunningTemporal(server, server.child(directory / "temporal.log"))
        await running.start()
        try:
            yield running
        finally:
            await running.stop()


@contextlib.asynccontextmanager
async def running_evm(
    directory: Path,
    *,
    port: int | None = None,
    block_time: float | None = BLOCK_SECONDS,
    slots_in_an_epoch: int = SLOTS_IN_AN_EPOCH,
    state: bool = False,
    usdc: bool = True,
) -> AsyncIterator[RunningEvm]:
    """An anvil chain in ``directory``.

    ``block_time=None`` mines nothing by itself: call ``mine``, or ``evm_setAutomine``. ``state=True`` saves the chain
    as the real stack does, so that it survives ``kill`` and ``start``. ``usdc=False`` leaves the chain empty.
    """
    with locked(directory):
        server = Evm(directory, port or free_port(), block_time, slots_in_an_epoch, state)
        key = directory / "faucet.key"
        if not key.exists():
            write_atomically(key, ("0x" + secrets.token_hex(32)).encode())
        running = RunningEvm(server, server.child(directory / "anvil.log"), key.read_text())
        await running.start()
        keeper = server.keep() if state else None
        try:
            if usdc:
                await _with_usdc(running)
            yield running
        finally:
            await running.stop()
            if keeper is not None:
                await keeper.close()
            await running.rpc.close()


async def _with_usdc(running: RunningEvm) -> None:
    manual = running.server.block_time is None
    if manual:
        await running.rpc("evm_setAutomine", True)
    running.usdc_address = await set_up_chain(running.rpc_url, running.faucet_private_key)
    await running.save()
    if manual:
        await running.rpc("evm_setAutomine", False)
