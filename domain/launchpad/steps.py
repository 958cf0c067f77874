"""The launch of a token as data: its steps in order, and what becomes of each when the launch is given up.

Until the mint everything is undone in reverse; the mint is the point of no return, and from there the launch only goes
forward (CG-098). A promotion is paid before anything irreversible: a payment that is not there stops a launch that can
still be undone. Steps that share a transaction are proven one by one (LP-020 to LP-031).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Undo(StrEnum):
    """What giving up means for a step."""

    NOTHING = "nothing"
    """It changed nothing outside the books."""
    UNPIN = "unpin"
    """What it pinned is unpinned, unless another launch pins it too."""
    REFUND = "refund"
    """Money came in; that it is owed back is written down."""
    NEVER = "never"
    """It cannot be undone."""


class Step(NamedTuple):
    """`chain`: the effect is a transaction; its name is part of the transaction's key."""

    name: str
    title: str
    undo: Undo
    chain: bool = False


VALIDATE = Step("validate", "Look at the request again", Undo.NOTHING)
PIN_IMAGES = Step("pin_images", "Pin logo, banner and icon", Undo.UNPIN)
PIN_METADATA = Step("pin_metadata", "Pin the metadata", Undo.UNPIN)
PROMO_PAYMENT = Step("promo_payment", "Find the promotion's payment on the chain", Undo.REFUND)
MINT = Step("mint", "Make the token", Undo.NEVER, chain=True)
CURVE = Step("create_sale", "Create the sale with its curve", Undo.NEVER, chain=True)
TAX = Step("tax", "Compare the tax on trades", Undo.NEVER)
REFERRAL = Step("referral", "Compare the referral shares", Undo.NEVER)
LIQUIDITY = Step("liquidity", "Compare what goes to the pool and to the team", Undo.NEVER)
VERIFY = Step("verify", "Read everything back from the chain", Undo.NEVER)
ACTIVATE = Step("activate", "Show the project and start its promotion", Undo.NEVER)

STEPS: Final = (
    VALIDATE,
    PIN_IMAGES,
    PIN_METADATA,
    PROMO_PAYMENT,
    MINT,
    CURVE,
    TAX,
    REFERRAL,
    LIQUIDITY,
    VERIFY,
    ACTIVATE,
)
NAMES: Final = tuple(step.name for step in STEPS)
NO_RETURN: Final = MINT
ENDED: Final = ("live", "undone", "failed")
"""Statuses in which a launch is over."""


def reversible(name: str) -> bool:
    """May the launch still be given up while it is at this step? The mint itself is asked before it is signed."""
    return NAMES.index(name) <= NAMES.index(NO_RETURN.name)


def to_undo(reached: str) -> tuple[Step, ...]:
    """What to undo, in order, when the launch is given up at the step `reached`: that step too, it may be half done."""
    upto = STEPS[: NAMES.index(reached) + 1]
    return tuple(step for step in reversed(upto) if step.undo in (Undo.UNPIN, Undo.REFUND))


def plan_key(launch_id: str, step: Step) -> str:
    """The key of the step's transaction: one effect on the chain, for ever."""
    return f"launch:{launch_id}:{step.name}"


def named(name: str) -> Step:
    """The step of this name."""
    return STEPS[NAMES.index(name)]
