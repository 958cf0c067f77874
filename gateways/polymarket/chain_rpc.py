"""The HTTP side of the chain: gaps, receipts of conversions, blocks after a fork. Rarely used and hard-capped (CT-141).

Calls go one by one, at most so many a second (POLYGON_FALLBACK_MAX_RPS); retries are the caller's or Temporal's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.copytrade.chain_words import UnreadableLog
from domain.copytrade.contracts import Contracts
from domain.copytrade.conversions import Conversion, conversion
from domain.shared.errors import Unavailable
from gateways.evm.envelopes import Call, NodeError
from gateways.evm.refusals import is_range_too_large
from gateways.evm.rpc import JsonRpc
from gateways.evm.shapes import MinedTransaction, parse, quantity
from gateways.limits import TokenBucket
from gateways.polymarket.chain_shapes import SOURCE, Head, SeenLog, VenueLog, filters, seen_log
from gateways.protocols import Quarantined

SPAN_BLOCKS: Final = 10
"""Blocks per eth_getLogs: the stingiest provider's limit."""
WAIT_S: Final = 30.0


class _Receipt(MinedTransaction):
    logs: tuple[VenueLog, ...]


class PolygonRpc:
    """One node. Raises: Unavailable polygon_unavailable when it does not answer, Quarantined for odd shapes."""

    def __init__(self, url: str, contracts: Contracts, *, max_rps: int = 5, rpc: JsonRpc | None = None) -> None:
        self._rpc = rpc or JsonRpc(url, attempts=1, max_batch=1)
        self._contracts = contracts
        self._bucket = TokenBucket(max_rps, 1)

    async def aclose(self) -> None:
        await self._rpc.aclose()

    async def head(self) -> int:
        return quantity(await self._call("eth_blockNumber"), SOURCE, "block number")

    async def blocks(self, numbers: Sequence[int]) -> dict[int, Head]:
        """Blocks by number; those the node does not have are left out."""
        found: dict[int, Head] = {}
        for number in numbers:
            raw = await self._call("eth_getBlockByNumber", hex(number), False)
            if raw is not None:
                found[number] = parse(Head, raw, SOURCE, "block")
        return found

    async def logs(self, wallets: Sequence[str], first: int, last: int) -> list[SeenLog]:
        """Everything these wallets did in blocks first..last, in the order of the chain."""
        found: list[SeenLog] = []
        for start in range(first, last + 1, SPAN_BLOCKS):
            end = min(last, start + SPAN_BLOCKS - 1)
            for one in filters(self._contracts, wallets, (start, end)):
                query = {**one.params(), "fromBlock": hex(start), "toBlock": hex(end)}
                raw = await self._call("eth_getLogs", query)
                if not isinstance(raw, list):
                    raise Quarantined(SOURCE, "logs", "not an array", raw)
                found += [seen for seen in (seen_log(self._contracts, item) for item in raw) if seen is not None]
        return sorted(found, key=lambda seen: (seen.said.block_number, seen.said.log_index))

    async def conversion(self, tx_hash: str, wallet: str) -> Conversion:
        """Legs and cash of a wallet's conversions, from the receipt (copytrade.md 10).

        Raises: Quarantined when the receipt does not explain them; Unavailable also while it is not there.
        """
        raw = await self._call("eth_getTransactionReceipt", tx_hash)
        if raw is None:
            raise Unavailable("polygon_unavailable", f"the node has no receipt of {tx_hash}", retry_after_s=5)
        receipt = parse(_Receipt, raw, SOURCE, "receipt")
        if receipt.status != 1 or receipt.transactionHash != tx_hash:
            raise Quarantined(SOURCE, "conversion", f"the receipt is not of {tx_hash}, or it failed", raw)
        try:
            return conversion(self._contracts, wallet, [log.raw() for log in receipt.logs])
        except UnreadableLog as odd:
            raise Quarantined(SOURCE, "conversion", f"{wallet}: {odd}", raw) from odd

    async def _call(self, method: str, *params: Any) -> Any:
        if not await self._bucket.take(at_most_s=WAIT_S):
            raise Unavailable("polygon_unavailable", "our own limit of calls a second to Polygon is used up")
        try:
            [answer] = await self._rpc.answers([Call(method, params)])
        except Quarantined:
            raise
        except Unavailable as away:
            raise Unavailable("polygon_unavailable", away.detail, retry_after_s=away.retry_after_s) from away
        if isinstance(answer, NodeError):
            narrow = " (fewer blocks were wanted)" if is_range_too_large(answer) else ""
            raise Unavailable("polygon_unavailable", f"{method}: {answer.message}{narrow}") from answer
        return answer
