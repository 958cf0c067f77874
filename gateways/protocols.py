"""What activities expect of the outside. Implementations live beside this file; tests use the same on real servers.

All methods raise Unavailable (chain_unavailable, chain_lagging) when the node is away, slow, behind or inconsistent,
and never guess: an answer of unknown shape raises `Quarantined`, which carries the raw answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from domain.copytrade.venue import Book
from domain.exchange.fees import GasPrice
from domain.exchange.messages import BlockRef, Head, TransferLog
from domain.launchpad.solana import (
    Account,
    AccountFilter,
    Blockhash,
    ChainTransaction,
    Clock,
    Commitment,
    Epoch,
    SignatureRow,
    Simulated,
    View,
)
from domain.launchpad.transactions import Draft, Plan, SignedWire
from domain.shared.errors import Unavailable


class Quarantined(Unavailable):
    """An upstream answered with a shape we do not know. `payload` is what it sent, for the quarantine table."""

    def __init__(self, source: str, kind: str, reason: str, payload: Any) -> None:
        super().__init__(
            "quarantined",
            f"{source} {kind}: {reason}",
            retry_after_s=5,
            source=source,
            kind=kind,
            reason=reason,
            payload=payload,
        )
        self.source, self.kind, self.reason, self.payload = source, kind, reason, payload


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


class BookRead(NamedTuple):
    """One answer of the venue. `raw`: its own JSON, to check a decision by; `book`: sorted, best first."""

    book: Book
    raw: dict[str, Any]
    received_at: datetime
    source: str = "rest"


class OrderBooks(Protocol):
    """Where a copy attempt reads its one book."""

    async def read_book(self, token_id: str) -> BookRead:
        """ONE request, never repeated inside: the caller counts them and knows how long it may go on.

        Raises: Unavailable venue_unavailable, venue_rate_limited; Quarantined; Rejected not_found: there is no book.
        """
        ...


class SolanaNodes(Protocol):
    """Every configured node as one. Raises Unavailable solana_unavailable, Quarantined for answers of unknown shape."""

    @property
    def size(self) -> int:
        """How many hosts are configured: two ways to one of them are one witness."""
        ...

    async def check_cluster(self, cluster: str) -> None:
        """Raises Broken wrong_chain when a node serves another cluster than this, as far as its first block tells."""
        ...

    async def account(
        self, address: str, *, commitment: Commitment = "confirmed", min_slot: int | None = None
    ) -> Account | None:
        """None: two nodes (or the only one) say that it does not exist. `min_slot`: not older than that."""
        ...

    async def accounts(
        self, addresses: Sequence[str], *, commitment: Commitment = "confirmed", min_slot: int | None = None
    ) -> list[Account | None]:
        """In order, of one slot; a hundred at most."""
        ...

    async def program_accounts(
        self, program: str, *, filters: Sequence[AccountFilter] = (), commitment: Commitment = "confirmed"
    ) -> list[Account]: ...

    async def balance(self, address: str, *, commitment: Commitment = "confirmed") -> int: ...

    async def rent(self, size: int) -> int:
        """Lamports that an account of this size needs to stand for ever."""
        ...

    async def blockhash(self) -> Blockhash:
        """A confirmed one; `last_valid_height` as if it were of the highest block that any node knows."""
        ...

    async def height(self, *, commitment: Commitment = "finalized") -> int: ...

    async def epochs(self, *, commitment: Commitment = "finalized") -> list[Epoch]:
        """How far each node is, of those that answer."""
        ...

    async def clock(self, *, commitment: Commitment = "confirmed") -> Clock: ...

    async def recent_fees(self, addresses: Sequence[str]) -> list[int]:
        """Millionths of a lamport per compute unit that recent transactions which wrote these accounts have paid."""
        ...

    async def simulate(self, transaction: bytes, *, watched: str) -> Simulated:
        """Try it out on the newest state, signatures unseen. `watched`: whose lamports are compared."""
        ...

    async def send(self, raw: bytes) -> list[str]:
        """Hand the bytes to every node. Returns what refuses them: never raises, the chain alone tells if it landed."""
        ...

    async def statuses(self, signature: str, *, search: bool = False) -> list[View]:
        """What every node that answers says of it. `search`: in the whole history, not only the last minutes."""
        ...

    async def signatures_for(
        self,
        address: str,
        *,
        until: str | None = None,
        before: str | None = None,
        limit: int = 1_000,
        commitment: Commitment = "finalized",
    ) -> list[SignatureRow]:
        """Newest first, of those after `until` and before `before`."""
        ...

    async def transaction(
        self, signature: str, *, commitment: Commitment = "finalized", agreed: bool = False
    ) -> ChainTransaction | None:
        """The first that knows it is believed. `agreed`: two hosts must tell the same, unless only one answers."""


class SolanaReads(Protocol):
    """What the API asks of Solana: it signs and sends nothing."""

    nodes: SolanaNodes

    async def draft(self, plan: Plan, *, price_least: int = 0) -> Draft:
        """The plan's message on a fresh blockhash, priced and tried out. Raises Unavailable solana_unavailable."""

    def message(self, plan: Plan, blockhash: str, *, limit: int, price: int) -> bytes:
        """The plan as the bytes that are signed."""

    async def try_out(self, message: bytes) -> Simulated:
        """A message as it would run now, against the platform's wallet."""

    def read_signed(self, raw: bytes) -> SignedWire:
        """A signed transaction taken apart. Raises Rejected transaction_altered when it cannot be read."""
        ...


class SolanaSigner(Protocol):
    """Only the signer process has one."""

    address: str

    def sign(self, message: bytes, raw: bytes | None = None) -> tuple[bytes, str]:
        """The complete transaction and its signature. `raw`: with the signatures of others."""
        ...
