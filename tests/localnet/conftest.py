"""Calls to contracts, and a directory that goes away."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from tests.patience import PATIENCE_S


def encode_call(signature: str, *arguments: Any) -> str:
    """``encode_call("transfer(address,uint256)", to, 5)`` as hex data."""
    types = signature[signature.index("(") + 1 : -1]
    return "0x" + (keccak(signature.encode())[:4] + encode(types.split(",") if types else [], arguments)).hex()


async def eventually(true: Callable[[], object | Awaitable[object]], seconds: float = PATIENCE_S) -> None:
    """Returns when ``true()`` is; what it raises while waiting counts as no."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = true()
            if await value if isinstance(value, Awaitable) else value:
                return
        except Exception:  # a server that is coming up fails in many ways
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory only its owner may enter, as a temporary one is."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-localnet-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
