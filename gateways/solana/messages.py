"""Messages: a plan compiled to the bytes that are signed, and signed bytes taken apart again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta
from solders.instruction import Instruction as Built
from solders.message import MessageV0, from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from domain.launchpad.transactions import Instruction, Plan, SignedWire
from domain.shared.errors import Broken, Rejected

COMPUTE_MOST: Final = 1_400_000
"""Units a transaction may use at all."""
FEE_LAMPORTS: Final = 5_000
"""Per signature."""
_RAW_MOST: Final = 1_232
_APART: Final = 4_096


def built(step: Instruction) -> Built:
    """An instruction as Solana's library has it."""
    metas = [AccountMeta(Pubkey.from_string(m.address), m.signer, m.writable) for m in step.accounts]
    return Built(Pubkey.from_string(step.program), base64.b64decode(step.data), metas)


def compiled(plan: Plan, blockhash: str, *, limit: int, price: int, advance: Instruction | None = None) -> bytes:
    """The message of a plan with its compute budget first. Raises: Broken internal_error when it is too large.

    Args:  advance  uses up the durable nonce that the blockhash is: the chain wants it before everything else.
    """
    first = [built(advance)] if advance is not None else []
    budget = [set_compute_unit_limit(limit), set_compute_unit_price(price)]
    steps = [*first, *budget, *(built(step) for step in plan.instructions)]
    message = MessageV0.try_compile(Pubkey.from_string(plan.payer), steps, [], Hash.from_string(blockhash))
    size = len(unsigned(to_bytes_versioned(message)))
    if size > _RAW_MOST:
        raise Broken("internal_error", f"{plan.key} makes a transaction of {size} bytes, {_RAW_MOST} are possible")
    return to_bytes_versioned(message)


def apart(key: str) -> int:
    """Compute units that a plan has more than it needs, by its key: two plans of the same instructions in the same
    block are two transactions and not one."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % _APART


def unsigned(message: bytes) -> bytes:
    """The wire form with an empty place for each signature, as wallets and simulations take it."""
    return with_signatures(message, {})


def with_signatures(message: bytes, signatures: Mapping[str, str]) -> bytes:
    """The wire form. `signatures`: base58 by address; who is missing leaves an empty place."""
    read = from_bytes_versioned(message)
    signers = read.account_keys[: read.header.num_required_signatures]
    placed = [
        Signature.from_string(signatures[str(key)]) if str(key) in signatures else Signature.default()
        for key in signers
    ]
    return bytes(VersionedTransaction.populate(read, placed))


def signatures_of(raw: bytes) -> dict[str, str]:
    """The signatures in a wire form, by address, empty places left out."""
    transaction = VersionedTransaction.from_bytes(raw)
    empty = Signature.default()
    return {
        str(key): str(signature)
        for key, signature in zip(transaction.message.account_keys, transaction.signatures, strict=False)
        if signature != empty
    }


def read_signed(raw: bytes) -> SignedWire:
    """Take apart what a wallet sent. Raises: Rejected transaction_altered when it is no transaction."""
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except Exception as error:
        raise Rejected("transaction_altered", "the bytes are not a transaction") from error
    if bytes(transaction) != raw:
        raise Rejected("transaction_altered", "there are bytes behind the transaction")
    message = transaction.message
    good = transaction.verify_with_results()
    valid = frozenset(str(key) for key, fits in zip(message.account_keys, good, strict=False) if fits)
    signature = str(transaction.signatures[0])
    return SignedWire(raw=raw, message=to_bytes_versioned(message), signature=signature, valid=valid)
