"""How the stack runs the local upstreams: one child process of the supervisor."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from localnet.ports import HOST
from localnet.probes import http_ok
from localnet.process import ChildSpec

ROOT = Path(__file__).resolve().parents[2]
MODEL = "local-analyst"
KEY = "local"


@dataclass
class UpstreamsProcess:
    """One process on one port; `search_url`, `llm_url` and `ipfs_url` are what the product is given. `files`: where
    the pinning node and the bundler keep their files."""

    port: int
    seed: int = 1
    files: Path | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def search_url(self) -> str:
        return self.url

    @property
    def llm_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def ipfs_url(self) -> str:
        return self.url

    def search_env(self) -> dict[str, str]:
        return {"SERPER_BASE_URL": self.search_url, "SERPER_API_KEY": KEY}

    def llm_env(self) -> dict[str, str]:
        return {"OPENAI_BASE_URL": self.llm_url, "OPENAI_API_KEY": KEY, "OPENAI_MODEL": MODEL}

    def ipfs_env(self) -> dict[str, str]:
        return {"IPFS_API": "kubo", "IPFS_API_URL": self.ipfs_url, "IPFS_GATEWAY_URL": f"{self.ipfs_url}/ipfs"}

    def arweave_env(self, keypair: str) -> dict[str, str]:
        return {
            "ARWEAVE_BUNDLER_URL": self.url,
            "ARWEAVE_GATEWAY_URL": self.url,
            "ARWEAVE_KEYPAIR": keypair,
        }

    def child(self, log: Path | None, needs: tuple[str, ...] = ()) -> ChildSpec:
        """How the supervisor runs it. Moods and faults are gone after a restart, files are not."""
        files = ("--files", str(self.files)) if self.files is not None else ()
        return ChildSpec(
            name="upstreams",
            group="upstreams",
            argv=(
                sys.executable,
                "-m",
                "localnet.upstreams",
                "--port",
                str(self.port),
                "--seed",
                str(self.seed),
                *files,
            ),
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
