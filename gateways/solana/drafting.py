"""Drafts: a plan's message on a fresh blockhash, tried out, its compute limit as measured, its price as others pay."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from domain.launchpad.solana import Simulated
from domain.launchpad.transactions import Draft, Plan, SignedWire
from gateways.protocols import SolanaNodes
from gateways.solana import messages

_PERCENTILE: Final = 75
_SPARE_UNITS: Final = 1_000
"""Beside the tenth: a small program has little to take a tenth of."""
_MILLION: Final = 1_000_000


class Drafting:
    """`platform`: whose loss is measured. `price_most`: millionths of a lamport per compute unit. Contract:
    gateways/protocols.py SolanaReads."""

    def __init__(self, nodes: SolanaNodes, *, platform: str, price_most: int) -> None:
        self.nodes = nodes
        self.platform = platform
        self.price_most = price_most

    async def draft(self, plan: Plan, *, price_least: int = 0) -> Draft:
        written = sorted({m.address for step in plan.instructions for m in step.accounts if m.writable} | {plan.payer})
        recent, finalized, paid = await asyncio.gather(
            self.nodes.blockhash(), self.nodes.epochs(), self.nodes.recent_fees(written)
        )
        price = min(self.price_most, max(_percentile(paid), price_least))
        tried = messages.compiled(plan, recent.blockhash, limit=messages.COMPUTE_MOST, price=0)
        simulated = await self.try_out(tried)
        limit = _limit(plan, simulated)
        extra = -(-limit * price // _MILLION)
        return Draft(
            message=messages.compiled(plan, recent.blockhash, limit=limit, price=price),
            blockhash=recent.blockhash,
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

    def message(self, plan: Plan, blockhash: str, *, limit: int, price: int) -> bytes:
        return messages.compiled(plan, blockhash, limit=limit, price=price)

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
