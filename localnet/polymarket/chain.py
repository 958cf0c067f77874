"""Puts what happens at the local venue on the local Polygon: real event signatures at the real addresses.

    chain = PolygonExchange(node.rpc_url)
    await chain.prepare()
    done = await chain.send(match(taker, [maker]), *split(wallet, condition_id, pairs))

One `send` is one transaction, whatever it holds; it returns when the transaction is in a block. Calls come from
`chain_calls`. The contracts keep no balances, so nothing is refused here: the venue checks before it tells the chain.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from contracts import load
from domain.copytrade.contracts import DEFAULT
from localnet.jsonrpc import JsonRpc
from localnet.polymarket.chain_calls import BATCH, CODE, OPERATOR, Call, together

GAS: Final = hex(20_000_000)


class LogRef(NamedTuple):
    """Where a log stands."""

    log_index: int
    address: str
    topic: str


class OnChain(NamedTuple):
    """A mined transaction. `timestamp` is its block's, in seconds: the time the venue's API shows."""

    tx_hash: str
    block: int
    block_hash: str
    timestamp: int
    logs: tuple[LogRef, ...]


class NotMined(Exception):
    """The transaction failed or was not mined in time."""


class PolygonExchange:
    """See the module. Several sends may run at once; each is a transaction of its own."""

    def __init__(self, rpc_url: str, *, manual: bool = False) -> None:
        self.rpc = JsonRpc(rpc_url)
        self._manual = manual

    async def close(self) -> None:
        await self.rpc.close()

    async def prepare(self) -> None:
        """Lays the contracts' code at their addresses. Again: the same code at the same places."""
        await self._lay(BATCH, "VenueBatch")
        for contract in DEFAULT.contracts:
            if contract.speaks in CODE:
                await self._lay(contract.address, CODE[contract.speaks])

    async def _lay(self, address: str, name: str) -> None:
        runtime = await self.rpc("eth_call", {"data": load(name).bytecode}, "latest")
        if await self.rpc("eth_getCode", address, "latest") != runtime:
            await self.rpc("anvil_setCode", address, runtime)

    async def send(self, *calls: Call, timeout: float = 15.0) -> OnChain:
        """One transaction with these calls, in their order, by the venue's operator."""
        tx_hash = await self.submit(*calls)
        if self._manual:
            await self.rpc("evm_mine")
        return await self.mined(tx_hash, timeout)

    async def submit(self, *calls: Call) -> str:
        """The same without waiting for a block."""
        call = together(calls)
        fields = {"from": OPERATOR, "to": call.to, "data": "0x" + call.data.hex(), "gas": GAS, "gasPrice": "0x0"}
        answer: str = await self.rpc("eth_sendTransaction", fields)
        return answer

    async def mined(self, tx_hash: str, timeout: float = 15.0) -> OnChain:
        """Waits for the receipt. Raises: NotMined."""
        try:
            async with asyncio.timeout(timeout):
                receipt = await self._receipt(tx_hash)
        except TimeoutError as error:
            raise NotMined(f"{tx_hash} is in no block after {timeout:g} s") from error
        if receipt["status"] != "0x1":
            raise NotMined(f"{tx_hash} failed")
        block = await self.rpc("eth_getBlockByHash", receipt["blockHash"], False)
        return _on_chain(receipt, int(block["timestamp"], 16))

    async def _receipt(self, tx_hash: str) -> dict[str, Any]:
        while True:
            receipt: dict[str, Any] | None = await self.rpc("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return receipt
            await asyncio.sleep(0.02)

    # What a chain does to its followers.

    async def head(self) -> int:
        return int(await self.rpc("eth_blockNumber"), 16)

    async def mine(self, blocks: int = 1) -> int:
        for _ in range(blocks):
            await self.rpc("evm_mine")
        return await self.head()

    async def reorganise(self, depth: int) -> None:
        """The last `depth` blocks are replaced by empty ones: their transactions never happened. As anvil does it,
        new heads are announced and `removed` logs are not."""
        await self.rpc("anvil_reorg", depth, [])

    async def drop(self, blocks: int = 1) -> None:
        """The newest blocks are gone, without others in their place."""
        await self.rpc("anvil_rollback", blocks)


def _on_chain(receipt: dict[str, Any], timestamp: int) -> OnChain:
    logs = tuple(LogRef(int(log["logIndex"], 16), log["address"].lower(), log["topics"][0]) for log in receipt["logs"])
    number = int(receipt["blockNumber"], 16)
    return OnChain(receipt["transactionHash"], number, receipt["blockHash"], timestamp, logs)
