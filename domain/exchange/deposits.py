"""When a transfer on the chain becomes money on the books: eligibility, confirmation policy, dust, reorgs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.exchange.messages import BlockRef, Head, TransferLog

Tag = Literal["safe", "finalized"]


class Tier(BaseModel):
    """From `from_micros` on, a deposit waits for `confirmations` blocks and, if set, for the tag to pass its block."""

    model_config = ConfigDict(frozen=True)
    from_micros: int
    confirmations: int
    tag: Tag | None = None


class DepositPolicy(BaseModel):
    """Which transfers count, and how long they wait. Tiers ascend by `from_micros`, the first starts at 0."""

    model_config = ConfigDict(frozen=True)
    token: str
    minimum_micros: int
    tiers: tuple[Tier, ...]

    def tier(self, amount: int) -> Tier:
        """The tier an amount falls into."""
        return [t for t in self.tiers if t.from_micros <= amount][-1]


def ignore_reason(log: TransferLog, policy: DepositPolicy) -> str | None:
    """Why this transfer will never be credited, or None. What is ignored stays visible to operators.

    A token other than ours, even one called USDC, is `unsupported_token`: only the contract's address counts.
    """
    if log.token != policy.token:
        return "unsupported_token"
    if log.amount == 0:
        return "zero_value"
    return None


def confirmations(head: int, block_number: int) -> int:
    """Blocks on top of the deposit's block: head − block (exchange.md 1); 0 when the head is behind it."""
    return max(0, head - block_number)


def is_due(block_number: int, required: int, tag: str | None, head: Head) -> bool:
    """Has the chain gone far enough past the block for this deposit's tier?"""
    if head.latest.number < block_number + required:
        return False
    if tag == "safe":
        return head.safe >= block_number
    if tag == "finalized":
        return head.finalized >= block_number
    return True


def common_ancestor(stored: Sequence[BlockRef], on_chain: Sequence[BlockRef]) -> int | None:
    """Highest block number at which what we saw equals what the chain says now; None when nothing matches.

    Args:  stored, on_chain  blocks of the same numbers, any order.
    """
    now = {block.number: block.hash for block in on_chain}
    same = [block.number for block in stored if now.get(block.number) == block.hash]
    return max(same, default=None)


def next_range(next_block: int, head: int, span: int) -> tuple[int, int] | None:
    """Blocks to read now, inclusive; None when there is nothing new."""
    if next_block > head:
        return None
    return next_block, min(head, next_block + span - 1)


def adapt_span(span: int, *, too_large: bool, smallest: int = 1, largest: int = 2_000) -> int:
    """Halve the range after a refusal, grow it by a half after a success."""
    if too_large:
        return max(smallest, span // 2)
    return min(largest, span + span // 2 + 1)


def dust_is_creditable(amounts: Sequence[int], policy: DepositPolicy) -> bool:
    """Confirmed transfers to one address are credited together once their sum reaches the minimum (inclusive)."""
    return sum(amounts) >= policy.minimum_micros
