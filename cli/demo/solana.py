"""The local Solana as the demo's people touch it: wallets with SOL, signatures, the chain's own word, its clock."""

from __future__ import annotations

import asyncio
import base64
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self, TypeVar

import httpx
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from cli.demo.client import until
from domain.shared.errors import Broken

SOL: Final = 10**9
_PROCESSED: Final = {"commitment": "processed"}
_PACE_S: Final = 1.5
"""Slower than that by far a blockhash runs out: 32 slots of 150 pass at a time."""
Found = TypeVar("Found")


class Solana:
    """The node of endpoints.json, and its control side: a demo need not wait for 32 slots."""

    def __init__(self, endpoints: dict[str, Any]) -> None:
        self._url = str(endpoints["rpc_urls"][0])
        self._control = str(endpoints["control_urls"][0])
        self._node = httpx.AsyncClient(timeout=20)
        self._hurried = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._node.aclose()

    async def rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        found = (await self._node.post(self._url, json=body)).json()
        if "error" in found:
            raise Broken("internal_error", f"{method}: {found['error']}")
        return found["result"]

    async def wallet(self, sol: int) -> Keypair:
        """A new wallet with so many SOL from the faucet."""
        made = Keypair()
        await self.rpc("requestAirdrop", str(made.pubkey()), sol * SOL)
        return made

    async def lamports(self, address: str) -> int:
        found: int = (await self.rpc("getBalance", address, _PROCESSED))["value"]
        return found

    async def tokens(self, account: str) -> int:
        """Base units in a token account; none when it is not there."""
        data = await self.data(account)
        return int(struct.unpack_from("<Q", data, 64)[0]) if data else 0

    async def data(self, address: str) -> bytes | None:
        """What an account holds; None when it is not there."""
        found = (await self.rpc("getAccountInfo", address, {"encoding": "base64", **_PROCESSED}))["value"]
        return None if found is None else base64.b64decode(found["data"][0])

    async def landed(self, signature: str) -> int:
        """The slot it is in; it is on the chain and did what it should."""
        found = (await self.rpc("getSignatureStatuses", [signature], {"searchTransactionHistory": True}))["value"][0]
        assert found is not None, f"{signature} is not on the chain"
        assert found["err"] is None, f"{signature} failed: {found['err']}"
        return int(found["slot"])

    async def now(self) -> int:
        """Unix time by the chain's clock."""
        return int((await self._tell("warp", slots=0))["unix_timestamp"])

    async def pass_until(self, unix: int) -> None:
        """The chain's clock goes on to this moment; it never goes back."""
        if await self.now() < unix:
            await self._tell("warp", to=unix)

    async def finalize(self) -> None:
        """What landed so far is final."""
        await self._tell("finalize")

    async def until(self, look: Callable[[], Awaitable[Found | None]], what: str) -> Found:
        """Ask until there is an answer, while the chain hurries, whoever else waits. Raises: TimeoutError."""

        async def hurry() -> None:
            while True:
                await asyncio.sleep(_PACE_S / 5)
                if time.monotonic() - self._hurried > _PACE_S:
                    self._hurried = time.monotonic()
                    await self.finalize()

        hurrying = asyncio.create_task(hurry())
        try:
            return await until(look, what)
        finally:
            hurrying.cancel()

    async def _tell(self, verb: str, **asked: Any) -> dict[str, Any]:
        answer = await self._node.post(f"{self._control}/{verb}", json=asked)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def signed(transaction_base64: str, wallet: Keypair) -> str:
    """The transaction with the wallet's signature in its place; others stay as they are."""
    issued = VersionedTransaction.from_bytes(base64.b64decode(transaction_base64))
    needed = issued.message.account_keys[: issued.message.header.num_required_signatures]
    signatures = list(issued.signatures)
    signatures[needed.index(wallet.pubkey())] = wallet.sign_message(to_bytes_versioned(issued.message))
    return base64.b64encode(bytes(VersionedTransaction.populate(issued.message, signatures))).decode()


def signature_of(transaction_base64: str) -> str:
    """What the chain calls it: the payer's signature."""
    return str(VersionedTransaction.from_bytes(base64.b64decode(transaction_base64)).signatures[0])
