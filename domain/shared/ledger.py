"""The ledger's grammar: accounts, postings, transfers. Storage writes them; here is what is allowed.

A posting moves `amount` minor units of `unit` into `account` (negative: out of it). A transfer is a set of postings
that sums to zero per unit, named by a `key` that makes it happen once. Sign convention: what we owe is positive
(`users:…`, `platform:…`), what we hold is negative (`custody:…`), `world` closes the books.

Two-phase transfers (after TigerBeetle): a `pending` transfer moves money from `available` to `held`; exactly one
`post` or `void` may name it in `resolves`, enforced by a unique index.
"""

from __future__ import annotations

import re
from collections import defaultdict
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, model_validator

WORLD: Final = "world"
PLATFORM_FEES: Final = "platform:fees"
PLATFORM_TREASURY: Final = "platform:treasury"

_ACCOUNT = re.compile(
    r"(?:users:[0-9a-f-]{36}:(?:available|held)|custody:[0-9]+:(?:deposits|hot|cold)"
    r"|platform:[a-z_]+|assets:[0-9a-z-]+:[a-z_]+|world)\Z"
)


def available(account_id: str) -> str:
    """What the user can spend."""
    return f"users:{account_id}:available"


def held(account_id: str) -> str:
    """What is set aside for a process that has not ended."""
    return f"users:{account_id}:held"


def custody(chain_id: int, bucket: str) -> str:
    """Where the money lies: bucket is deposits, hot or cold."""
    return f"custody:{chain_id}:{bucket}"


class Phase(StrEnum):
    SINGLE = "single"
    PENDING = "pending"
    POST = "post"
    VOID = "void"


class Posting(BaseModel):
    """One line: `amount` minor units of `unit` into `account`; negative takes out."""

    model_config = ConfigDict(frozen=True)
    account: str
    unit: str
    amount: int

    @model_validator(mode="after")
    def _known(self) -> Posting:
        if not _ACCOUNT.match(self.account):
            raise ValueError(f"not an account path: {self.account}")
        if self.amount == 0:
            raise ValueError("a posting of zero says nothing")
        return self


class Transfer(BaseModel):
    """A balanced set of postings. `key` is its idempotency: the same key is booked once, whoever asks."""

    model_config = ConfigDict(frozen=True)
    key: str
    kind: str
    postings: tuple[Posting, ...]
    ref: str = ""
    phase: Phase = Phase.SINGLE
    resolves: str | None = None

    @model_validator(mode="after")
    def _balanced(self) -> Transfer:
        sums: dict[str, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.unit] += posting.amount
        if len(self.postings) < 2 or any(sums.values()):
            raise ValueError(f"transfer {self.key} does not sum to zero: {dict(sums)}")
        if (self.resolves is not None) != (self.phase in (Phase.POST, Phase.VOID)):
            raise ValueError("exactly a post or a void resolves a pending transfer")
        return self


def move(unit: str, amount: int, source: str, destination: str) -> tuple[Posting, Posting]:
    """Two postings that move `amount` > 0 from source to destination."""
    if amount <= 0:
        raise ValueError("amount must be positive")
    return (
        Posting(account=source, unit=unit, amount=-amount),
        Posting(account=destination, unit=unit, amount=amount),
    )


def hold(key: str, kind: str, account_id: str, unit: str, amount: int, ref: str = "") -> Transfer:
    """Pending transfer: the user's money is set aside, still theirs."""
    return Transfer(
        key=key,
        kind=kind,
        phase=Phase.PENDING,
        ref=ref,
        postings=move(unit, amount, available(account_id), held(account_id)),
    )


def void(pending: str, kind: str, account_id: str, unit: str, amount: int, ref: str = "") -> Transfer:
    """The hold `pending` is given back whole."""
    return Transfer(
        key=f"{pending}:void",
        kind=kind,
        phase=Phase.VOID,
        resolves=pending,
        ref=ref,
        postings=move(unit, amount, held(account_id), available(account_id)),
    )


def post(pending: str, kind: str, postings: tuple[Posting, ...], ref: str = "") -> Transfer:
    """The hold `pending` is spent: `postings` must take the held amount."""
    return Transfer(key=f"{pending}:post", kind=kind, phase=Phase.POST, resolves=pending, ref=ref, postings=postings)
