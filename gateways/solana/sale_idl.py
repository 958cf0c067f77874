"""The launch program's IDL as anchorpy understands it, checked against what the program was compiled from.

anchorpy derives every tag from a name. The program's tags come from the same file by programs/interface.py; a
difference between the two would misread money, so it is refused here, once, at the start.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import programs
from programs.interface import TAG_SIZE, fields_size, snake, tag

if TYPE_CHECKING:
    from anchorpy.coder.coder import Coder

IDL_FILE: Final = Path(programs.__file__).parent / "launchpad" / "idl.json"


class Interface(NamedTuple):
    """`accounts` per instruction: (name, signs, changes). `sizes`: bytes of an account of each kind, tag included."""

    coder: Coder
    accounts: dict[str, tuple[tuple[str, bool, bool], ...]]
    sizes: dict[str, int]
    errors: dict[int, str]


class TagsDiffer(RuntimeError):
    """anchorpy and the program disagree on how something begins."""


@lru_cache(maxsize=1)
def sizes() -> dict[str, int]:
    """Bytes of an account of each kind, tag included."""
    idl = json.loads(IDL_FILE.read_text())
    return {entry["name"]: TAG_SIZE + fields_size(idl, entry["type"]["fields"]) for entry in idl["accounts"]}


@lru_cache(maxsize=1)
def interface() -> Interface:
    """Raises: TagsDiffer."""
    # forty megabytes, and a second: not for processes that only need an address or a size
    from anchorpy.coder.coder import Coder
    from anchorpy_core.idl import Idl

    text = IDL_FILE.read_text()
    idl: dict[str, Any] = json.loads(text)
    coder = Coder(Idl.from_json(text))
    check_tags(idl, coder)
    return Interface(
        coder,
        {
            entry["name"]: tuple((a["name"], a["isSigner"], a["isMut"]) for a in entry["accounts"])
            for entry in idl["instructions"]
        },
        sizes(),
        {entry["code"]: entry["name"] for entry in idl["errors"]},
    )


def check_tags(idl: dict[str, Any], coder: Coder) -> None:
    """Raises: TagsDiffer when one tag of anchorpy's is not the program's."""
    theirs = {
        "global": coder.instruction.sighashes,
        "account": coder.accounts.acc_name_to_discriminator,
        "event": {name: found for found, name in coder.events.discriminators.items()},
    }
    ours = {
        "global": {snake(entry["name"]): tag("global", entry["name"]) for entry in idl["instructions"]},
        "account": {entry["name"]: tag("account", entry["name"]) for entry in idl["accounts"]},
        "event": {entry["name"]: tag("event", entry["name"]) for entry in idl["events"]},
    }
    for space, tags in ours.items():
        if tags != theirs[space]:
            raise TagsDiffer(f"{space}: anchorpy and {IDL_FILE.name} derive different tags")
