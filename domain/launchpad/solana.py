"""What a Solana node tells, as values: accounts, statuses, transactions. Addresses are base58, money is lamports."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, Literal

from domain.launchpad.transactions import Instruction, Value

Commitment = Literal["processed", "confirmed", "finalized"]

GENESIS: Final = {
    "mainnet-beta": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    "devnet": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxkm8oHf",
}
"""Hash of each public cluster's first block: what it is known by. A local chain has its own."""


class Account(Value):
    """`slot`: when it was so."""

    address: str
    owner: str
    lamports: int
    data: bytes
    slot: int


class Blockhash(Value):
    """`last_valid_height`: beyond this block height no transaction with it can land. `height`: of now."""

    blockhash: str
    last_valid_height: int
    height: int


class Clock(Value):
    """The chain's own time: deadlines on the chain follow it, not ours."""

    slot: int
    unix_timestamp: int


class Level(IntEnum):
    """How deep a transaction is. Only what is finalized stays for ever."""

    PROCESSED = 1
    CONFIRMED = 2
    FINALIZED = 3


class Status(Value):
    slot: int
    level: Level
    err: Any = None


class View(Value):
    """What one node says of one signature. `slot`: the newest it had seen when it said so."""

    node: str
    slot: int
    status: Status | None = None


class Epoch(Value):
    """How far one node is at a commitment."""

    node: str
    slot: int
    height: int


class NonceState(Value):
    """What one node says that a durable nonce is, finally. `value` None: there is none."""

    node: str
    slot: int
    value: str | None


class NonceValue(Value):
    """A durable nonce as the nodes agree on it. `slot`: one in which it was this one already, finally."""

    value: str
    slot: int


class Simulated(Value):
    """A transaction tried out, as it would run now. `lost_lamports`: what the watched wallet has less after it."""

    err: Any = None
    logs: tuple[str, ...] = ()
    units: int = 0
    lost_lamports: int = 0


class SignatureRow(Value):
    """A line of an address's history."""

    signature: str
    slot: int
    err: Any = None
    block_time: int | None = None


class InnerCall(Value):
    """An instruction that a program called. `step`: under which of the message's; `height`: 2 for what that one called,
    3 for what this one calls. `data`: base58, as nodes tell it; strangers make it as long as they like, so only who
    needs it decodes it."""

    step: int
    height: int
    program: str
    data: str


class ChainTransaction(Value):
    """A transaction that landed. `accounts`: all it names, in the order of the balances; `instructions`: of the
    message; `inner`: those that programs called, as they ran."""

    signature: str
    slot: int
    block_time: int | None = None
    err: Any = None
    fee_lamports: int
    accounts: tuple[str, ...]
    pre_lamports: tuple[int, ...]
    post_lamports: tuple[int, ...]
    instructions: tuple[Instruction, ...]
    inner: tuple[InnerCall, ...]

    def lost_lamports(self, wallet: str) -> int:
        """What the wallet had less after it; negative when it had more."""
        if wallet not in self.accounts:
            return 0
        place = self.accounts.index(wallet)
        return self.pre_lamports[place] - self.post_lamports[place]


class AccountFilter(Value):
    """Bytes (base58) that accounts of a program must have at an offset."""

    offset: int
    base58: str
