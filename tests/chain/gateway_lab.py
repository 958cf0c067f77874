"""A chain of one's own for the gateway tests: anvil that mines when told, the contracts, and a node that misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from contracts import load
from gateways.evm.chain import EvmNode
from gateways.evm.envelopes import Call
from gateways.evm.fallback import FallbackRpc
from gateways.evm.rpc import JsonRpc
from localnet.evm import CHAIN_ID, Evm
from localnet.ports import free_port
from tests.patience import PATIENCE_S

GWEI = 10**9
RICH = 10**24

Odd = tuple[str, str, str, Any]


def call_data(signature: str, *values: Any) -> str:
    """Call data by a signature such as "mint(address,uint256)"."""
    types = signature[signature.index("(") + 1 : -1]
    return "0x" + (keccak(text=signature)[:4] + encode(types.split(",") if types else [], list(values))).hex()


def fresh_address() -> str:
    return str(Account.create().address).lower()


class Lab:
    """One anvil with automine on, three tokens and the contract that moves tokens by internal calls."""

    def __init__(self, evm: Evm, process: asyncio.subprocess.Process) -> None:
        self.evm, self.process = evm, process
        self.rpc = JsonRpc(evm.rpc_url, attempts=1, timeout_s=10, budget_s=10)
        self.user: LocalAccount = Account.create()
        self.usdc = self.hostile = self.caller = ""
        self.odd: list[Odd] = []

    async def quarantine(self, source: str, kind: str, reason: str, payload: Any) -> None:
        self.odd.append((source, kind, reason, payload))

    def node(self, *urls: str, ws_url: str = "", poll_s: float = 0.25, silence_s: float = 10.0) -> EvmNode:
        """The gateway under test, on anvil or on the URLs given. Quick to give up."""
        nodes = [JsonRpc(url, timeout_s=3.0, budget_s=6.0) for url in urls or (self.evm.rpc_url,)]
        return EvmNode(
            FallbackRpc(nodes, quarantine=self.quarantine),
            chain_id=CHAIN_ID,
            token=self.usdc,
            quarantine=self.quarantine,
            ws_url=ws_url,
            poll_s=poll_s,
            silence_s=silence_s,
        )

    async def set_up(self) -> None:
        await self.rpc.call("evm_setAutomine", True)
        await self.rpc.call("anvil_setBalance", self.user.address, hex(RICH))
        deployed = []
        for name in ("LocalUSDC", "HostileToken", "Caller"):
            receipt = await self.receipt(await self.send(None, load(name).bytecode))
            deployed.append(receipt["contractAddress"].lower())
        self.usdc, self.hostile, self.caller = deployed
        await self.mint(self.user.address, 10**12)

    async def mint(self, to: str, amount: int, token: str | None = None) -> str:
        return await self.send(token or self.usdc, call_data("mint(address,uint256)", to, amount))

    async def transfer(self, to: str, amount: int, **options: Any) -> str:
        return await self.send(self.usdc, call_data("transfer(address,uint256)", to, amount), **options)

    async def send(self, to: str | None, data: str = "0x", **options: Any) -> str:
        """Sign as the user, broadcast, return the hash. The gas limit is fixed so that reverts are mined too.

        With automine on it returns once mined: anvil answers the broadcast before its block exists.
        """
        tx_hash = str(await self.rpc.call("eth_sendRawTransaction", await self.signed(to, data, **options)))
        if await self.rpc.call("anvil_getAutomine"):
            await self.receipt(tx_hash)
        return tx_hash

    async def signed(
        self,
        to: str | None,
        data: str = "0x",
        *,
        value: int = 0,
        nonce: int | None = None,
        max_fee: int = 100 * GWEI,
        tip: int = GWEI,
        account: LocalAccount | None = None,
    ) -> str:
        """The raw bytes of a transaction."""
        account = account or self.user
        if nonce is None:
            nonce = int(await self.rpc.call("eth_getTransactionCount", account.address, "pending"), 16)
        fields: dict[str, Any] = {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "gas": 3_000_000,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
            "value": value,
            "data": data,
        }
        if to:
            fields["to"] = bytes.fromhex(to[2:])
        return "0x" + bytes(account.sign_transaction(fields).raw_transaction).hex()

    async def receipt(self, tx_hash: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                receipt: dict[str, Any] | None = await self.rpc.call("eth_getTransactionReceipt", tx_hash)
                if receipt:
                    return receipt
                await asyncio.sleep(0.01)

    async def mine(self, count: int = 1) -> int:
        """Mine blocks and return the head."""
        await self.rpc.call("anvil_mine", hex(count))
        return int(await self.rpc.call("eth_blockNumber"), 16)

    async def head(self) -> int:
        return int(await self.rpc.call("eth_blockNumber"), 16)

    async def reorg(self, depth: int, *put_back: tuple[str, int]) -> None:
        """Replace the newest blocks; `put_back` holds (raw transaction, block offset)."""
        await self.rpc.call("anvil_reorg", depth, [[raw, offset] for raw, offset in put_back])

    async def raw(self, tx_hash: str) -> str:
        return str(await self.rpc.call("eth_getRawTransactionByHash", tx_hash))


@asynccontextmanager
async def chain(directory: Path, *, block_time: float | None = None, set_up: bool = True) -> AsyncIterator[Lab]:
    """Start anvil, yield the lab, end anvil."""
    evm = Evm(directory, free_port(), block_time=block_time, state=False)
    await evm.prepare()
    process = await start(evm)
    lab = Lab(evm, process)
    try:
        if set_up:
            await lab.set_up()
        yield lab
    finally:
        await lab.rpc.aclose()
        if lab.process.returncode is None:
            lab.process.kill()
            await lab.process.wait()


async def start(evm: Evm) -> asyncio.subprocess.Process:
    """Run anvil and wait until it answers."""
    process = await asyncio.create_subprocess_exec(*evm.argv(), stdout=-3, stderr=-3)
    rpc = JsonRpc(evm.rpc_url, attempts=60, budget_s=15)
    try:
        await rpc.call("eth_chainId")
    finally:
        await rpc.aclose()
    return process


Fault = Callable[[list[dict[str, Any]], list[dict[str, Any]]], Awaitable[web.StreamResponse | Any]]
"""(requests, anvil's answers) to what the client gets: a response, or JSON."""


class OddNode:
    """A JSON-RPC server in front of anvil that lets a test change what is answered, and counts requests."""

    def __init__(self, target: str) -> None:
        self.target, self.url = target, ""
        self.fault: Fault | None = None
        self.http_requests = 0
        self.calls: list[Call] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.text())
        batch = asked if isinstance(asked, list) else [asked]
        self.http_requests += 1
        self.calls += [Call(item["method"], tuple(map(str, item["params"]))) for item in batch]
        async with ClientSession() as session, session.post(self.target, json=asked) as response:
            answered = await response.json(content_type=None)
        if self.fault:
            answers = answered if isinstance(answered, list) else [answered]
            changed = await self.fault(batch, answers)
            if isinstance(changed, web.StreamResponse):
                return changed
            answered = changed
        return web.json_response(answered)


@asynccontextmanager
async def odd_node(target: str) -> AsyncIterator[OddNode]:
    """Serve an OddNode on a free port."""
    node = OddNode(target)
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/", node.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    node.url = f"http://127.0.0.1:{port}"
    try:
        yield node
    finally:
        await runner.cleanup()


def answers_with(make: Any, *, times: int = 10**9) -> Fault:
    """A fault that replaces the first `times` answers."""
    left = [times]

    async def fault(_asked: list[dict[str, Any]], answers: list[dict[str, Any]]) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            return make(answers)
        return answers if len(answers) > 1 else answers[0]

    return fault


def http(status: int, text: str = "", **headers: str) -> Any:
    return lambda _answers: web.Response(status=status, text=text, headers=headers)
