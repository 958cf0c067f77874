"""What activities expect of the outside. Implementations live beside this file; tests use the same on real servers.

All methods raise Unavailable (chain_unavailable, chain_lagging) when the node is away, slow, behind or inconsistent,
and never guess: an answer of unknown shape raises `Quarantined`, which carries the raw answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from domain.copytrade.venue import Book
from domain.launchpad.solana import (
    Account,
    AccountFilter,
    Blockhash,
    ChainTransaction,
    Clock,
    Commitment,
    Epoch,
    NonceState,
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

    async def nonces(self, address: str) -> list[NonceState]:
        """What each node that answers says is the durable nonce in this account, finally."""
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

    async def draft(self, plan: Plan, *, price_least: int = 0, nonce_id: str | None = None) -> Draft:
        """The plan's message on a fresh blockhash, or on this nonce of the platform, priced and tried out.

        Raises Unavailable solana_unavailable."""
        ...

    def message(self, plan: Plan, blockhash: str, *, limit: int, price: int, nonce_id: str | None = None) -> bytes:
        """The plan as the bytes that are signed."""
        ...

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
