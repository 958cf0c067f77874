"""The committed program is what its source compiles to, and its interface is what clients expect."""

from __future__ import annotations

import json
import shutil
import struct
from hashlib import sha256

import pytest

from programs import build, link
from programs.interface import tag
from tests.programs.interface import IDL


def test_the_committed_program_is_its_source() -> None:
    assert build.stale() == []


def test_the_manifest_names_the_hash() -> None:
    program = (build.HERE / "launchpad" / "launchpad.so").read_bytes()
    assert json.loads(build.MANIFEST.read_text())["launchpad"]["sha256"] == sha256(program).hexdigest()


@pytest.mark.skipif(shutil.which("clang-19") is None, reason="only where clang-19 is installed (CI)")
def test_clang_19_compiles_it_too() -> None:
    assert len(build.compile_program("launchpad", ("clang-19", *build.CLANG))) > 10_000


def test_tags_are_anchors() -> None:
    """Known from Anchor programs of others: buy, sell (chains.md 3.4)."""
    assert tag("global", "buy").hex() == "66063d1201daebea"
    assert tag("global", "sell").hex() == "33e685a4017f83ad"
    assert tag("global", "createSale") == sha256(b"global:create_sale").digest()[:8]


def test_names_and_codes_are_unique() -> None:
    for part in ("instructions", "accounts", "events", "types", "errors"):
        names = [entry["name"] for entry in IDL[part]]
        assert len(names) == len(set(names))
    assert [error["code"] for error in IDL["errors"]] == list(range(6_000, 6_000 + len(IDL["errors"])))


def test_what_is_no_object_is_not_linked() -> None:
    for raw in (b"", b"\x7fELF" + bytes(100), (build.HERE / "launchpad" / "launchpad.so").read_bytes()):
        with pytest.raises((link.NotLinkable, ValueError, struct.error)):
            link.link(raw)
