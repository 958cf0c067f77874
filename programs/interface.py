"""What clients and the C source must agree on, derived from a program's idl.json alone: names, tags, sizes.

The IDL is Anchor's legacy form, as anchorpy reads it; so a struct in arguments has no public keys (anchorpy 0.21 cannot
pack them). A tag is the first eight bytes of sha256 of "global:", "account:" or "event:" and the name (an instruction's
in snake_case).
Source: chains.md 2.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final

SIZES: Final = {"u8": 1, "bool": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "u128": 16, "publicKey": 32}
TAG_SIZE: Final = 8
EVENT: Final = (0x1D9ACB512EA545E4).to_bytes(TAG_SIZE, "little")
"""What a program's call to itself begins with that tells of an event: Anchor's emit_cpi!."""

Idl = dict[str, Any]


def snake(name: str) -> str:
    """createSale, CreateSale → create_sale."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def tag(space: str, name: str) -> bytes:
    """The eight bytes that begin an instruction's data ("global"), an account or an event."""
    return sha256(f"{space}:{snake(name) if space == 'global' else name}".encode()).digest()[:TAG_SIZE]


def size(idl: Idl, kind: str | dict[str, Any]) -> int:
    """Bytes of a value of fixed size.

    Raises: KeyError for a type without one.
    """
    if isinstance(kind, str):
        return SIZES[kind]
    if "array" in kind:
        inner, count = kind["array"]
        return size(idl, inner) * int(count)
    named = {entry["name"]: entry for entry in idl["types"]}
    return fields_size(idl, named[kind["defined"]]["type"]["fields"])


def fields_size(idl: Idl, fields: list[dict[str, Any]]) -> int:
    """Bytes of all fields, packed as borsh does."""
    return sum(size(idl, field["type"]) for field in fields)


def header(idl: Idl) -> str:
    """interface.h: tags as little-endian numbers, sizes, error codes."""
    lines = ["/* Made from idl.json by make programs. */", "#ifndef INTERFACE_H", "#define INTERFACE_H", ""]
    for space, entries in (("global", idl["instructions"]), ("account", idl["accounts"]), ("event", idl["events"])):
        for entry in entries:
            number = int.from_bytes(tag(space, entry["name"]), "little")
            lines.append(f"#define {_constant(space, entry['name'])} 0x{number:016x}ULL")
    lines.append("")
    for entry in idl["accounts"]:
        lines.append(
            f"#define {snake(entry['name']).upper()}_SIZE {TAG_SIZE + fields_size(idl, entry['type']['fields'])}"
        )
    for entry in idl["events"]:
        lines.append(
            f"#define {snake(entry['name']).upper()}_EVENT_SIZE {TAG_SIZE + fields_size(idl, entry['fields'])}"
        )
    lines.append(f"#define EVENT_MOST {max(TAG_SIZE + fields_size(idl, entry['fields']) for entry in idl['events'])}")
    for entry in idl["types"]:
        lines.append(f"#define {snake(entry['name']).upper()}_SIZE {fields_size(idl, entry['type']['fields'])}")
    for entry in idl["instructions"]:
        lines.append(f"#define {snake(entry['name']).upper()}_ACCOUNTS {len(entry['accounts'])}")
    lines += ["", "enum {"]
    lines += [f"    {snake(error['name']).upper()} = {error['code']}, /* {error['msg']} */" for error in idl["errors"]]
    return "\n".join([*lines, "};", "", "#endif", ""])


def _constant(space: str, name: str) -> str:
    return {"global": "DO_", "account": "IS_", "event": "TELL_"}[space] + snake(name).upper()
