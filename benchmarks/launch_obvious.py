"""The straight script: the same files pinned and the same transactions landed, nothing written down in between.

`python -m benchmarks.launch_obvious` reads {"rpc_url", "ipfs_url", "keypair", "policy", "request",
"launches", "at_once"} on standard input, and answers {"seconds", "cpu_s"} when all launches are final.
"""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import httpx
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from domain.launchpad import transactions
from domain.launchpad.launching import Launch, LaunchPolicy
from domain.launchpad.metadata import Pinned, metadata_of, uri_of
from domain.launchpad.request import LaunchRequest
from domain.launchpad.steps import CURVE, MINT
from gateways.solana.launching import LaunchWire

PICTURES: Final = ("logo", "banner")
SIZE: Final = 40_000
POLL_S: Final = 0.2
AGAIN_S: Final = 2.0
GATEWAY: Final = "https://ipfs.example/ipfs"


def picture(name: str, number: int) -> bytes:
    """40 kB that no other launch has: a picture as far as a pinning node can tell."""
    return (f"{name} {number} ".encode() * SIZE)[:SIZE]


class Script:
    """What somebody would write who trusts that nothing dies."""

    def __init__(self, told: Mapping[str, Any], http: httpx.AsyncClient) -> None:
        self.http, self.rpc_url, self.ipfs_url = http, told["rpc_url"], told["ipfs_url"]
        self.wallet = Keypair.from_base58_string(told["keypair"])
        self.wire = LaunchWire(LaunchPolicy.model_validate(told["policy"]))
        self.request = LaunchRequest.model_validate(told["request"])

    async def launch(self, number: int) -> None:
        """One token, from its pictures to its sale; both transactions final."""
        pinned = {name: Pinned(await self._pin(picture(name, number)), "image/png") for name in PICTURES}
        metadata = metadata_of(self.request, pinned, GATEWAY).model_dump_json().encode()
        launch = Launch(
            id=str(uuid4()),
            request=self.request,
            cluster="localnet",
            signing="platform",
            creator_wallet=self.request.creator_wallet,
            status="running",
            step=MINT.name,
            mint_seed=uuid4().hex,
            metadata_uri=uri_of(GATEWAY, await self._pin(metadata)),
        )
        signatures = [await self._land(self.wire.plan(launch, step).instructions) for step in (MINT, CURVE)]
        await self._until(signatures, "finalized")

    async def _pin(self, content: bytes) -> str:
        files = {"file": ("file", content, "application/octet-stream")}
        asked = {"cid-version": "1", "raw-leaves": "true", "pin": "true"}
        answer = await self.http.post(f"{self.ipfs_url}/api/v0/add", params=asked, files=files)
        answer.raise_for_status()
        return str(answer.json()["Hash"])

    async def _land(self, planned: Sequence[transactions.Instruction]) -> str:
        """Sent again until it is confirmed."""
        recent = await self._rpc("getLatestBlockhash", {"commitment": "confirmed"})
        blockhash = Hash.from_string(recent["value"]["blockhash"])
        message = MessageV0.try_compile(self.wallet.pubkey(), [_built(one) for one in planned], [], blockhash)
        raw = base64.b64encode(bytes(VersionedTransaction(message, [self.wallet]))).decode()
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        signature = str(await self._rpc("sendTransaction", raw, options))
        await self._until([signature], "confirmed", raw, options)
        return signature

    async def _until(self, signatures: list[str], level: str, *again: Any) -> None:
        levels = ("confirmed", "finalized")[("confirmed", "finalized").index(level) :]
        sent = time.monotonic()
        while True:
            found = (await self._rpc("getSignatureStatuses", signatures))["value"]
            if any(one is not None and one["err"] is not None for one in found):
                raise RuntimeError(f"failed on the chain: {found}")
            if all(one is not None and one["confirmationStatus"] in levels for one in found):
                return
            if again and time.monotonic() - sent > AGAIN_S:
                await self._rpc("sendTransaction", *again)
                sent = time.monotonic()
            await asyncio.sleep(POLL_S)

    async def _rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        told = (await self.http.post(self.rpc_url, json=body)).json()
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']}")
        return told["result"]


def _built(one: transactions.Instruction) -> Instruction:
    metas = [AccountMeta(Pubkey.from_string(m.address), m.signer, m.writable) for m in one.accounts]
    return Instruction(Pubkey.from_string(one.program), base64.b64decode(one.data), metas)


async def play(told: Mapping[str, Any]) -> dict[str, float]:
    slots = asyncio.Semaphore(int(told["at_once"]))
    async with httpx.AsyncClient(timeout=30) as http:
        script = Script(told, http)

        async def one(number: int) -> None:
            async with slots:
                await script.launch(number)

        used, began = _cpu(), time.monotonic()
        await asyncio.gather(*(one(number) for number in range(int(told["launches"]))))
        return {"seconds": time.monotonic() - began, "cpu_s": _cpu() - used}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def run(told: Mapping[str, Any]) -> dict[str, float]:
    """In a process of its own, so that its processor time is its own."""
    command = [sys.executable, "-m", "benchmarks.launch_obvious"]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    answer, _ = await child.communicate(json.dumps(told).encode())
    if child.returncode:
        raise RuntimeError("the script failed")
    found: dict[str, float] = json.loads(answer)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(json.loads(sys.stdin.read())))))
