"""Web search, language model, IPFS and Arweave of the embedded stack: a local process, or the environment's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from localnet.ports import PortBook
from localnet.process import ChildSpec
from localnet.upstreams.process import UpstreamsProcess

SEARCH: Final = ("SERPER_API_KEY", "SERPER_BASE_URL")
MODEL: Final = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "HUGGINGFACE_API_URL", "HUGGINGFACE_API_KEY")
IPFS: Final = ("IPFS_API", "IPFS_API_URL", "IPFS_API_KEY", "IPFS_GATEWAY_URL")
ARWEAVE: Final = ("ARWEAVE_BUNDLER_URL", "ARWEAVE_GATEWAY_URL", "ARWEAVE_KEYPAIR", "LAUNCHPAD_MIRROR_S")
"""Goes with IPFS, whose files it copies."""

PUBLIC: Final = ("IPFS_GATEWAY_URL", "ARWEAVE_GATEWAY_URL")


class Misuse(Exception):
    """The command line or the environment does not fit; nothing was started."""


def from_environment(name: str) -> str:
    """The value of NAME, else the content of the file NAME_FILE names, else nothing."""
    if os.environ.get(name):
        return os.environ[name]
    file = os.environ.get(f"{name}_FILE")
    return Path(file).read_text(encoding="utf-8").strip() if file else ""


class Outside:
    """What stands in for the internet. `process` is None when every part is left out. `env` goes to the workers,
    `public` of it to the API as well."""

    def __init__(self, directory: Path, without: frozenset[str], ports: PortBook, arweave_keypair: str) -> None:
        local = {"search", "llm", "ipfs"} - without
        self.process = UpstreamsProcess(ports.take("upstreams"), files=directory / "ipfs") if local else None
        self.env: dict[str, str] = {}
        self.urls: dict[str, str] = {}
        if self.process is not None and "search" in local:
            self.env |= self.process.search_env()
            self.urls["search_url"] = self.process.search_url
        else:
            self.env |= _named("search", SEARCH, ("SERPER_API_KEY",))
        if self.process is not None and "llm" in local:
            self.env |= self.process.llm_env()
            self.urls["llm_url"] = self.process.llm_url
        else:
            self.env |= _named("llm", MODEL, ("OPENAI_BASE_URL", "HUGGINGFACE_API_KEY"))
        if self.process is not None and "ipfs" in local:
            self.env |= self.process.ipfs_env() | self.process.arweave_env(arweave_keypair)
            self.urls["ipfs_url"] = self.process.ipfs_url
        else:
            self.env |= _named("ipfs", (*IPFS, *ARWEAVE), ("IPFS_API_URL",))
        self.public: dict[str, str] = {name: self.env[name] for name in PUBLIC if name in self.env}

    def child(self, log: Path) -> list[ChildSpec]:
        """The process, if there is one."""
        return [self.process.child(log)] if self.process is not None else []


def _named(part: str, names: tuple[str, ...], one_of: tuple[str, ...]) -> dict[str, str]:
    """The variables of a part from the environment. Raises: Misuse when none of `one_of` is there."""
    found = {name: value for name in names if (value := from_environment(name))}
    if not any(name in found for name in one_of):
        raise Misuse(f"--without {part} needs {' or '.join(one_of)} in the environment")
    return found
