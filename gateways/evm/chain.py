"""`EvmNode`: the chain gateway. Its methods are the contract of gateways/evm/protocols.py, to be read there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Self

from domain.exchange.messages import BlockRef, Head, TransferLog
from domain.shared.errors import Broken, Unavailable
from domain.shared.money import USDC_DECIMALS
from gateways.evm.envelopes import Call, NodeError
from gateways.evm.fallback import FallbackRpc, Quarantine
from gateways.evm.fresh import FreshReads
from gateways.evm.logs import TransferFinder
from gateways.evm.protocols import Receipt
from gateways.evm.refusals import is_execution_failure
from gateways.evm.rpc import JsonRpc, RpcClient
from gateways.evm.shapes import Block, MinedTransaction, data, parse, quantity
from gateways.evm.tokens import (
    DECIMALS_DATA,
    is_transfer,
    oddity,
    read_transfer,
)
from gateways.evm.wakeups import WakeUps
from gateways.evm.wallets import Wallets
from gateways.protocols import Quarantined


class EvmNode(Wallets):
    """One chain through one or two nodes.

    Args:  token       lower-case address of the one token that is credited; check_chain looks at it.
           quarantine  awaited with (source, kind, reason, payload) for odd things the work can go on without; what it
                       cannot go on without is raised as Quarantined instead.
           ws_url      wake-ups only; empty: the timer.   poll_s  longest time between wake-ups.
    """

    def __init__(
        self,
        rpc: FallbackRpc,
        *,
        chain_id: int,
        token: str,
        quarantine: Quarantine,
        ws_url: str = "",
        poll_s: float = 0.25,
        silence_s: float = 10.0,
    ) -> None:
        super().__init__(rpc)
        self.chain_id = chain_id
        self._nodes, self._token = rpc, token.lower()
        self._fresh = FreshReads(rpc)
        self._finder = TransferFinder(rpc, chain_id, quarantine)
        self._wake_ups = WakeUps(ws_url, poll_s=poll_s, silence_s=silence_s)

    @classmethod
    def connect(
        cls,
        urls: Sequence[str],
        *,
        chain_id: int,
        token: str,
        quarantine: Quarantine,
        ws_url: str = "",
        poll_s: float = 0.25,
        calls_per_s: float = 0,
    ) -> Self:
        """Build from addresses; empty ones are left out. `calls_per_s` per node, 0: no limit."""
        nodes = [JsonRpc(url, calls_per_s=calls_per_s) for url in urls if url]
        rpc = FallbackRpc(nodes, quarantine=quarantine)
        return cls(rpc, chain_id=chain_id, token=token, quarantine=quarantine, ws_url=ws_url, poll_s=poll_s)

    async def aclose(self) -> None:
        await self._nodes.aclose()

    # --- the node itself ---------------------------------------------------------------------------------------------

    async def check_chain(self) -> None:
        for node in self._nodes.nodes:
            await self._check_node(node)

    async def _check_node(self, node: RpcClient) -> None:
        calls = [
            Call("eth_chainId"),
            Call("eth_getCode", (self._token, "latest")),
            Call("eth_call", ({"to": self._token, "data": DECIMALS_DATA}, "latest")),
        ]
        answers = await node.answers(calls)
        for answer in answers:
            if isinstance(answer, NodeError) and not is_execution_failure(answer):
                raise answer
        served = quantity(answers[0], node.source, "chain_id")
        if served != self.chain_id:
            raise Broken("wrong_chain", f"{node.source} serves chain {served}, configured is {self.chain_id}")
        code, answer = answers[1], answers[2]
        if not data(code, node.source, "code"):
            raise Broken("wrong_chain", f"{self._token} has no code on {node.source}: not a token")
        decimals = b"" if isinstance(answer, NodeError) else data(answer, node.source, "decimals")
        if decimals != USDC_DECIMALS.to_bytes(32, "big"):
            raise Broken("wrong_chain", f"{self._token} does not answer decimals() = {USDC_DECIMALS}")

    # --- blocks ------------------------------------------------------------------------------------------------------

    async def head(self) -> Head:
        tags = ("latest", "safe", "finalized")
        answers = await self._rpc.answers([Call("eth_getBlockByNumber", (tag, False)) for tag in tags])
        for tag, answer in zip(tags, answers, strict=True):
            if answer is None or isinstance(answer, NodeError):
                said = answer.message if isinstance(answer, NodeError) else "null"
                raise Unavailable("chain_unavailable", f"the node does not serve the `{tag}` block: {said}", tag=tag)
        latest, safe, finalized = (parse(Block, answer, self._rpc.source, "block") for answer in answers)
        if max(safe.number, finalized.number) > latest.number:
            raise Unavailable("chain_lagging", f"newest block {latest.number} is below safe or finalized")
        await self._nodes.agree_on_block(latest.number, latest.hash)
        return Head(latest=latest.ref(), safe=safe.number, finalized=finalized.number)

    async def blocks(self, numbers: Sequence[int]) -> list[BlockRef]:
        if not numbers:
            return []
        answers = await self._rpc.batch([Call("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
        found: list[BlockRef] = []
        for number, raw in zip(numbers, answers, strict=True):
            if raw is None:
                continue
            block = parse(Block, raw, self._rpc.source, "block")
            if block.number != number:
                raise Quarantined(self._rpc.source, "block", f"asked for {number}", raw)
            found.append(block.ref())
        if found:
            newest = max(found, key=lambda block: block.number)
            await self._nodes.agree_on_block(newest.number, newest.hash)  # equal here, so equal below: hashes chain
        return found

    async def base_fee(self) -> int:
        raw = await self._rpc.call("eth_getBlockByNumber", "latest", False)
        block = parse(Block, raw, self._rpc.source, "block")
        if block.baseFeePerGas is None:
            raise Quarantined(self._rpc.source, "block", "no baseFeePerGas: the chain knows no EIP-1559", raw)
        return block.baseFeePerGas

    # --- transfers ---------------------------------------------------------------------------------------------------

    async def transfers_to(self, addresses: Sequence[str], first: int, last: int) -> list[TransferLog]:
        return await self._finder.find(addresses, first, last)

    async def transfer_in_block(self, block_hash: str, tx_hash: str, log_ordinal: int) -> TransferLog | None:
        mined = await self._mined(tx_hash)
        if mined is None:
            await self._check_gone(block_hash, tx_hash)
            return None
        if mined.blockHash != block_hash or mined.status == 0:
            return None
        if not await self._is_canonical(mined):
            return None
        for log in mined.logs:
            if mined.ordinal(log) == log_ordinal:
                return read_transfer(self.chain_id, mined, log) if is_transfer(log) and not oddity(log) else None
        return None

    async def receipt(self, tx_hash: str, token: str) -> Receipt | None:
        mined = await self._mined(tx_hash)
        if mined is None:
            return None
        if not await self._is_canonical(mined):
            raise Unavailable("chain_lagging", f"the receipt of {tx_hash} is from a block that is not canonical")
        logs = [log for log in mined.logs if log.address == token.lower() and is_transfer(log) and not oddity(log)]
        return Receipt(
            tx_hash=mined.transactionHash,
            block_number=mined.blockNumber,
            block_hash=mined.blockHash,
            status=mined.status,
            gas_used=mined.gasUsed,
            effective_gas_price=mined.effectiveGasPrice,
            transfers=tuple(read_transfer(self.chain_id, mined, log) for log in logs),
        )

    async def _mined(self, tx_hash: str) -> MinedTransaction | None:
        raw = await self._fresh.read(Call("eth_getTransactionReceipt", (tx_hash,)))
        if raw is None:
            return None
        mined = parse(MinedTransaction, raw, self._rpc.source, "receipt")
        if mined.transactionHash != tx_hash:
            raise Quarantined(self._rpc.source, "receipt", f"is not of {tx_hash}", raw)
        return mined

    async def _is_canonical(self, mined: MinedTransaction) -> bool:
        """Is the receipt's block the chain's block of that number, read after the receipt?"""
        raw = await self._fresh.read(Call("eth_getBlockByNumber", (hex(mined.blockNumber), False)))
        if raw is None:
            raise Unavailable("chain_lagging", f"the node has a receipt of block {mined.blockNumber}, not the block")
        return parse(Block, raw, self._rpc.source, "block").hash == mined.blockHash

    async def _check_gone(self, block_hash: str, tx_hash: str) -> None:
        """No receipt: then its block must not be canonical either, else two answers contradict each other."""
        raw = await self._fresh.read(Call("eth_getBlockByHash", (block_hash, False)))
        if raw is None:
            return
        number = parse(Block, raw, self._rpc.source, "block").number
        now = await self._fresh.read(Call("eth_getBlockByNumber", (hex(number), False)))
        if now is None or parse(Block, now, self._rpc.source, "block").hash == block_hash:
            raise Unavailable("chain_lagging", f"block {number} is canonical, yet {tx_hash} of it has no receipt")

    # --- waiting ------------------------------------------------------------------------------------------------------

    def wake_ups(self) -> AsyncIterator[None]:
        return self._wake_ups.ticks()
