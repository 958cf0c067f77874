"""Compiled contracts as data: ABI, bytecode, and the hash of the source they were compiled from.

The JSON files are written by ``node contracts/compile.mjs`` and committed; a test compares the source hash,
so an edited source without a new artefact fails.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Contract:
    """One compiled contract; ``bytecode`` is the creation code with its 0x prefix."""

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: str
    source_sha256: str
    compiler: str


@lru_cache
def load(name: str) -> Contract:
    """Reads the committed artefact of one contract, for example ``load("LocalUSDC")``."""
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Contract(
        name=data["name"],
        abi=tuple(data["abi"]),
        bytecode=data["bytecode"],
        source_sha256=data["source_sha256"],
        compiler=data["compiler"],
    )


def names() -> list[str]:
    """Every contract that has a source."""
    return sorted(path.stem for path in (FOLDER / "src").glob("*.sol"))


def source_hash(name: str) -> str:
    """SHA-256 of the Solidity source as it stands."""
    return hashlib.sha256((FOLDER / "src" / f"{name}.sol").read_bytes()).hexdigest()
