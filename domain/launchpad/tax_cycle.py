"""What a tax cycle does with a sale: pay out what was collected, bring uplines what they earned, buy and burn, and
bring the holders' rewards what the token withheld from transfers.

Anybody may pay out and settle; the platform signs what burns. The program itself allows no more than is due, so a
cycle that comes twice moves nothing twice. Source: launchpad.md 8, 9; CG-071.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.launchpad import curves
from domain.launchpad.constant_product import swap
from domain.launchpad.sale import OnChain, PositionState, SaleState
from domain.launchpad.transactions import Instruction, Value

SETTLE_LEAST: Final = 100_000
"""Lamports a position's uplines must have earned together: a settlement costs the platform 5,000."""
SETTLED_AT_ONCE: Final = 2
"""In one transaction: each names nine accounts."""
SETTLEMENTS_MOST: Final = 100
"""Such transactions in one cycle: what is left is due in the next."""
HARVESTED_AT_ONCE: Final = 16
"""Token accounts in one transaction."""
SLACK_BPS: Final = 200
"""What a price may have moved when the burn arrives."""
BPS: Final = 10_000


class TaxCycle(Value):
    """Input of a cycle. `least`: lamports that must be due to somebody before they are paid out."""

    least_lamports: int


class Due(Value):
    """One transaction of a cycle. `act`: part of its key; at most one of a sale's act is on its way at a time."""

    sale_id: str
    act: str
    instructions: tuple[Instruction, ...]


class TaxPlanned(Value):
    """Keys of the transactions of this cycle."""

    keys: tuple[str, ...] = ()


class TaxDone(Value):
    landed: int = 0
    failed: int = 0
    summary: str = ""


class Pool(NamedTuple):
    """What stands in a sale's pool, and the mint's own fee on transfers."""

    lamports: int
    tokens: int
    fee_bps: int


class Withheld(NamedTuple):
    """Base units of a mint with a transfer fee. `holders`: (token account, amount), the most first."""

    in_mint: int
    holders: tuple[tuple[str, int], ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Of one transaction."""
        return tuple(address for address, _ in self.holders[:HARVESTED_AT_ONCE])


class Burn(NamedTuple):
    """`lamports` 0: along the curve, so many tokens; else from the pool for so many lamports, for `tokens` at least."""

    tokens: int
    lamports: int = 0


def least_of(state: SaleState, least: int) -> int:
    """Lamports that are worth a transaction; after graduation nothing more comes, and the last one goes out too."""
    return min(least, 1) if state.status is OnChain.GRADUATED else least


def pays_out(state: SaleState, least: int) -> bool:
    """Is enough due to marketing, treasury and rewards?"""
    due = state.marketing_due + state.treasury_due + state.rewards_due
    return state.latched and due >= least_of(state, least)


def settles(state: SaleState, position: PositionState) -> bool:
    """After graduation nothing more is earned, and what is left keeps the position from being closed."""
    return sum(position.earned) >= least_of(state, SETTLE_LEAST)


def harvests(state: SaleState, found: Withheld, least: int) -> bool:
    """Is what one transaction would bring to the holders' rewards worth `least` at the price of the curve?"""
    tokens = found.in_mint + sum(amount for _, amount in found.holders[:HARVESTED_AT_ONCE])
    curve = state.terms.curve
    wanted: int = least * 10**curve.decimals * 10**9
    return tokens * curves.spot(curve, state.sold) >= wanted


def burn_of(state: SaleState, now: int, least: int, pool: Pool | None) -> Burn | None:
    """What the burn's quarter buys now, with some slack for the trades before it; None: nothing, or not yet.

    Args:  now  seconds of the chain's clock.   pool  of a graduated sale.
    """
    if not state.latched or state.burn_due < least_of(state, least):
        return None
    if state.status is OnChain.GRADUATED:
        return _from_pool(state.burn_due, pool) if pool is not None else None
    if state.status is not OnChain.ACTIVE or now >= state.terms.ends_at:
        return None  # closed: its pool is not open yet
    budget = state.burn_due * (BPS - SLACK_BPS) // BPS
    tokens = curves.max_affordable(state.terms.curve, state.sold, budget, state.terms.most)
    return Burn(tokens) if tokens else None


def _from_pool(lamports: int, pool: Pool) -> Burn | None:
    if not pool.lamports or not pool.tokens:
        return None
    out = swap(lamports, pool.lamports, pool.tokens).out
    arriving = out * (BPS - pool.fee_bps) // BPS
    least = arriving * (BPS - SLACK_BPS) // BPS
    return Burn(least, lamports) if least else None
