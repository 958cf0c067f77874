"""Finding transfers: logs by recipient, then their receipts for the ordinals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.exchange import passed_over
from domain.exchange.messages import TransferLog
from domain.shared.errors import Unavailable
from gateways.evm.envelopes import Call, NodeError
from gateways.evm.fallback import Quarantine
from gateways.evm.protocols import RangeTooLarge
from gateways.evm.refusals import is_range_too_large
from gateways.evm.rpc import RpcClient
from gateways.evm.shapes import Block, Log, MinedTransaction, parse
from gateways.evm.tokens import TRANSFER_TOPIC, is_transfer, oddity, padded, read_transfer
from gateways.protocols import Quarantined

ADDRESSES_PER_CALL: Final = 1_000
"""geth's own limit for values of one topic; about 70 KB of JSON."""

CALLS_PER_BATCH: Final = 10


class TransferFinder:
    """Reads block ranges for one chain."""

    def __init__(self, rpc: RpcClient, chain_id: int, quarantine: Quarantine) -> None:
        self._rpc, self._chain_id, self._quarantine = rpc, chain_id, quarantine

    async def find(self, addresses: Sequence[str], first: int, last: int) -> list[TransferLog]:
        """See EvmChain.transfers_to. Ordered by block and log index."""
        wanted = sorted({padded(address) for address in addresses})
        if not wanted or first > last:
            return []
        logs: list[Log] = []
        size = ADDRESSES_PER_CALL * CALLS_PER_BATCH
        for start in range(0, len(wanted), size):
            logs += await self._logs(wanted[start : start + size], first, last)
        readable = await self._readable([log for log in logs if is_transfer(log)])
        receipts = await self._receipts(readable)
        found = [
            read_transfer(self._chain_id, receipts[log.transactionHash], log)
            for log in readable
            if self._confirmed(log, receipts[log.transactionHash])
        ]
        return sorted(found, key=lambda log: (log.block_number, log.log_index))

    async def _logs(self, topics: Sequence[str], first: int, last: int) -> list[Log]:
        """One batch. It opens with the range's last block: a node that is behind answers a range it has not got with
        an empty list, without an error, and deposits would be lost."""
        calls = [Call("eth_getBlockByNumber", (hex(last), False))]
        for start in range(0, len(topics), ADDRESSES_PER_CALL):
            part = list(topics[start : start + ADDRESSES_PER_CALL])
            query = {"fromBlock": hex(first), "toBlock": hex(last), "topics": [TRANSFER_TOPIC, None, part]}
            calls.append(Call("eth_getLogs", (query,)))
        try:
            last_block, *answers = await self._rpc.batch(calls)
        except NodeError as failure:
            if is_range_too_large(failure):
                raise RangeTooLarge(failure.detail) from failure
            raise
        except Unavailable as failure:
            if failure.data.get("timeout"):  # a smaller range may fit into the time
                raise RangeTooLarge(failure.detail) from failure
            raise
        if last_block is None:
            raise Unavailable("chain_lagging", f"the node that reads logs does not have block {last}")
        parse(Block, last_block, self._rpc.source, "block")
        return [log for answer in answers for log in self._parse(answer, set(topics), first, last)]

    def _parse(self, answer: Any, wanted: set[str], first: int, last: int) -> list[Log]:
        """Logs the filter can have meant; a node that answers another question is not believed."""
        if not isinstance(answer, list):
            raise Quarantined(self._rpc.source, "logs", "not an array", answer)
        logs = [parse(Log, raw, self._rpc.source, "log") for raw in answer]
        for log, raw in zip(logs, answer, strict=True):
            if not first <= log.blockNumber <= last or len(log.topics) < 3 or log.topics[2] not in wanted:
                raise Quarantined(self._rpc.source, "log", "outside of what was asked for", raw)
        return [log for log in logs if not log.removed]

    async def _readable(self, logs: Sequence[Log]) -> list[Log]:
        """Leave out what is no standard Transfer; say so once per token and reason, as a spammer can emit many."""
        good: list[Log] = []
        odd: dict[tuple[str, str], list[Log]] = {}
        for log in logs:
            reason = oddity(log)
            if reason is None:
                good.append(log)
            else:
                odd.setdefault((log.address, reason), []).append(log)
        for (token, reason), group in odd.items():
            blocks = [log.blockNumber for log in group]
            payload = {
                "token": token,
                "count": len(group),
                "first_block": min(blocks),
                "last_block": max(blocks),
                "first": _payload(group[0]),
            }
            await self._quarantine(self._rpc.source, passed_over.KIND, reason, payload)
        return good

    async def _receipts(self, logs: Sequence[Log]) -> dict[str, MinedTransaction]:
        hashes = list(dict.fromkeys(log.transactionHash for log in logs))
        if not hashes:
            return {}
        answers = await self._rpc.batch([Call("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in hashes])
        receipts: dict[str, MinedTransaction] = {}
        for tx_hash, raw in zip(hashes, answers, strict=True):
            if raw is None:
                raise Unavailable("chain_lagging", f"the receipt of {tx_hash} is gone: a reorg, or a node behind")
            receipt = parse(MinedTransaction, raw, self._rpc.source, "receipt")
            if receipt.transactionHash != tx_hash:
                raise Quarantined(self._rpc.source, "receipt", f"is not of {tx_hash}", raw)
            receipts[tx_hash] = receipt
        return receipts

    def _confirmed(self, log: Log, receipt: MinedTransaction) -> bool:
        """The receipt tells the same. False for a reverted transaction, which has no effect whatever its logs say.

        Raises: Unavailable chain_lagging when the two answers come from different forks.
        """
        if receipt.blockHash != log.blockHash or receipt.blockNumber != log.blockNumber:
            raise Unavailable("chain_lagging", f"{log.transactionHash} moved to another block between two reads")
        if receipt.status == 0:
            return False
        if log not in receipt.logs:
            raise Unavailable("chain_lagging", f"log {log.logIndex} is missing in the receipt {log.transactionHash}")
        return True


def _payload(log: Log) -> dict[str, Any]:
    """A log as JSON, data cut to a kilobyte."""
    raw: dict[str, Any] = log.model_dump(exclude={"data"})
    return {**raw, "topics": list(log.topics), "data": "0x" + log.data[:1024].hex()}
