"""How the chain looks through the proxy: behind, forked, with Arbitrum's own transactions, with limits.

Every change is made to all answers that show it, so that the view stays one that a real node could have: a
transaction laid over a block moves the index of the others in the block, in its receipts and in its logs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from eth_hash.auto import keccak

from localnet import nitro
from localnet.jsonrpc import RpcError
from localnet.nitro import Special

Upstream = Callable[..., Awaitable[Any]]
Json = dict[str, Any]

# Where the block tag stands in the parameters of a method that reads state.
STATE_READS = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
}


class ChainView:
    """The settings of a view and the answers that follow from them."""

    def __init__(self, call: Upstream) -> None:
        self.lag = 0
        self.fork_from: int | None = None
        self.max_log_range: int | None = None
        self.log_range_error = {"code": -32005, "message": "eth_getLogs is limited to a {limit} block range"}
        self.nitro_fields = True
        self.specials: dict[int, list[Special]] = {}
        self._call = call
        self._real_hashes: dict[str, str] = {}
        self._handlers: dict[str, Callable[[list[Any]], Awaitable[Any]]] = {
            "eth_blockNumber": self._block_number,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockTransactionCountByNumber": self._count_by_number,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getLogs": self._logs,
        }

    async def answer(self, method: str, params: list[Any]) -> Any:
        """The result of one call as this view shows it."""
        handler = self._handlers.get(method)
        if handler is not None:
            return await handler(params)
        position = STATE_READS.get(method)
        if position is not None and self.lag and params[position : position + 1] in ([], ["latest"], ["pending"]):
            params = [*params[:position], hex(await self._head()), *params[position + 1 :]]
        return await self._call(method, *params)

    async def _head(self) -> int:
        return max(0, int(await self._call("eth_blockNumber"), 16) - self.lag)

    async def _block_number(self, params: list[Any]) -> str:
        return hex(await self._head())

    async def _number(self, tag: Any) -> str | None:
        """A tag or number as a number within the view; None when it is beyond the head."""
        head = await self._head()
        if tag in ("latest", "pending"):
            return hex(head)
        if tag in ("safe", "finalized"):
            block = await self._call("eth_getBlockByNumber", tag, False)
            return hex(max(0, int(block["number"], 16) - self.lag))
        number = 0 if tag == "earliest" else int(tag, 16)
        return hex(number) if number <= head else None

    async def _block_by_number(self, params: list[Any]) -> Json | None:
        tag = params[0]
        if self.lag:
            tag = await self._number(tag)
            if tag is None:
                return None
        full = bool(params[1]) if len(params) > 1 else False
        return self._shown_block(await self._call("eth_getBlockByNumber", tag, full), full)

    async def _block_by_hash(self, params: list[Any]) -> Json | None:
        full = bool(params[1]) if len(params) > 1 else False
        block = await self._call("eth_getBlockByHash", self._real(params[0]), full)
        if block is None or await self._hidden(block["number"]) or self._misnamed(block, params[0]):
            return None
        return self._shown_block(block, full)

    async def _count_by_number(self, params: list[Any]) -> str | None:
        block = await self._block_by_number([params[0], False])
        return None if block is None else hex(len(block["transactions"]))

    async def _transaction(self, params: list[Any]) -> Json | None:
        found = await self._special(params[0])
        if found is not None:
            special, block, index = found
            return nitro.transaction(special, block, index)
        value: Json | None = await self._call("eth_getTransactionByHash", params[0])
        if value is None or value["blockNumber"] is None:
            return value
        if await self._hidden(value["blockNumber"]):
            return {**value, "blockHash": None, "blockNumber": None, "transactionIndex": None}
        return self._shown(value)

    async def _receipt(self, params: list[Any]) -> Json | None:
        found = await self._special(params[0])
        if found is not None:
            special, block, index = found
            return nitro.receipt(special, block, index)
        value: Json | None = await self._call("eth_getTransactionReceipt", params[0])
        if value is None or await self._hidden(value["blockNumber"]):
            return None
        return self._shown_receipt(value)

    async def _block_receipts(self, params: list[Any]) -> list[Json] | None:
        asked = params[0]
        tag = str(asked.get("blockHash", asked.get("blockNumber")) if isinstance(asked, dict) else asked)
        if len(tag) == 66:
            block = await self._block_by_hash([tag, False])
        else:
            block = await self._block_by_number([tag, False])
        if block is None:
            return None
        own: list[Json] = await self._call("eth_getBlockReceipts", block["number"])
        shown = {value["transactionHash"]: self._shown_receipt(value) for value in own}
        for index, tx_hash in enumerate(block["transactions"]):
            for special in self.specials.get(int(block["number"], 16), ()):
                if special.hash == tx_hash:
                    shown[tx_hash] = nitro.receipt(special, block, index)
        return [shown[tx_hash] for tx_hash in block["transactions"]]

    async def _logs(self, params: list[Any]) -> list[Json]:
        query = dict(params[0])
        if "blockHash" in query:
            block = await self._block_by_hash([query["blockHash"], False])
            if block is None:
                raise RpcError("eth_getLogs", {"code": -32000, "message": "unknown block"})
            query["blockHash"] = self._real(query["blockHash"])
        elif self.lag or self.max_log_range is not None:
            head = await self._head()
            first = await self._range_end(query.get("fromBlock", "latest"), head)
            last = await self._range_end(query.get("toBlock", "latest"), head)
            if self.max_log_range is not None and last - first + 1 > self.max_log_range:
                message = self.log_range_error["message"]
                filled = str(message).format(limit=self.max_log_range)
                raise RpcError("eth_getLogs", {**self.log_range_error, "message": filled})
            if first > head:
                return []
            query |= {"fromBlock": hex(first), "toBlock": hex(min(last, head))}
        return [self._shown(log) for log in await self._call("eth_getLogs", query)]

    async def _range_end(self, tag: Any, head: int) -> int:
        if isinstance(tag, str) and tag.startswith("0x"):
            return int(tag, 16)
        return int(await self._number(tag) or hex(head), 16)

    async def _hidden(self, number: str) -> bool:
        return bool(self.lag) and int(number, 16) > await self._head()

    async def _special(self, tx_hash: str) -> tuple[Special, Json, int] | None:
        """A laid-over transaction whose block has been mined, the block, and its index in it."""
        for number, specials in self.specials.items():
            for special in specials:
                if special.hash == tx_hash.lower():
                    block = await self._block_by_number([hex(number), False])
                    if block is not None:
                        return special, block, block["transactions"].index(special.hash)
        return None

    def _shown_block(self, block: Json | None, full: bool) -> Json | None:
        if block is None:
            return None
        number = int(block["number"], 16)
        block = self._shown(block)
        if full:
            block["transactions"] = [self._shown(value) for value in block["transactions"]]
        specials = self.specials.get(number, [])
        first = [special for special in specials if special.first]
        last = [special for special in specials if not special.first]
        if full:
            count = len(first) + len(block["transactions"])
            block["transactions"] = [
                *(nitro.transaction(special, block, index) for index, special in enumerate(first)),
                *block["transactions"],
                *(nitro.transaction(special, block, count + index) for index, special in enumerate(last)),
            ]
        else:
            own = block["transactions"]
            block["transactions"] = [*(special.hash for special in first), *own, *(special.hash for special in last)]
        if self.nitro_fields:
            block |= {"l1BlockNumber": hex(nitro.l1_block(number)), "sendCount": "0x0", "sendRoot": "0x" + "00" * 32}
        return block

    def _shown_receipt(self, value: Json) -> Json:
        value = self._shown(value)
        value["logs"] = [self._shown(log) for log in value["logs"]]
        if self.nitro_fields:
            number = int(value["blockNumber"], 16)
            value |= {"l1BlockNumber": hex(nitro.l1_block(number)), "gasUsedForL1": "0x0", "timeboosted": False}
        return value

    def _shown(self, value: Json) -> Json:
        """A copy with the hashes of the fork and the transaction index of the view; for blocks, logs and the rest."""
        value = dict(value)
        is_block = "parentHash" in value
        number = int(value["number"] if is_block else value["blockNumber"], 16)
        for key, height in (("hash", number), ("parentHash", number - 1)) if is_block else (("blockHash", number),):
            value[key] = self._forked(value[key], height)
        before = sum(special.first for special in self.specials.get(number, ()))
        if before and value.get("transactionIndex") is not None:
            value["transactionIndex"] = hex(int(value["transactionIndex"], 16) + before)
        return value

    def _forked(self, block_hash: str, number: int) -> str:
        if self.fork_from is None or number < self.fork_from:
            return block_hash
        other = "0x" + keccak(b"another fork" + bytes.fromhex(block_hash[2:])).hex()
        self._real_hashes[other] = block_hash
        return other

    def _real(self, block_hash: str) -> str:
        return self._real_hashes.get(block_hash.lower(), block_hash)

    def _misnamed(self, block: Json, asked: str) -> bool:
        """True for a block asked for by the hash it has on the other side of the fork."""
        return self._forked(block["hash"], int(block["number"], 16)) != asked.lower()

    def shown_head(self, head: Json) -> Json:
        """A head as a subscription announces it."""
        shown = self._shown(head)
        if self.nitro_fields:
            shown["l1BlockNumber"] = hex(nitro.l1_block(int(head["number"], 16)))
        return shown

    def shown_log(self, log: Json) -> Json:
        """A log as a subscription announces it."""
        return self._shown(log)
