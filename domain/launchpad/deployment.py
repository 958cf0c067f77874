"""Bringing a program onto the chain through the upgradeable loader: its pieces, its effects, what is still missing.

A program is written into a buffer piece by piece, then published from there in one transaction. Both addresses come
from seeds under the platform's wallet, so that no key has to be kept and a resumed deployment finds its own buffer.
"""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.launchpad.transactions import Instruction
from domain.shared.errors import Rejected

SUBJECT: Final = "deployment"
"""`subject_kind` of its plans: the signer lets the loader be called for nothing else."""
STEPS: Final = ("buffer", "chunks", "publish", "verify", "authority")
CHUNK: Final = 900
"""Bytes a write carries: with a compute limit and its price in front, a transaction stays within 1,232."""
ROUNDS: Final = 3
"""How often what is missing is written before an operator is asked: a second time only after a fork."""
LONGEST_NAME: Final = 32
MOST_BYTES: Final = 2 * 2**20
_ELF: Final = b"\x7fELF"
_BEGIN, _WRITE, _DEPLOY, _SET_AUTHORITY, _CLOSE = 0, 1, 2, 4, 5
"""The loader's numbers of what it does."""
_NOBODY: Final = 2
"""Accounts of a change of authority that names no next one."""


class Effect(StrEnum):
    """What is done once each; writes have numbers instead."""

    BUFFER = "buffer"
    PUBLISH = "publish"
    FINAL = "final"
    CLOSE = "close"


class Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class DeploymentRef(Value):
    deployment_id: str


class PlanEffect(Value):
    deployment_id: str
    effect: Effect


class PlanChunks(Value):
    """`turn`: how often the buffer was compared before; what is written again is another effect."""

    deployment_id: str
    numbers: tuple[int, ...]
    turn: int


class ToLand(Value):
    """The keys to land. `cancelled`: nothing new was planned, because the deployment is to be undone."""

    keys: tuple[str, ...] = ()
    cancelled: bool = False


class Missing(Value):
    numbers: tuple[int, ...]


class CheckPublished(Value):
    """`sealed`: nobody may be able to change it any more."""

    deployment_id: str
    sealed: bool = False


class DeploymentFacts(Value):
    """`created`, `published`: planned at least. `at_once`: writes on their way at a time."""

    deployment_id: str
    name: str
    program_id: str
    chunks: int
    final: bool
    created: bool
    published: bool
    ended: bool
    cancelled: bool
    at_once: int = 1


class DeploymentEnded(Value):
    deployment_id: str
    operation_id: str | None
    cancelled: bool = False


class Deployed(Value):
    """Result of the process."""

    program_id: str
    cancelled: bool


class BufferFacts(NamedTuple):
    """A buffer as its account says; no authority: nobody can write it."""

    authority: str | None
    content: bytes


class ProgramFacts(NamedTuple):
    """A program's data as its account says; no authority: final."""

    authority: str | None
    slot: int
    content: bytes


def key(deployment_id: str, effect: Effect) -> str:
    return f"deployment:{deployment_id}:{effect}"


def chunk_key(deployment_id: str, number: int, turn: int) -> str:
    return f"deployment:{deployment_id}:chunk:{number}:{turn}"


def count(size: int) -> int:
    """Writes for a program of so many bytes."""
    return -(-size // CHUNK)


def piece(content: bytes, number: int) -> bytes:
    return content[number * CHUNK : (number + 1) * CHUNK]


def missing(content: bytes, found: bytes) -> tuple[int, ...]:
    """Numbers of the pieces that do not stand in the buffer yet; zeros stand there from the beginning."""
    return tuple(n for n in range(count(len(content))) if piece(content, n) != piece(found, n))


def check_program(name: str, content: bytes) -> None:
    """Raises: Rejected validation_failed for what the loader would refuse, or we would not pay for."""
    if not 1 <= len(name.encode()) <= LONGEST_NAME or not name.isprintable():
        raise Rejected("validation_failed", f"a program's name has 1 to {LONGEST_NAME} bytes")
    if not content.startswith(_ELF):
        raise Rejected("validation_failed", "not a program: an ELF file is expected")
    if len(content) > MOST_BYTES:
        raise Rejected("validation_failed", f"{len(content)} bytes: a program may have {MOST_BYTES}")


def buffer_difference(facts: BufferFacts, authority: str, size: int) -> str | None:
    """Why this is not the buffer we made; None: it is."""
    if facts.authority != authority:
        return f"its authority is {facts.authority or 'nobody'}, not {authority}"
    if len(facts.content) != size:
        return f"it has room for {len(facts.content)} bytes, not {size}"
    return None


def program_difference(facts: ProgramFacts, content: bytes, authorities: set[str | None]) -> str | None:
    """How the published program is not what was to be published; None: it is."""
    if facts.content[: len(content)] != content or any(facts.content[len(content) :]):
        return "its bytes are others than those of the file"
    if facts.authority not in authorities:
        return f"{facts.authority or 'nobody'} can change it"
    return None


def keeps_control(step: Instruction, wallet: str) -> bool:
    """Whether a call of the loader leaves everything with the wallet, or with nobody: no authority goes to another, no
    lamports of a closed buffer do, and no program that stands is replaced.
    """
    act = int.from_bytes(base64.b64decode(step.data)[:4], "little")
    addresses = [meta.address for meta in step.accounts]
    if act in (_BEGIN, _CLOSE):
        return addresses[1:2] == [wallet]
    if act == _SET_AUTHORITY:
        return len(addresses) == _NOBODY
    return act in (_WRITE, _DEPLOY)
