"""Which programs on Solana this installation works with, where their ids come from, and whether they are ids at all."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from litestar import Response, get
from pydantic import BaseModel

from api.deps import ApiConfig, Deps
from api.http import bodies
from api.http.documented import guarded
from api.launchpad.standing import TAG
from domain.launchpad.addresses import ADDRESS_BYTES
from domain.shared import base58

_WELL_KNOWN: Final = "built into Solana"
_SEED: Final = "seed document 003, a label only"


class Program(NamedTuple):
    name: str
    purpose: str
    program_id: str
    source: str
    used: bool


BUILT_IN: Final = (
    Program("token-2022", "tokens of launches", "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb", _WELL_KNOWN, True),
    Program("spl-token", "classic tokens", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", _WELL_KNOWN, True),
    Program("associated-token", "token accounts", "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL", _WELL_KNOWN, True),
)
# CG-060: what the source document calls deployed programs. Tax and referral are part of our sale program.
LABELS: Final = (
    Program("staking", "not built", "stkePW8VgQF8CxNm6k7q1FKzGvzRgJ7xNJ8jT6ZVXy", _SEED, False),
    Program("rewards", "not built", "rewrDSBhqKMxLkhJRnEKRsJKt7rPt5bBF4VVXsEK6Nx", _SEED, False),
    Program("governance", "not built", "govnNQF7Z8k9pVwJLzY4XpKj6h1rGE3tqTmE9xKvPp", _SEED, False),
    Program("tax-distribution", "done by launchpad", "taxD1stR1But10n111111111111111111111111111", _SEED, False),
    Program("referral-rewards", "done by launchpad", "refRewrDs111111111111111111111111111111111", _SEED, False),
)


class ProgramView(BaseModel):
    """`used`: transactions of ours call it. `valid`: the id is base58 of 32 bytes; else `problem` says what it is."""

    name: str
    purpose: str
    program_id: str
    source: str
    used: bool
    valid: bool
    problem: str | None


class ProgramList(BaseModel):
    cluster: str
    items: list[ProgramView]
    next_cursor: str | None


def fault(program_id: str) -> str | None:
    """Why this is no id of a program; None when it is one."""
    if not program_id:
        return "not configured"
    try:
        size = len(base58.decode(program_id))
    except ValueError as error:
        return f"not base58: {error}"
    return None if size == ADDRESS_BYTES else f"{size} bytes, {ADDRESS_BYTES} are wanted"


def view(program: Program) -> dict[str, Any]:
    problem = fault(program.program_id)
    return {**program._asdict(), "valid": problem is None, "problem": problem}


def configured(config: ApiConfig) -> tuple[Program, ...]:
    return (
        Program("launchpad", "curve sales, their tax, referrals and vesting", config.launchpad_program_id,
                "LAUNCHPAD_PROGRAM_ID", bool(config.launchpad_program_id)),
        Program("pool", "what a sale graduates into", config.launchpad_pool_program_id,
                "LAUNCHPAD_POOL_PROGRAM_ID", bool(config.launchpad_pool_program_id)),
    )  # fmt: skip


@get("/api/programs",
     **guarded("List programs", tag=TAG, scopes=("launchpad:read",),
               response_example={"cluster": "localnet", "items": [view(BUILT_IN[0]), view(LABELS[0])],
                                 "next_cursor": None}))  # fmt: skip
async def list_programs(deps: Deps) -> Response[ProgramList]:
    """The configured ones, those of Solana we call, and the five names of the source document that are no programs of
    ours: four of those ids cannot even be one (CG-060)."""
    listed = [view(program) for program in (*configured(deps.config), *BUILT_IN, *LABELS)]
    return bodies.encoded({"cluster": deps.config.solana_cluster, "items": listed, "next_cursor": None})
