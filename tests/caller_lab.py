"""A stranger's program (tests/programs/caller): one instruction of it makes other calls, at any depth."""

from __future__ import annotations

from pathlib import Path

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs import build

CALLER = Pubkey.from_string("HFStranger111111111111111111111111111111111")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


def built_caller(folder: Path) -> Path:
    """The compiled program, in `folder`."""
    path = folder / "caller.so"
    path.write_bytes(build.compile_program("caller", home=Path(__file__).parent / "programs"))
    return path


def calling(*steps: Instruction, deeper: int = 0) -> Instruction:
    """Runs these at height 2, or `deeper`."""
    metas, data = [AccountMeta(CALLER, is_signer=False, is_writable=False)], bytes([deeper])
    for step in steps:
        data += bytes([len(metas), len(step.accounts), len(step.data)]) + step.data
        metas += [AccountMeta(step.program_id, is_signer=False, is_writable=False), *step.accounts]
    return Instruction(CALLER, data, metas)


def flood() -> list[Instruction]:
    """Calls that print more than the 10,000 bytes a node keeps."""
    return [Instruction(MEMO, b"", [])] * 50
