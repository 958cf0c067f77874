"""The local Solana for tests: in this process with slots that move when told to, or as a process that can be killed.

``async with running_svm() as svm``: ``svm.urls`` two RPC ports, ``svm.ws_urls``, ``svm.fund(key, lamports)``,
``svm.warp(slots=…, seconds=…)``, ``svm.confirm()``, ``svm.finalize()``, ``svm.unconfirm(slots=1)``. Faults of a port:
``svm.fail("sendTransaction", "drop", port=0)``, ``svm.view(port=1, lag=40)``, ``svm.heal()``. Truth:
``svm.account(key)``, ``svm.lamports(key)``, ``svm.tokens(key)``, ``svm.landed(signature)`` (its error or None; raises
KeyError when it is not in the ledger), ``svm.signatures(key)``.

``async with running_svm_process(directory) as process``: the same node as `make demo` runs it, with ``kill`` and
``start``; ``process.control(verb, **asked)``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from solders.account import Account
from solders.pubkey import Pubkey

from localnet.ports import free_port
from localnet.process import ChildSpec
from localnet.running import Solo, locked
from localnet.svm import tokens
from localnet.svm.genesis import RENT_EPOCH
from localnet.svm.process import SvmProcess
from localnet.svm.server import SvmServer

__all__ = ["RunningSvm", "RunningSvmProcess", "running_svm", "running_svm_process"]


class RunningSvm(SvmServer):
    """See the module."""

    @property
    def urls(self) -> list[str]:
        return [port.url for port in self.ports]

    @property
    def ws_urls(self) -> list[str]:
        return [port.ws_url for port in self.ports]

    def fund(self, key: Pubkey, lamports: int) -> None:
        """Sets the balance of a plain wallet."""
        self.ledger.put(key, Account(lamports, b"", Pubkey.default(), False, RENT_EPOCH))

    # Time.

    def warp(self, **asked: Any) -> None:
        """slots=n, seconds=s or to=unix time."""
        self.control.perform("warp", asked)

    def confirm(self) -> None:
        self.control.perform("confirm", {})

    def finalize(self) -> None:
        self.control.perform("finalize", {})

    def unconfirm(self, **asked: Any) -> list[str]:
        """slots=n or signature=…, again=n; returns what was undone."""
        undone: list[str] = self.control.perform("unconfirm", asked)["undone"]
        return undone

    # Faults.

    def fail(
        self, method: str, fault: str, *, port: int = 0, times: int | None = 1, skip: int = 0, **more: Any
    ) -> None:
        self.ports[port].fail(method, fault, times, skip, **more)

    def view(self, *, port: int = 0, **asked: Any) -> None:
        """lag=n, or one of the lies of `localnet.svm.port.Lies`."""
        self.ports[port].port.change(asked)

    def heal(self) -> None:
        for port in self.ports:
            port.port.heal()

    # Truth.

    def account(self, key: Pubkey) -> Account | None:
        return self.ledger.bank.get(key)

    def lamports(self, key: Pubkey) -> int:
        found = self.account(key)
        return 0 if found is None else found.lamports

    def tokens(self, key: Pubkey) -> int:
        """Base units in a token account."""
        holding = tokens.token_account(self.account(key))
        return 0 if holding is None else holding.amount

    def landed(self, signature: str) -> Any:
        row = self.ledger.store.transaction(signature)
        if row is None:
            raise KeyError(signature)
        return None if row.err is None else json.loads(row.err)

    def signatures(self, key: Pubkey) -> list[str]:
        """Of all transactions that name the key, oldest first."""
        return [row.signature for row in self.ledger.store.of(key, 2**62, 0, 2**62, 2**31)][::-1]


@contextlib.asynccontextmanager
async def running_svm(
    directory: Path | None = None, *, running: bool = False, programs: Mapping[Pubkey, Path] | None = None
) -> AsyncIterator[RunningSvm]:
    """A node in this process, in memory unless it is given a directory. `running`: slots of 400 ms."""
    async with RunningSvm(directory=directory, running=running, programs=programs) as svm:
        yield svm


class RunningSvmProcess(Solo):
    """A node of its own process."""

    def __init__(self, node: SvmProcess, spec: ChildSpec) -> None:
        super().__init__(spec)
        self.node = node
        self.urls, self.ws_urls = node.rpc_urls, node.ws_urls

    async def control(self, verb: str, *, port: int = 0, **asked: Any) -> dict[str, Any]:
        """A verb of the control side of a port. Raises AssertionError when it is refused."""
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{self.urls[port]}/control/{verb}", json=asked) as answer:
                told: dict[str, Any] = await answer.json()
                assert answer.status == 200, told
                return told


@contextlib.asynccontextmanager
async def running_svm_process(
    directory: Path, *, running: bool = True, programs: Mapping[str, Path] | None = None
) -> AsyncIterator[RunningSvmProcess]:
    node = SvmProcess(directory / "svm", (free_port(), free_port()), programs or {}, running)
    with locked(directory):
        process = RunningSvmProcess(node, node.child(directory / "svm.log"))
        try:
            await process.start()
            yield process
        finally:
            await process.stop()
