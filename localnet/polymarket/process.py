"""How the stack runs the local venue: one child process of the supervisor."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from localnet.ports import HOST
from localnet.probes import http_ok
from localnet.process import ChildSpec

ROOT = Path(__file__).resolve().parents[2]
DEEDS_A_MINUTE = 12.0
ROUND_S = 900


@dataclass
class VenueProcess:
    """One process on one port; what it remembers is in its directory. `polygon_url`: where its deeds are mined."""

    directory: Path
    port: int
    seed: int = 1
    polygon_url: str = ""
    deeds_a_minute: float = DEEDS_A_MINUTE
    round_s: int = ROUND_S

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def urls(self) -> dict[str, str]:
        """What stands in endpoints.json."""
        return {
            "control_url": f"{self.url}/control",
            "data_api_url": f"{self.url}/data",
            "clob_url": f"{self.url}/clob",
            "gamma_url": f"{self.url}/gamma",
            "market_ws_url": f"ws://{HOST}:{self.port}/ws/market",
        }

    def env(self) -> dict[str, str]:
        """What the product is given."""
        urls = self.urls()
        return {
            "POLYMARKET_DATA_API_BASE_URL": urls["data_api_url"],
            "POLYMARKET_CLOB_BASE_URL": urls["clob_url"],
            "POLYMARKET_GAMMA_BASE_URL": urls["gamma_url"],
            "POLYMARKET_MARKET_WS_URL": urls["market_ws_url"],
        }

    def child(self, log: Path | None, needs: tuple[str, ...] = ()) -> ChildSpec:
        """How the supervisor runs it. Books, faults and settings are gone after a restart, deeds are not."""
        argv = [sys.executable, "-m", "localnet.polymarket", "--port", str(self.port), "--seed", str(self.seed)]
        argv += ["--directory", str(self.directory), "--deeds-a-minute", str(self.deeds_a_minute)]
        argv += ["--round-s", str(self.round_s), "--polygon", self.polygon_url]
        return ChildSpec(
            name="venue",
            group="venue",
            argv=tuple(argv),
            env={
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin")),
                "TZ": "UTC",
                "MALLOC_ARENA_MAX": "1",
            },
            cwd=ROOT,
            log=log,
            ready=http_ok(f"{self.url}/health"),
            needs=needs,
            stop_timeout=3.0,
        )
