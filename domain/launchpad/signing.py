"""What the platform's Solana key may be used for: for each kind of plan, the programs, and what they may be told.

Whoever can write plans still cannot have the wallet, or a token account of it, given away. A program sees every signer
of the transaction, so an instruction is judged by the addresses it names and not by who is said to sign it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from domain.launchpad.deployment import SUBJECT, keeps_control
from domain.launchpad.nonces import NONCE, is_ours
from domain.launchpad.transactions import Instruction, Plan
from domain.shared import base58
from domain.shared.errors import Broken

LOADER: Final = "BPFLoaderUpgradeab1e11111111111111111111111"
SYSTEM: Final = "11111111111111111111111111111111"
ASSOCIATED: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
TOKENS: Final = frozenset(
    {"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"}
)
MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
METAPLEX: Final = "metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s"
"""Metadata of classic tokens: launches alone."""
LAUNCH: Final = "launch"
PROMO_REFUND: Final = "promo_refund"
"""One transfer: to whom and how much, only the books say (promo_refunds.py)."""
KINDS: Final = frozenset({LAUNCH, SUBJECT, NONCE, PROMO_REFUND, "sale", "sale_refund"})
"""Of plans that the platform signs. A trade in a sale is signed by its wallet alone."""

_TRANSFER, _ALLOCATE_WITH_SEED = 2, 9
"""The system program's numbers."""
_OPEN_IF_MISSING: Final = b"\x01"
"""AssociatedTokenAccount: CreateIdempotent."""
_HARVEST_TO_MINT: Final = b"\x1a\x04"
"""What token accounts withheld goes to their mint. Anybody may."""
_NO_MORE_MINTING: Final = b"\x06\x00\x00"
"""SetAuthority of the right to mint, to nobody."""
_MINT: Final = (
    b"\x27\x00",  # its metadata is on itself
    b"\x1a\x00",  # its transfer fee
    b"\x14",  # InitializeMint2
    bytes.fromhex("d2e11ea258b84d8d"),  # the metadata
    bytes.fromhex("d7e4a6e45464567b"),  # whose it is
    b"\x07",  # MintTo
)
"""How the instructions begin that make a token, each of which names the mint first."""
_CREATE_METADATA: Final = b"\x21"
"""Metaplex: CreateMetadataAccountV3."""


def check_programs(plan: Plan, own: frozenset[str], *, wallet: str, treasury: str) -> None:
    """Raise Broken transaction_not_landing when the plan is of no kind the platform signs, calls a program that its
    kind has no business with, or tells one what no plan of ours does.

    Args:  own       our programs: the sale's and the pool's.
           wallet    the platform's.
           treasury  the one address beside accounts of its own that the wallet may pay, when a launch or a deployment
                     does.
    """
    if plan.subject_kind not in KINDS:
        raise Broken("transaction_not_landing", f"{plan.key} is a {plan.subject_kind}: not to be signed")
    if plan.subject_kind == NONCE:
        if not is_ours(plan, wallet):
            detail = f"{plan.key} does more than make or use up its nonce: not to be signed"
            raise Broken("transaction_not_landing", detail)
        return
    allowed = {LOADER, SYSTEM} if plan.subject_kind == SUBJECT else {SYSTEM, MEMO, ASSOCIATED, *TOKENS, *own}
    allowed |= {METAPLEX} if plan.subject_kind == LAUNCH else set()
    allowed = {SYSTEM} if plan.subject_kind == PROMO_REFUND else allowed
    foreign = sorted({step.program for step in plan.instructions} - allowed)
    if foreign:
        raise Broken("transaction_not_landing", f"{plan.key} calls {', '.join(foreign)}: not to be signed")
    if not all(keeps_control(step, wallet) for step in plan.instructions if step.program == LOADER):
        raise Broken("transaction_not_landing", f"{plan.key} would give a program away: not to be signed")
    seeded = frozenset(_seeded(step, plan) for step in plan.instructions) - {""}
    for number, step in enumerate(plan.instructions):
        if not _known(step, plan, seeded, wallet=wallet, treasury=treasury):
            detail = f"instruction {number} of {plan.key} is none of a {plan.subject_kind}: not to be signed"
            raise Broken("transaction_not_landing", detail)


def _known(step: Instruction, plan: Plan, seeded: frozenset[str], *, wallet: str, treasury: str) -> bool:
    """Is it one that plans of this kind have? The loader's, and those of our own programs, are not looked into here."""
    data, first = base64.b64decode(step.data), _account(step, 0)
    if step.program == SYSTEM:
        if _seeded(step, plan):
            return True
        pays = _number(data) == _TRANSFER
        if plan.subject_kind == PROMO_REFUND:
            return pays and len(plan.instructions) == 1 and first == wallet
        to_ours = plan.subject_kind in (LAUNCH, SUBJECT) and _account(step, 1) in {*seeded, treasury}
        return pays and (first != wallet or to_ours)
    if step.program == ASSOCIATED:
        return data == _OPEN_IF_MISSING
    if step.program in TOKENS:
        makes = plan.subject_kind == LAUNCH and first in seeded
        return data == _HARVEST_TO_MINT or (makes and (data == _NO_MORE_MINTING or data.startswith(_MINT)))
    return data.startswith(_CREATE_METADATA) if step.program == METAPLEX else True


def _seeded(step: Instruction, plan: Plan) -> str:
    """The address that this step allocates from a seed under the plan's payer, for a program that holds it for us:
    the loader when something is deployed, a token program when a token is made. Empty: the step does nothing like it.
    """
    data = base64.b64decode(step.data)
    if step.program != SYSTEM or _number(data) != _ALLOCATE_WITH_SEED or len(data) < 44:
        return ""
    size = int.from_bytes(data[36:44], "little")
    base, seed, owner = data[4:36], data[44 : 44 + size], data[-32:]
    if len(data) != 44 + size + 8 + 32 or base58.encode(base) != plan.payer:
        return ""
    owners = {SUBJECT: {LOADER}, LAUNCH: TOKENS}.get(plan.subject_kind, frozenset())
    address = base58.encode(hashlib.sha256(base + seed + owner).digest())
    return address if base58.encode(owner) in owners and _account(step, 0) == address else ""


def _number(data: bytes) -> int:
    return int.from_bytes(data[:4], "little") if len(data) >= 4 else -1


def _account(step: Instruction, place: int) -> str:
    return step.accounts[place].address if place < len(step.accounts) else ""
