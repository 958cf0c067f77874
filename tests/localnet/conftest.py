"""Calls to contracts, and a directory that goes away."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak


def encode_call(signature: str, *arguments: Any) -> str:
    """``encode_call("transfer(address,uint256)", to, 5)`` as hex data."""
    types = signature[signature.index("(") + 1 : -1]
    return "0x" + (keccak(signature.encode())[:4] + encode(types.split(",") if types else [], arguments)).hex()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory only its owner may enter, as a temporary one is."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-localnet-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
