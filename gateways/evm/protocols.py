"""What activities expect of the EVM chain and its keys. Implementations live beside this file.

All methods raise Unavailable (chain_unavailable, chain_lagging) when the node is away, slow, behind or inconsistent,
and never guess: an answer of unknown shape raises `Quarantined`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from domain.exchange.fees import GasPrice
from domain.exchange.messages import BlockRef, Head, TransferLog
from domain.shared.errors import Unavailable


class Receipt(BaseModel):
    """A mined transaction. `transfers` are the ERC-20 Transfer logs of the one token asked for."""

    model_config = ConfigDict(frozen=True)
    tx_hash: str
    block_number: int
    block_hash: str
    status: int
    gas_used: int
    effective_gas_price: int
    transfers: tuple[TransferLog, ...]


class UnsignedTransaction(BaseModel):
    """EIP-1559 fields. `wallet` is lower case; the signer finds the key by it."""

    model_config = ConfigDict(frozen=True)
    chain_id: int
    wallet: str
    nonce: int
    to_address: str
    value_wei: int
    data: bytes
    gas_limit: int
    price: GasPrice


class SignedTransaction(BaseModel):
    model_config = ConfigDict(frozen=True)
    tx_hash: str
    raw: bytes


class EvmChain(Protocol):
    """Reading and sending. Addresses and hashes are lower-case 0x strings."""

    chain_id: int

    async def check_chain(self) -> None:
        """Raise Broken wrong_chain when the node serves another chain, or the token has no code or not 6 decimals."""

    async def head(self) -> Head:
        """Newest block and the safe and finalized numbers, in one batch."""
        ...

    async def blocks(self, numbers: Sequence[int]) -> list[BlockRef]:
        """Blocks by number; numbers above the head are left out."""
        ...

    async def transfers_to(self, addresses: Sequence[str], first: int, last: int) -> list[TransferLog]:
        """Every Transfer log of any token into `addresses` in blocks first..last, with log_ordinal from receipts.

        Raises: RangeTooLarge when the node refuses the range.
        """
        ...

    async def transfer_in_block(self, block_hash: str, tx_hash: str, log_ordinal: int) -> TransferLog | None:
        """The log as this very block has it, or None: also when the block is not canonical or the status is 0."""
        ...

    async def receipt(self, tx_hash: str, token: str) -> Receipt | None:
        """The receipt from a canonical block, or None when not mined."""
        ...

    async def token_balances(self, token: str, addresses: Sequence[str], block_number: int | None) -> list[int]:
        """balanceOf at a block (None: latest), in order."""
        ...

    async def eth_balances(self, addresses: Sequence[str]) -> list[int]: ...

    async def transaction_count(self, address: str, *, pending: bool = False, block_number: int | None = None) -> int:
        """Nonces used: in the latest block, in the pool too, or at a block."""
        ...

    async def knows(self, tx_hash: str) -> bool:
        """Does the node have this transaction, mined or in its pool?"""
        ...

    async def base_fee(self) -> int: ...

    async def simulate_transfer(self, token: str, sender: str, to: str, amount: int) -> str | None:
        """eth_call of transfer: None when it would succeed (empty or true, as SafeERC20), else the token's reason."""
        ...

    async def estimate_gas(self, sender: str, to: str, data: bytes, value_wei: int) -> int: ...

    async def send_raw(self, raw: bytes) -> None:
        """Broadcast. Success when the node takes it or knows it already. Raises Rejected nonce_too_low,
        replacement_underpriced, insufficient_gas_funds as code `send_refused` with `reason` in data."""
        ...

    def wake_ups(self) -> AsyncIterator[None]:
        """Yields whenever a new block may exist: WebSocket newHeads when configured, else a timer. Never ends,
        reconnects by itself, is never the truth."""
        ...


class RangeTooLarge(Unavailable):
    """The node refuses a log query of this width; the caller halves it (`range_too_large` in data)."""

    def __init__(self, detail: str) -> None:
        super().__init__("chain_unavailable", detail, range_too_large=True)


class EvmSigner(Protocol):
    """Only the signer process has one."""

    def addresses(self) -> dict[str, str]:
        """Wallet roles (hot, gas) to lower-case addresses, derived from the keys."""
        ...

    def sign(self, transaction: UnsignedTransaction, derivation_index: int | None) -> SignedTransaction:
        """Sign with the key of `transaction.wallet`; for a deposit address its index is given and re-derived."""
        ...


class EvmAddresses(Protocol):
    """Public derivation: no secret."""

    def deposit_address(self, index: int) -> str:
        """Lower-case address of /0/index below the account xpub."""
        ...
