"""Books against chain: one sale as the books have it, as the chain has it, and where the two disagree.

Base units and lamports. What only grows by gifts is compared with "at least"; what holders may burn, with "at most".
Source: LP-069; launchpad.md 11; docs/concepts/sync.md.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.launchpad.folding import Totals, differences
from domain.launchpad.sale import OnChain, SaleKeys, SaleState, VestingState
from domain.launchpad.transactions import Value


class SaleOnBooks(NamedTuple):
    """`totals`: what its events add up to, up to `cursor` in the slot `cursor_slot`; `waiting`: base units that its
    positions say are still in the vault."""

    id: str
    keys: SaleKeys
    supply: int
    totals: Totals
    latched: bool
    waiting: int
    cursor: str
    cursor_slot: int


class SaleOnChain(NamedTuple):
    """Of one slot. None: no such account, or not of that kind."""

    slot: int
    state: SaleState | None
    lamports: int
    vault: int | None
    mint_supply: int | None
    authorities: tuple[str, ...]
    """Who may still mint or freeze."""
    vesting: VestingState | None
    vesting_lamports: int


class Compared(NamedTuple):
    """`wrong`: no later event can heal it; `behind`: events may be on their way, to be looked for."""

    wrong: tuple[str, ...]
    behind: tuple[str, ...]


class Reconcile(Value):
    """Input of a round."""


class Reconciled(Value):
    """What a round found. `behind`: sales whose events are on their way; `differs`: the alert's texts, by sale."""

    sales: int
    behind: int
    differs: dict[str, str] = {}
    summary: str = ""


def compare(books: SaleOnBooks, chain: SaleOnChain) -> Compared:
    """Every disagreement, in words with both numbers."""
    if chain.state is None:
        return Compared(("the chain has no such sale",), ())
    events = differences(books.totals, books.latched, chain.state)
    inside = _least("positions wait for", books.waiting, books.totals.held, exact=True)
    return Compared((*_holdings(books, chain, chain.state), *inside), events)


def vault_least(supply: int, state: SaleState, vesting: VestingState | None) -> int:
    """Base units that the vault must hold at least."""
    if state.reclaimed:
        return 0
    if state.status is OnChain.GRADUATED:
        team = vesting.tokens - vesting.claimed_tokens if vesting is not None else 0
        return state.held + state.other_due + team
    return supply - (state.sold - state.held)


def _holdings(books: SaleOnBooks, chain: SaleOnChain, state: SaleState) -> tuple[str, ...]:
    owed = state.rent + state.raised + state.tax_held
    found = [*_least("lamports of the sale", chain.lamports, owed)]
    if chain.vault is None:
        found.append("the vault is no token account of the sale")
    else:
        found += _least("tokens in the vault", chain.vault, vault_least(books.supply, state, chain.vesting))
    if chain.mint_supply is None:
        found.append("the mint is no mint")
    elif chain.mint_supply > books.supply - state.burned:
        found.append(f"supply: {chain.mint_supply}, expected at most {books.supply - state.burned}")
    found += [f"the mint has an authority again: {who}" for who in chain.authorities]
    if chain.vesting is not None:
        left = chain.vesting.lamports - chain.vesting.claimed_lamports
        found += _least("lamports of the vesting", chain.vesting_lamports, left)
    return tuple(found)


def _least(name: str, found: int, wanted: int, *, exact: bool = False) -> tuple[str, ...]:
    if found == wanted or (found > wanted and not exact):
        return ()
    return (f"{name}: {found}, expected {'' if exact else 'at least '}{wanted}",)
