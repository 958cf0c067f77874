"""What the platform's Solana key may be used for: a list of programs for each kind of plan."""

from __future__ import annotations

from typing import Final

from domain.launchpad.deployment import SUBJECT, keeps_control
from domain.launchpad.transactions import Plan
from domain.shared.errors import Broken

LOADER: Final = "BPFLoaderUpgradeab1e11111111111111111111111"
SYSTEM: Final = "11111111111111111111111111111111"
TOKENS: Final = frozenset(
    {
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    }
)
MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
METAPLEX: Final = "metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s"
"""Metadata of classic tokens: launches alone."""
LAUNCH: Final = "launch"


def check_programs(plan: Plan, own: frozenset[str]) -> None:
    """Raise Broken transaction_not_landing when the plan calls a program that its kind has no business with, or has the
    loader give anything away.

    Args:  own  our programs: the sale's and the pool's.
    """
    allowed = {LOADER, SYSTEM} if plan.subject_kind == SUBJECT else {SYSTEM, MEMO, *TOKENS, *own}
    allowed |= {METAPLEX} if plan.subject_kind == LAUNCH else set()
    foreign = sorted({step.program for step in plan.instructions} - allowed)
    if foreign:
        raise Broken("transaction_not_landing", f"{plan.key} calls {', '.join(foreign)}: not to be signed")
    if not all(keeps_control(step, plan.payer) for step in plan.instructions if step.program == LOADER):
        raise Broken("transaction_not_landing", f"{plan.key} would give a program away: not to be signed")
