"""The embedded EVM chain: anvil with the block rhythm and the finality tags of Arbitrum.

What was measured with anvil 1.7.1 and decides the flags:

* anvil keeps every block in memory and writes all of them at every dump (1.5 KB a block), in place: a SIGKILL can leave
  half a file. So its own dumps are not used (the interval is a day, what it writes at its end is thrown away);
  ``evm_state.py`` takes the same dump over RPC, compressed (94 B a block) and with an atomic rename, and lays it out
  for the next start.
* A state per block is kept for calls at past blocks. ``--prune-history N`` would hold 1,500 of them in memory whatever
  N is when blocks come faster than every 2 s (950 MB with 200 accounts after 5,000 blocks); ``--max-persisted-states``
  moves them to files under ``--cache-path`` and memory falls back to 10 (peak 220 MB after 8 minutes, 50 MB later).
* ``--preserve-historical-states`` would make them survive a restart at 120 KB a block: not used. After a restart calls
  at blocks before it fail with BlockOutOfRangeError until new blocks have passed.
* Hardfork cancun: from prague on every block adds a slot to the EIP-2935 contract, which every kept state copies.
* ``--accounts 0``: no unlocked account exists, so everything that moves money is signed.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localnet.evm_state import StateKeeper, restore
from localnet.jsonrpc import JsonRpc
from localnet.ports import HOST
from localnet.process import ChildSpec

CHAIN_ID = 421_614  # Arbitrum Sepolia
BLOCK_SECONDS = 0.25
# anvil brings jemalloc: give freed memory back within a second (it holds on to 200 MB otherwise).
ALLOCATOR = "dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:2"
SLOTS_IN_AN_EPOCH = 16  # safe = head - 16, finalized = head - 32
PAST_STATES = 240

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class AnvilUnavailable(Exception):
    """The anvil program is not installed."""


def binary() -> Path:
    """The program of the npm package of this platform, found without running any install script.

    ``HOLDFAST_ANVIL`` names another one; the last resort is an ``anvil`` on the path.
    """
    named = os.environ.get("HOLDFAST_ANVIL")
    if named:
        return Path(named)
    system = _SYSTEMS.get(platform.system(), platform.system().lower())
    package = f"anvil-{system}-{_MACHINES.get(platform.machine(), platform.machine())}"
    for base in (Path(__file__).resolve().parents[1], Path.cwd()):
        found = base / "node_modules" / "@foundry-rs" / package / "bin" / "anvil"
        if found.exists():
            return found
    on_path = shutil.which("anvil")
    if on_path is None:
        raise AnvilUnavailable(f"anvil is not installed: npm ci --ignore-scripts, or npm install @foundry-rs/{package}")
    return Path(on_path)


@dataclass
class Evm:
    """One embedded chain. ``block_time=None`` mines only on ``evm_mine``; without ``state`` it forgets everything."""

    directory: Path
    port: int
    block_time: float | None = BLOCK_SECONDS
    slots_in_an_epoch: int = SLOTS_IN_AN_EPOCH
    state: bool = True
    on_full: Callable[[], None] | None = None
    keeper: StateKeeper | None = field(default=None, init=False)
    _kept: int = field(default=0, init=False)

    @property
    def rpc_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}"

    @property
    def archive(self) -> Path:
        return self.directory / "state.json.gz"

    @property
    def _loadable(self) -> Path:
        return self.directory / "state.json"

    def argv(self) -> tuple[str, ...]:
        argv = [str(binary()), "--host", HOST, "--port", str(self.port), "--chain-id", str(CHAIN_ID)]
        argv += ["--hardfork", "cancun", "--accounts", "0", "--no-cors", "--quiet"]
        argv += ["--slots-in-an-epoch", str(self.slots_in_an_epoch)]
        argv += ["--max-persisted-states", str(PAST_STATES), "--cache-path", str(self.directory / "cache")]
        argv += ["--no-mining"] if self.block_time is None else ["--block-time", str(self.block_time)]
        if self.state:
            argv += ["--state", str(self._loadable), "--state-interval", "86400"]
        return tuple(argv)

    async def prepare(self) -> None:
        """Clears what a killed node left and lays out the last saved state for the next one."""
        await asyncio.to_thread(self._lay_out)

    def _lay_out(self) -> None:
        shutil.rmtree(self.directory / "cache", ignore_errors=True)
        (self.directory / "cache").mkdir(parents=True)
        self._loadable.unlink(missing_ok=True)
        self._kept = restore(self.archive, self._loadable) if self.state else 0

    async def ready(self) -> bool:
        async with JsonRpc(self.rpc_url, timeout=5) as rpc:
            return int(await rpc("eth_chainId"), 16) == CHAIN_ID

    async def nonce_of(self, address: str) -> int:
        """How many transactions an account has on the chain."""
        async with JsonRpc(self.rpc_url) as rpc:
            return int(await rpc("eth_getTransactionCount", address, "latest"), 16)

    async def settle(self) -> None:
        """Before an orderly stop: no further block, then the state as it stands."""
        if self.keeper is not None:
            await self.keeper.settle()

    def keep(self) -> StateKeeper:
        """Starts saving the state in the background; stop it with ``keeper.close()``."""
        self.keeper = StateKeeper(self.rpc_url, self.ws_url, self.archive, lambda: self._kept, self.on_full)
        self.keeper.start()
        return self.keeper

    def child(self, log: Path | None, needs: tuple[str, ...] = ()) -> ChildSpec:
        """How the supervisor runs it. The state is saved from outside, so nothing is lost by killing it."""
        return ChildSpec(
            name="evm",
            group="evm",
            argv=self.argv(),
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.directory),
                "TZ": "UTC",
                "_RJEM_MALLOC_CONF": ALLOCATOR,
            },
            log=log,
            ready=self.ready,
            prepare=self.prepare,
            settle=self.settle,
            needs=needs,
            stop_signal=signal.SIGINT,  # it then removes its past states; SIGTERM is not handled
            stop_timeout=3.0,
        )
