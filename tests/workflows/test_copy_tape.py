"""Determinism: a tape played twice in peace and once through kills, duplicates and disorder gives one ledger."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from storage.copytrade.ledger_hash import combined
from storage.copytrade.tape import load, save
from tests.tape_lab import count, hashes, record, replayed

SEED = int(os.environ["CHAOS_SEED"])


async def test_a_tape_gives_the_same_ledger_however_it_is_played(
    new_database: Callable[[], Awaitable[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = await new_database()
    tape = await record(first, tmp_path / "first", seed=SEED)
    assert await count(first, "copy_attempts WHERE decision = 'EXECUTE'") > 4
    assert await count(first, "ledger_entries WHERE entry_type = 'SETTLEMENT'") > 0
    assert await count(first, "copy_attempts WHERE buffered_count > 0") > 0
    assert await count(first, "copy_attempts WHERE out_of_order") == 0
    save(tape, tmp_path / "tape.jsonl")
    tape = load(tmp_path / "tape.jsonl")
    found = [await hashes(first)]
    for number, rough in enumerate((None, None, SEED)):
        found.append(await replayed(tape, await new_database(), tmp_path / f"replay{number}", rough))
    with capsys.disabled():
        print(f" [ledger {combined(found[0])}, CHAOS_SEED={SEED}]")
    assert found[1] == found[2] == found[3]
    assert found[0] == found[1]
