"""How the stack runs the local Solana node: one child process of the supervisor with two RPC ports."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localnet.ports import HOST
from localnet.probes import http_ok
from localnet.process import ChildSpec

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class SvmProcess:
    """What it remembers is in its directory. `programs`: ELF files by the address they are to have.

    ``running`` False: slots move only when the control side is told to.
    """

    directory: Path
    ports: tuple[int, int]
    programs: Mapping[str, Path] = field(default_factory=dict)
    running: bool = True

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        return tuple(f"http://{HOST}:{port}" for port in self.ports)

    @property
    def ws_urls(self) -> tuple[str, ...]:
        return tuple(f"ws://{HOST}:{port}" for port in self.ports)

    def endpoints(self) -> dict[str, object]:
        """What stands in endpoints.json."""
        return {
            "rpc_urls": list(self.rpc_urls),
            "ws_url": self.ws_urls[0],
            "ws_urls": list(self.ws_urls),
            "control_urls": [f"{url}/control" for url in self.rpc_urls],
        }

    def env(self) -> dict[str, str]:
        """What the product is given."""
        return {"SOLANA_RPC_URL": ",".join(self.rpc_urls), "SOLANA_WS_URL": ",".join(self.ws_urls)}

    def child(self, log: Path | None, needs: tuple[str, ...] = ()) -> ChildSpec:
        """How the supervisor runs it. Faults, lies and plans are gone after a restart, the ledger is not."""
        argv = [sys.executable, "-m", "localnet.svm", "--directory", str(self.directory)]
        for port in self.ports:
            argv += ["--port", str(port)]
        for address, path in self.programs.items():
            argv += ["--program", f"{address}={path}"]
        if not self.running:
            argv.append("--standing")
        return ChildSpec(
            name="solana",
            group="solana",
            argv=tuple(argv),
            env={
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin")),
                "TZ": "UTC",
                "MALLOC_ARENA_MAX": "1",
            },
            cwd=ROOT,
            log=log,
            ready=http_ok(f"{self.rpc_urls[0]}/health"),
            needs=needs,
            stop_timeout=3.0,
        )
