"""Where the money lies: our wallets, moves between them, sweeps worth making, whether custody covers what is owed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.shared.ledger import Transfer, custody, move
from domain.shared.money import USDC


class Wallets(BaseModel):
    """Our own addresses beside the deposit addresses, lower case; `cold` is empty when there is none."""

    model_config = ConfigDict(frozen=True)
    hot: str
    gas: str
    cold: str = ""

    @property
    def holding(self) -> frozenset[str]:
        """Those that hold customers' USDC: what comes in there is never a customer's deposit."""
        return frozenset(address for address in (self.hot, self.cold) if address)


class Levels(BaseModel):
    """From where on operators are told: gas in wei, USDC of the hot wallet and of 24 hours' withdrawals in micros."""

    model_config = ConfigDict(frozen=True)
    hot_wei: int
    gas_wei: int
    floor_micros: int
    ceiling_micros: int
    platform_daily_micros: int

    @property
    def platform_warning_micros(self) -> int:
        """Operators hear of the platform's daily limit before users do: at four fifths of it."""
        return self.platform_daily_micros * 4 // 5


class Move(NamedTuple):
    """A transfer on the chain between our own wallets that no process of ours made: buckets, and what it is called."""

    source: str
    destination: str
    words: str


MOVES: Final[dict[str, Move]] = {
    "cold_refill": Move("cold", "hot", "Refill of the hot wallet from the cold wallet"),
    "moved_to_cold": Move("hot", "cold", "Move to the cold wallet"),
    "rescued_to_cold": Move("deposits", "cold", "Rescue from a deposit address to the cold wallet"),
    "unrecorded_sweep": Move("deposits", "hot", "Sweep that the books do not know"),
}
"""By the reason on the observed transfer's row."""


OUR_MONEY: Final = frozenset({"treasury", *MOVES})
"""Reasons of transfers that credit no account: no minimum applies to them."""


def move_transfer(reason: str, key: str, chain_id: int, amount: int, ref: str) -> Transfer:
    """Books a move of `MOVES`: no user and nothing we owe is touched. Custody accounts are negative, so the bucket that
    receives is the one the posting takes from.
    """
    source, destination, _ = MOVES[reason]
    return Transfer(
        key=key,
        kind="custody_move",
        ref=ref,
        postings=move(USDC, amount, custody(chain_id, destination), custody(chain_id, source)),
    )


class AddressBalance(BaseModel):
    """A deposit address with what the books say lies there (credited, not swept), in micros."""

    model_config = ConfigDict(frozen=True)
    address: str
    micros: int


def choose_sweeps(
    balances: Sequence[AddressBalance], *, at_least: int, needed: int | None = None
) -> list[AddressBalance]:
    """Addresses to sweep now, largest first.

    Args:  at_least  smaller balances cost more gas than they are worth; ignored when money is needed.
           needed    micros the hot wallet lacks; None sweeps everything from `at_least` on.
    """
    ranked = sorted((b for b in balances if b.micros > 0), key=lambda b: (-b.micros, b.address))
    if needed is None:
        return [b for b in ranked if b.micros >= at_least]
    chosen: list[AddressBalance] = []
    for balance in ranked:
        if needed <= 0:
            break
        chosen.append(balance)
        needed -= balance.micros
    return chosen


def sweep_transfer(sweep_id: str, chain_id: int, amount: int, tx_hash: str) -> Transfer:
    """Money moved between our own wallets: no user is touched. Custody accounts are negative, hence the direction."""
    return Transfer(
        key=f"sweep:{sweep_id}",
        kind="sweep",
        ref=tx_hash,
        postings=move(USDC, amount, custody(chain_id, "hot"), custody(chain_id, "deposits")),
    )


class Solvency(BaseModel):
    """All in micros, read at one block. `in_flight`: withdrawals mined at or before it and not yet settled."""

    model_config = ConfigDict(frozen=True)
    block_number: int
    custody: int
    in_flight: int
    liabilities: int

    @property
    def ok(self) -> bool:
        return self.custody + self.in_flight >= self.liabilities
