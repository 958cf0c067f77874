"""Drafts: a plan's message on a fresh blockhash or a durable nonce, tried out, its compute limit as measured, its price
as others pay."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from domain.launchpad import nonces
from domain.launchpad.judging import agreed
from domain.launchpad.solana import Blockhash, NonceValue, Simulated
from domain.launchpad.transactions import Draft, Plan, SignedWire
from domain.shared.errors import Broken, Unavailable
from gateways.protocols import SolanaNodes
from gateways.solana import messages
from gateways.solana.rpc import CODE

_PERCENTILE: Final = 75
_SPARE_UNITS: Final = 1_000
"""Beside the tenth: a small program has little to take a tenth of."""
_MILLION: Final = 1_000_000


class Drafting:
    """`platform`: whose loss is measured, and whose the nonces are. `price_most`: millionths of a lamport per
    compute unit. Contract: gateways/protocols.py SolanaReads."""

    def __init__(self, nodes: SolanaNodes, *, platform: str, price_most: int) -> None:
        self.nodes = nodes
        self.platform = platform
        self.price_most = price_most

    async def draft(self, plan: Plan, *, price_least: int = 0, nonce_id: str | None = None) -> Draft:
        written = sorted({m.address for step in plan.instructions for m in step.accounts if m.writable} | {plan.payer})
        nonce = None if nonce_id is None else await self._nonce(nonce_id)
        recent, finalized, paid = await asyncio.gather(
            self._recent(nonce), self.nodes.epochs(), self.nodes.recent_fees(written)
        )
        price = min(self.price_most, max(_percentile(paid), price_least))
        tried = self.message(plan, recent.blockhash, limit=messages.COMPUTE_MOST, price=0, nonce_id=nonce_id)
        simulated = await self.try_out(tried)
        if nonce_id is not None and simulated.err == "BlockhashNotFound":
            raise Unavailable(CODE, f"the nonce of {plan.key} has just been used up, or a node is behind")
        limit = _limit(plan, simulated)
        extra = -(-limit * price // _MILLION)
        return Draft(
            message=self.message(plan, recent.blockhash, limit=limit, price=price, nonce_id=nonce_id),
            blockhash=recent.blockhash,
            nonce_id=nonce_id,
            nonce_slot=None if nonce is None else nonce.slot,
            last_valid_height=recent.last_valid_height,
            height=recent.height,
            finalized_height=min(epoch.height for epoch in finalized),
            compute_limit=limit,
            compute_price_micro_lamports=price,
            fee_lamports=messages.FEE_LAMPORTS * len(plan.signers()) + extra,
            lost_lamports=simulated.lost_lamports + (extra if plan.payer == self.platform else 0),
            simulated_err=simulated.err,
            logs=simulated.logs,
        )

    async def _nonce(self, nonce_id: str) -> NonceValue:
        address = nonces.address_of(self.platform, nonce_id)
        found = agreed(await self.nodes.nonces(address), configured=self.nodes.size)
        if found is None:
            raise Unavailable(CODE, f"the nodes do not agree on the nonce {address}")
        return found

    async def _recent(self, nonce: NonceValue | None) -> Blockhash:
        """What the message names as its blockhash, and how long that serves."""
        if nonce is None:
            return await self.nodes.blockhash()
        height = await self.nodes.height(commitment="confirmed")
        return Blockhash(blockhash=nonce.value, last_valid_height=nonces.NO_HEIGHT, height=height)

    def message(self, plan: Plan, blockhash: str, *, limit: int, price: int, nonce_id: str | None = None) -> bytes:
        if nonce_id is not None and self.platform not in plan.signers():
            raise Broken("internal_error", f"{plan.key} is not co-signed: a nonce of ours would need that")
        advance = nonces.advance(self.platform, nonce_id) if nonce_id is not None else None
        return messages.compiled(plan, blockhash, limit=limit, price=price, advance=advance)

    async def try_out(self, message: bytes) -> Simulated:
        return await self.nodes.simulate(messages.unsigned(message), watched=self.platform)

    def read_signed(self, raw: bytes) -> SignedWire:
        return messages.read_signed(raw)


def _limit(plan: Plan, simulated: Simulated) -> int:
    """A tenth more than it used when tried out."""
    if simulated.err is not None:
        return messages.COMPUTE_MOST
    return min(messages.COMPUTE_MOST, simulated.units * 11 // 10 + _SPARE_UNITS + messages.apart(plan.key))


def _percentile(values: Sequence[int]) -> int:
    return sorted(values)[len(values) * _PERCENTILE // 100] if values else 0
