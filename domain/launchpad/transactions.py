"""A transaction on Solana as the books keep it: what it is to do, under a key that is its idempotency.

Addresses and signatures are base58, data is base64, money lamports. A plan never changes once it is written; how often
it has to be signed until it lands is the sender's affair (activities/launchpad/sending.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Meta(Value):
    """One account of an instruction."""

    address: str
    signer: bool = False
    writable: bool = False


class Instruction(Value):
    program: str
    accounts: tuple[Meta, ...] = ()
    data: str = ""
    """base64."""


class Plan(Value):
    """`key`: what it is, for ever, as `launch:{id}:mint`. `payer`: pays the fees; with the platform's wallet every
    other signer is a wallet outside, whose signature is awaited. `most_lamports`: what the platform's wallet may lose
    by it at most, fees and rents included."""

    key: str
    subject_kind: str
    subject_id: str
    payer: str
    instructions: tuple[Instruction, ...]
    most_lamports: int

    def signers(self) -> frozenset[str]:
        """Whose signatures the chain wants."""
        return frozenset({self.payer} | {m.address for step in self.instructions for m in step.accounts if m.signer})


class Outcome(StrEnum):
    """What became of a plan. EXPIRED: proven that the attempt can never land; another may be signed. STUCK: it does not
    land and does not expire by itself, as it is on a durable nonce."""

    LANDED = "landed"
    FAILED = "failed"
    EXPIRED = "expired"
    STUCK = "stuck"


class Landing(Value):
    """`err` is the node's word, `code` ours for it (a program's custom error by its name in the IDL)."""

    key: str
    outcome: Outcome
    number: int = 0
    """Which attempt; 0: none was sent."""
    signature: str | None = None
    slot: int | None = None
    finalized: bool = False
    err: Any = None
    code: str | None = None
    fee_lamports: int = 0
    lost_lamports: int = 0
    """What the platform's wallet had less after it, fees included."""


class Draft(Value):
    """A message ready to be signed, and what it was priced with. `simulated_err`: why it would fail if sent now.
    `height`, `finalized_height`: of the chain when it was made. `nonce_id`: the durable nonce that is its blockhash, as
    it was finally in `nonce_slot`."""

    message: bytes
    blockhash: str
    nonce_id: str | None = None
    nonce_slot: int | None = None
    last_valid_height: int
    height: int
    finalized_height: int
    compute_limit: int
    compute_price_micro_lamports: int
    fee_lamports: int
    lost_lamports: int = 0
    simulated_err: Any = None
    logs: tuple[str, ...] = ()


class SignedWire(Value):
    """A transaction as a wallet hands it in. `valid`: whose signatures stand and belong to this very message."""

    raw: bytes
    message: bytes
    signature: str
    valid: frozenset[str]


class Attempt(Value):
    """One message of a plan. `raw`: with the signatures it has so far; `signature`: set once it has all of them.
    `nonce_id`: the durable nonce that `blockhash` is of, read in `nonce_slot`: what is older says nothing about it."""

    number: int
    status: str
    message: bytes
    raw: bytes | None = None
    signature: str | None = None
    blockhash: str
    nonce_id: str | None = None
    nonce_slot: int | None = None
    last_valid_height: int
    compute_limit: int
    compute_price_micro_lamports: int

    @property
    def live(self) -> bool:
        """May it land, or has it landed without being final?"""
        return self.status in ("signed", "landed")


class Planned(Value):
    """A plan, what became of it, and its newest attempt."""

    id: str
    plan: Plan
    status: str
    signature: str | None = None
    slot: int | None = None
    err: Any = None
    newest: Attempt | None = None


class LandKey(Value):
    """Which plan is to be signed. `again`: sign anew what failed on the chain for good."""

    key: str
    again: bool = False


class SignedAttempt(Value):
    """Bytes that are ready to be sent, or (`ended`) why there is nothing to send."""

    key: str
    number: int = 0
    signature: str = ""
    ended: Landing | None = None


class SendAttempt(Value):
    key: str
    number: int
    finalized: bool = False


class LookedAfter(Value):
    summary: str


class LandingRecorded(Value):
    """`again`: the plan is the platform's alone, so the next attempt may be signed. `void`: land the plan of this key,
    finally; then what was stuck has expired, or landed."""

    again: bool = False
    void: str | None = None
