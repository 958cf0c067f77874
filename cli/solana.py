"""Solana of the embedded stack: the local node with its two RPC ports, or the nodes the environment of `up` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cli.outside import from_environment
from localnet.ports import PortBook
from localnet.supervisor import Step, Supervisor
from localnet.svm.process import SvmProcess
from localnet.svm.programs import PROGRAMS, airdrop, configure_pools

PART: Final = "solana"
NAMES: Final = (
    "SOLANA_RPC_URL",
    "SOLANA_WS_URL",
    "SOLANA_CLUSTER",
    "SOLANA_PLATFORM_ADDRESS",
    "LAUNCHPAD_PROGRAM_ID",
    "LAUNCHPAD_POOL_PROGRAM_ID",
)
"""Left out, these come from the environment of `up`; without them the settings' defaults hold."""
FLOAT_LAMPORTS: Final = 1_000 * 10**9
"""What the platform's wallet is given at the first start."""


class LocalSolana:
    """`env` is what workers and the API are given, `endpoints` what stands in endpoints.json (empty when left out),
    `keypair` the platform's key of the environment."""

    def __init__(self, directory: Path, without: frozenset[str], ports: PortBook, platform: str) -> None:
        self.env: dict[str, str] = {}
        self.endpoints: dict[str, dict[str, object]] = {}
        self.node: SvmProcess | None = None
        self.keypair = from_environment("SOLANA_PLATFORM_KEYPAIR") if PART in without else ""
        self._platform = platform
        if PART in without:
            self.env |= {name: value for name in NAMES if (value := from_environment(name))}
            return
        numbers = (ports.take("solana-1"), ports.take("solana-2"))
        self.node = SvmProcess(directory / "solana", numbers, {p.address: p.elf for p in PROGRAMS.values()})
        self.env |= self.node.env()
        self.env |= {
            "SOLANA_CLUSTER": "localnet",
            "SOLANA_PLATFORM_ADDRESS": platform,
            "LAUNCHPAD_SOFT_CAP_LEAST_LAMPORTS": "1",  # local SOL costs nobody anything
            "LAUNCHPAD_PROGRAM_ID": PROGRAMS["launchpad"].address,
            "LAUNCHPAD_POOL_PROGRAM_ID": PROGRAMS["pool"].address,
        }
        programs = {name: program.address for name, program in PROGRAMS.items()}
        self.endpoints["solana"] = {**self.node.endpoints(), "programs": programs}

    def add(self, supervisor: Supervisor, log: Callable[[str], Path]) -> tuple[str, ...]:
        """Adds the node, the platform's float and the pools' configuration; returns what the product waits for."""
        if self.node is None:
            return ()
        supervisor.add(self.node.child(log("solana")))
        supervisor.add(Step(name="launchpad", run=self._set_up, needs=("solana",)))
        return ("launchpad",)

    async def _set_up(self) -> None:
        assert self.node is not None
        url = self.node.rpc_urls[0]
        await airdrop(url, self._platform, FLOAT_LAMPORTS)
        await configure_pools(url)
