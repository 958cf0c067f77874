"""What the chain says of a wallet, as values. Micros of shares and USDC; addresses and hashes lower case."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from domain.copytrade.chain_words import UnreadableLog
from domain.copytrade.venue import Kind, Side

AMOUNT_MAX: Final = 10**15
"""A thousand million shares or USDC: more than the venue has ever held."""


class Role(StrEnum):
    MAKER = "MAKER"
    TAKER = "TAKER"


class ChainFill(NamedTuple):
    """One executed order of one wallet. Micros of shares and USDC.

    `usdc` is what the shares cost or brought before the fee. V1 took the fee of a BUY in shares: then it stands in
    `fee_shares`, and `shares` is before it.
    """

    wallet: str
    role: Role
    token_id: str
    side: Side
    shares: int
    usdc: int
    fee: int
    fee_shares: int
    version: str
    contract: str
    tx_hash: str
    log_index: int
    block_number: int
    block_hash: str
    removed: bool


class ChainMove(NamedTuple):
    """Positions split, merged, redeemed or converted by one wallet. None: the event does not say.

    `shares`: pairs of a split or merge, shares redeemed, NO shares converted. `amounts`: by outcome, where a redemption
    says so. `token_id` only where the event names a position. `index_set`: the questions of a conversion, as bits.
    """

    wallet: str
    kind: Kind
    condition_id: str
    token_id: str
    shares: int | None
    amounts: tuple[int, ...]
    usdc: int | None
    market_id: str
    index_set: int
    version: str
    contract: str
    tx_hash: str
    log_index: int
    block_number: int
    block_hash: str
    removed: bool


class ChainResolution(NamedTuple):
    """Payout numerators of a condition, as the contract gives them: the parts of one share's collateral."""

    condition_id: str
    payouts: tuple[int, ...]
    tx_hash: str
    log_index: int
    block_number: int
    removed: bool


Said = ChainFill | ChainMove | ChainResolution


def micros(value: int) -> int:
    """An amount that can be true and fits the books. Raises: UnreadableLog."""
    if value > AMOUNT_MAX:
        raise UnreadableLog(f"an amount of {value} micros")
    return value
