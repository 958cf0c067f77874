"""Solana of the embedded stack: the local node with its two RPC ports, or the nodes the environment of `up` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cli.outside import from_environment
from localnet.ports import PortBook
from localnet.supervisor import Supervisor
from localnet.svm.process import SvmProcess

PART: Final = "solana"
NAMES: Final = ("SOLANA_RPC_URL", "SOLANA_WS_URL")
"""Left out, these come from the environment of `up`; without them the settings' defaults hold."""


class LocalSolana:
    """`env` is what workers and the API are given, `endpoints` what stands in endpoints.json (empty when left out)."""

    def __init__(
        self, directory: Path, without: frozenset[str], ports: PortBook, programs: Mapping[str, Path] | None = None
    ) -> None:
        self.env: dict[str, str] = {}
        self.endpoints: dict[str, dict[str, object]] = {}
        self.node: SvmProcess | None = None
        if PART in without:
            self.env |= {name: value for name in NAMES if (value := from_environment(name))}
            return
        numbers = (ports.take("solana-1"), ports.take("solana-2"))
        self.node = SvmProcess(directory / "solana", numbers, programs or {})
        self.env |= self.node.env()
        self.endpoints["solana"] = self.node.endpoints()

    def add(self, supervisor: Supervisor, log: Callable[[str], Path]) -> tuple[str, ...]:
        """Adds the node; returns what the product has to wait for."""
        if self.node is None:
            return ()
        supervisor.add(self.node.child(log("solana")))
        return ("solana",)
