"""Durable nonces: a message on one can land until somebody uses up its nonce, however long a wallet takes to sign it.

The nonce accounts are the platform's: the address follows from its wallet and the nonce's id, the wallet alone may
advance them. A plan here is a function of wallet and id, so that the signer makes it again instead of reading it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from domain.launchpad.transactions import Instruction, Meta, Plan
from domain.shared import base58

NONCE: Final = "nonce"
"""Subject of these plans; its id is the nonce's."""
BYTES: Final = 80
RENT: Final = 1_447_680
"""Lamports that an account of so many bytes needs to stand for ever."""
FEES_MOST: Final = 2_000_000
NO_HEIGHT: Final = 2**63 - 1
"""The last valid height of a message on a nonce: none that a chain reaches."""
SYSTEM: Final = "11111111111111111111111111111111"
RECENT: Final = "SysvarRecentB1ockHashes11111111111111111111"
RENTS: Final = "SysvarRent111111111111111111111111111111111"

_TRANSFER, _ADVANCE, _INITIALIZE, _ALLOCATE_WITH_SEED = 2, 4, 6, 9
"""The system program's numbers."""
_READY: Final = (1).to_bytes(4, "little") * 2
"""How an account of a nonce begins: today's version, initialized."""


def address_of(wallet: str, nonce_id: str) -> str:
    """Where this nonce of the wallet stands."""
    return base58.encode(hashlib.sha256(base58.decode(wallet) + _seed(nonce_id) + base58.decode(SYSTEM)).digest())


def key_of(nonce_id: str) -> str:
    """Key of the plan that makes it."""
    return f"nonce:{nonce_id}"


def creation(wallet: str, nonce_id: str) -> Plan:
    """Makes it: funded and allocated instead of created, so that a lamport sent ahead by a stranger stops nothing."""
    address, base, seed = address_of(wallet, nonce_id), base58.decode(wallet), _seed(nonce_id)
    size, owner = BYTES.to_bytes(8, "little"), base58.decode(SYSTEM)
    payer, nonce = Meta(address=wallet, signer=True, writable=True), Meta(address=address, writable=True)
    allocate = _system(
        _ALLOCATE_WITH_SEED,
        base + len(seed).to_bytes(8, "little") + seed + size + owner,
        nonce,
        Meta(address=wallet, signer=True),
    )
    begin = _system(_INITIALIZE, base, nonce, Meta(address=RECENT), Meta(address=RENTS))
    fund = _system(_TRANSFER, RENT.to_bytes(8, "little"), payer, nonce)
    return _plan(key_of(nonce_id), wallet, nonce_id, (fund, allocate, begin), RENT + FEES_MOST)


def void(wallet: str, nonce_id: str, key: str, number: int) -> Plan:
    """Uses the nonce up and does nothing else: then attempt `number` of the plan `key` can never land."""
    return _plan(f"void:{key}:{number}", wallet, nonce_id, (advance(wallet, nonce_id),), FEES_MOST)


def advance(wallet: str, nonce_id: str) -> Instruction:
    """The first instruction of every message on this nonce."""
    nonce = Meta(address=address_of(wallet, nonce_id), writable=True)
    return _system(_ADVANCE, b"", nonce, Meta(address=RECENT), Meta(address=wallet, signer=True))


def is_ours(plan: Plan, wallet: str) -> bool:
    """Is this plan, to the byte, one of the two that a nonce of the wallet has?"""
    nonce_id = plan.subject_id
    mine = creation(wallet, nonce_id).instructions, (advance(wallet, nonce_id),)
    return plan.payer == wallet and plan.instructions in mine


def value_in(owner: str, data: bytes) -> str | None:
    """The nonce that an account holds: the blockhash of messages on it. None: it holds none."""
    ready = owner == SYSTEM and len(data) == BYTES and data[:8] == _READY
    return base58.encode(data[40:72]) if ready else None


def _seed(nonce_id: str) -> bytes:
    """An id without its hyphens has the 32 bytes that a seed may have."""
    return nonce_id.replace("-", "").encode()


def _plan(key: str, wallet: str, nonce_id: str, instructions: tuple[Instruction, ...], most_lamports: int) -> Plan:
    return Plan(
        key=key,
        subject_kind=NONCE,
        subject_id=nonce_id,
        payer=wallet,
        instructions=instructions,
        most_lamports=most_lamports,
    )


def _system(number: int, data: bytes, *accounts: Meta) -> Instruction:
    told = number.to_bytes(4, "little") + data
    return Instruction(program=SYSTEM, accounts=accounts, data=base64.b64encode(told).decode())
