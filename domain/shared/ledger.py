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
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

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


def reserve(asset_id: str) -> str:
    """What backs an asset's shares: the curve's integral."""
    return f"assets:{asset_id}:reserve"


def lp_principal(asset_id: str) -> str:
    """What liquidity providers put in and may take out again. Trading never touches it."""
    return f"assets:{asset_id}:lp_principal"


def lp_fees(asset_id: str) -> str:
    """The providers' part of the fees, until they claim it."""
    return f"assets:{asset_id}:lp_fees"


Line = tuple[str, str, int]
"""Account, unit, amount: a posting as a plain value, where ten thousand a second are made."""


class Booking(NamedTuple):
    """A single-phase transfer as a plain value; what `Transfer` demands is demanded by `check_booking`."""

    key: str
    kind: str
    lines: tuple[Line, ...]
    ref: str = ""


@lru_cache(maxsize=65_536)
def is_account(path: str) -> bool:
    """Whether this is an account path of the grammar."""
    return _ACCOUNT.match(path) is not None


def check_line(account: str, amount: int) -> None:
    """Raises: ValueError when a line names no account, or moves nothing."""
    if not is_account(account):
        raise ValueError(f"not an account path: {account}")
    if amount == 0:
        raise ValueError("a posting of zero says nothing")


def check_sums(key: str, lines: Iterable[Line]) -> None:
    """Raises: ValueError when there are fewer than two lines, or those of a unit do not sum to zero."""
    sums: dict[str, int] = defaultdict(int)
    count = 0
    for _, unit, amount in lines:
        sums[unit] += amount
        count += 1
    if count < 2 or any(sums.values()):
        raise ValueError(f"transfer {key} does not sum to zero: {dict(sums)}")


def check_booking(booking: Booking) -> None:
    """Raises: ValueError when a `Transfer` of the same lines could not be made."""
    for account, _, amount in booking.lines:
        check_line(account, amount)
    check_sums(booking.key, booking.lines)


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
        check_line(self.account, self.amount)
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
        check_sums(self.key, ((p.account, p.unit, p.amount) for p in self.postings))
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
