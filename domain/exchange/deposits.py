"""When a transfer on the chain becomes money on the books: eligibility, confirmation policy, dust, reorgs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.exchange.custody import OUR_MONEY, Wallets
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


class Sighting(NamedTuple):
    """How an observed transfer is recorded."""

    status: Literal["seen", "ignored"]
    reason: str | None


def sighting(
    log: TransferLog, policy: DepositPolicy, wallets: Wallets, *, from_deposit_address: bool, signed: bool
) -> Sighting | None:
    """What a transfer into one of our addresses is; None: nothing to record.

    Args:  from_deposit_address  its sender is an address we handed out.
           signed                we signed this transaction: the process that sent it books it.
    """
    refusal = ignore_reason(log, policy)
    if log.to_address not in wallets.holding:
        return Sighting("ignored", refusal) if refusal else Sighting("seen", None)
    if signed or log.token != policy.token or log.from_address == log.to_address:
        return None
    if refusal is not None:
        return Sighting("ignored", refusal)
    if log.to_address == wallets.hot:
        if from_deposit_address:
            return Sighting("seen", "unrecorded_sweep")
        return Sighting("seen", "cold_refill" if log.from_address == wallets.cold else "treasury")
    if from_deposit_address:
        return Sighting("seen", "rescued_to_cold")
    # money from outside in the cold wallet covers what is owed and is owed to nobody
    return Sighting("seen", "moved_to_cold") if log.from_address == wallets.hot else Sighting("ignored", "cold_wallet")


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


def is_plain(amount: int, reason: str | None, policy: DepositPolicy, *, dust_waits: bool, parked: bool) -> bool:
    """Needs a due deposit no decision but the look at the chain? Then it can be credited together with others.

    Args:  dust_waits  confirmed dust at the same address would come along: its process sees to that.
           parked      its process waits for an operator.
    """
    if parked:
        return False
    return reason in OUR_MONEY or (amount >= policy.minimum_micros and not dust_waits)
