"""A sale as the chain keeps it: its accounts and what its program tells, as plain values.

Addresses base58, money lamports, tokens base units, prices 10^-9 lamport per whole token, times seconds of the chain's
clock. Field names are the IDL's (programs/launchpad/idl.json) in snake_case.
Source: docs/concepts/sale_program.md.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from domain.launchpad.curves import Curve, Shape
from domain.launchpad.transactions import Value

LEVELS = 5


class OnChain(IntEnum):
    """The program's own word for where a sale is."""

    ACTIVE = 0
    CLOSED = 1
    GRADUATED = 2
    CANCELLED = 3


class Terms(Value):
    """What creation fixes for ever."""

    start_price: int
    target_price: int
    sale_supply: int
    liquidity_supply: int
    team_supply: int
    other_supply: int
    soft_cap: int
    hard_cap: int
    max_wallet: int
    starts_at: int
    ends_at: int
    cliff_seconds: int
    vest_seconds: int
    most: int
    tax_bps: int
    referral_bps: int
    shape: int
    decimals: int

    @property
    def curve(self) -> Curve:
        return Curve(Shape(self.shape), self.start_price, self.target_price, self.sale_supply, self.decimals)


class SaleKeys(Value):
    """What an instruction on a sale names."""

    address: str
    mint: str
    vault: str
    token_program: str
    creator: str
    platform: str


class Recipients(Value):
    """Who is paid out of a sale, fixed at creation. `other_owner`: ecosystem and reserve, after graduation."""

    marketing: str
    treasury: str
    rewards: str
    other_owner: str


class SaleState(Value):
    """The Sale account."""

    address: str
    mint: str
    vault: str
    creator: str
    platform: str
    token_program: str
    marketing: str
    treasury: str
    rewards: str
    other_owner: str
    pool_program: str
    amm_config: str
    terms: Terms
    status: OnChain
    latched: bool
    reclaimed: bool
    sold: int
    raised: int
    held: int
    tax_held: int
    marketing_due: int
    treasury_due: int
    burn_due: int
    rewards_due: int
    referral_due: int
    rent: int
    tax_total: int
    burned: int
    other_due: int
    pooled_lamports: int
    pooled_tokens: int

    @property
    def keys(self) -> SaleKeys:
        return SaleKeys(
            address=self.address,
            mint=self.mint,
            vault=self.vault,
            token_program=self.token_program,
            creator=self.creator,
            platform=self.platform,
        )


class PositionState(Value):
    """The Position account: what a wallet bought before the latch, and what its uplines earned here."""

    address: str
    sale: str
    buyer: str
    tokens: int
    bought: int
    paid: int
    tax: int
    earned: tuple[int, ...]


class ReferralState(Value):
    """The Referral account of a wallet; `upline` nearest first, only those that exist."""

    user: str
    upline: tuple[str, ...]
    pending: int
    earned: int
    direct: int


class VestingState(Value):
    """What the team of a graduated sale waits for."""

    sale: str
    beneficiary: str
    lamports: int
    tokens: int
    claimed_lamports: int
    claimed_tokens: int
    starts_at: int
    cliff_seconds: int
    vest_seconds: int


class Emitted(Value):
    """One event of the program. `kind`: its name in the IDL, as `Traded`; `data`: its fields, in snake_case."""

    kind: str
    data: dict[str, Any]


class Told(NamedTuple):
    """What our program told in a transaction. `events`: each with its place among all that was told, read or not;
    `unknown`: base64 nobody here can read."""

    events: tuple[tuple[int, Emitted], ...]
    unknown: tuple[str, ...]
