"""The committed program is what its source compiles to, and its interface is what clients expect."""

from __future__ import annotations

import json
import re
import shutil
import struct
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from anchorpy import Coder
from anchorpy_core.idl import Idl
from solders.pubkey import Pubkey

from localnet.svm.programs import PROGRAMS
from programs import build, link
from programs.interface import snake, tag
from tests.programs import ledger
from tests.programs.interface import LAUNCHPAD, POOL, Interface
from tests.programs.test_hostile_graduation import RAYDIUM
from tests.programs.test_sale_model import run


def test_the_committed_program_is_its_source() -> None:
    assert build.stale() == []


def test_the_manifest_names_the_hash() -> None:
    for name in build.NAMES:
        program = (build.HERE / name / f"{name}.so").read_bytes()
        assert json.loads(build.MANIFEST.read_text())[name]["sha256"] == sha256(program).hexdigest()


@pytest.mark.skipif(shutil.which("clang-19") is None, reason="only where clang-19 is installed (CI)")
def test_what_clang_19_makes_of_it_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in build.NAMES:
        (tmp_path / name).mkdir()
        program = build.compile_program(name, ("clang-19", *build.CLANG))
        (tmp_path / name / f"{name}.so").write_bytes(program)
    monkeypatch.setattr(ledger, "BUILT", tmp_path)
    for seed in range(3):
        run(Random(seed))


@pytest.mark.parametrize("interface", [LAUNCHPAD, POOL], ids=["launchpad", "pool"])
def test_anchorpy_loads_the_interface(interface: Interface) -> None:
    """Every account and event has its decoder, every instruction its builder, under our tags."""
    idl = interface.idl
    coder = Coder(Idl.from_json(json.dumps(idl)))
    for space, entries in (("account", idl["accounts"]), ("event", idl["events"])):
        for entry in entries:
            known = coder.accounts.acc_name_to_discriminator if space == "account" else coder.events.layouts
            assert entry["name"] in known
            if space == "account":
                assert known[entry["name"]] == tag(space, entry["name"])
    for entry in idl["instructions"]:
        if not entry["args"]:
            assert coder.instruction.encode(snake(entry["name"]), {}) == tag("global", entry["name"])


def test_numbers_of_the_pool_interface_in_the_sale_program_are_right() -> None:
    """The sale program calls another program: its tags are no part of its own idl.json."""
    source = "".join((build.HERE / "launchpad" / name).read_text() for name in ("pooling.h", "graduation.h"))
    numbers = dict(re.findall(r"#define (\w+) (0x\w+)ULL", source))
    for name, value in (
        ("DO_INITIALIZE", tag("global", "initialize")),
        ("DO_SWAP_BASE_INPUT", tag("global", "swapBaseInput")),
        ("IS_AMM_CONFIG", tag("account", "AmmConfig")),
    ):
        assert int(numbers[name], 16) == int.from_bytes(value, "little")
    allowed = [bytes.fromhex(raw) for raw in _arrays((build.HERE / "launchpad" / "graduation.h").read_text())]
    assert allowed == [bytes(Pubkey.from_string(key)) for key in (*RAYDIUM, PROGRAMS["pool"].address)]


def _arrays(source: str) -> list[str]:
    return ["".join(re.findall(r"0x(\w\w)", body)) for body in re.findall(r"\[32\] = \{([^}]*)\}", source)]


def test_tags_are_anchors() -> None:
    """Known from Anchor programs of others: buy, sell (chains.md 3.4)."""
    assert tag("global", "buy").hex() == "66063d1201daebea"
    assert tag("global", "sell").hex() == "33e685a4017f83ad"
    assert tag("global", "createSale") == sha256(b"global:create_sale").digest()[:8]


@pytest.mark.parametrize("interface", [LAUNCHPAD, POOL], ids=["launchpad", "pool"])
def test_names_and_codes_are_unique(interface: Interface) -> None:
    idl = interface.idl
    for part in ("instructions", "accounts", "events", "types", "errors"):
        names = [entry["name"] for entry in idl[part]]
        assert len(names) == len(set(names))
    assert [error["code"] for error in idl["errors"]] == list(range(6_000, 6_000 + len(idl["errors"])))


def test_what_is_no_object_is_not_linked() -> None:
    for raw in (b"", b"\x7fELF" + bytes(100), (build.HERE / "launchpad" / "launchpad.so").read_bytes()):
        with pytest.raises((link.NotLinkable, ValueError, struct.error)):
            link.link(raw)
