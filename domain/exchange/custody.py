"""Where the money lies: sweeps worth making, and whether custody covers what is owed."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from domain.shared.ledger import Transfer, custody, move
from domain.shared.money import USDC


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
