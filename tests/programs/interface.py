"""Packs and reads what the launch program takes and keeps, from its idl.json; borsh for values of fixed size."""

from __future__ import annotations

import json
import struct
from typing import Any

from solders.pubkey import Pubkey

from programs import build
from programs.interface import Idl, tag

IDL: Idl = json.loads((build.HERE / "launchpad" / "idl.json").read_text())
ERRORS: dict[int, str] = {error["code"]: error["name"] for error in IDL["errors"]}
_NUMBERS = {"u8": "<B", "bool": "<?", "u16": "<H", "u64": "<Q", "i64": "<q"}


def instruction(name: str) -> dict[str, Any]:
    return next(entry for entry in IDL["instructions"] if entry["name"] == name)


def _fields(name: str) -> list[dict[str, Any]]:
    entries = [*IDL["types"], *IDL["accounts"], *({"name": e["name"], "type": e} for e in IDL["events"])]
    return next(entry["type"]["fields"] for entry in entries if entry["name"] == name)


def pack(kind: Any, value: Any) -> bytes:
    """One value as borsh."""
    if isinstance(kind, str):
        return bytes(value) if kind == "publicKey" else struct.pack(_NUMBERS[kind], value)
    if "array" in kind:
        return b"".join(pack(kind["array"][0], part) for part in value)
    if "vec" in kind:
        return struct.pack("<I", len(value)) + b"".join(pack(kind["vec"], part) for part in value)
    return b"".join(pack(field["type"], value[field["name"]]) for field in _fields(kind["defined"]))


def unpack(kind: Any, raw: bytes, at: int = 0) -> tuple[Any, int]:
    """One value of fixed size and where the next begins."""
    if kind == "publicKey":
        return Pubkey.from_bytes(raw[at : at + 32]), at + 32
    if isinstance(kind, str):
        return struct.unpack_from(_NUMBERS[kind], raw, at)[0], at + struct.calcsize(_NUMBERS[kind])
    if "array" in kind:
        values = []
        for _ in range(kind["array"][1]):
            value, at = unpack(kind["array"][0], raw, at)
            values.append(value)
        return values, at
    return unpack_fields(kind["defined"], raw, at)


def unpack_fields(name: str, raw: bytes, at: int) -> tuple[dict[str, Any], int]:
    found = {}
    for field in _fields(name):
        found[field["name"]], at = unpack(field["type"], raw, at)
    return found, at


def call_data(name: str, *arguments: Any) -> bytes:
    """An instruction's data: its tag and arguments."""
    kinds = [argument["type"] for argument in instruction(name)["args"]]
    return tag("global", name) + b"".join(pack(kind, value) for kind, value in zip(kinds, arguments, strict=True))


def read_account(name: str, raw: bytes) -> dict[str, Any]:
    """An account of the program; the tag and the exact length are checked."""
    assert raw[:8] == tag("account", name)
    found, end = unpack_fields(name, raw, 8)
    assert end == len(raw)
    return found


def read_event(raw: bytes) -> tuple[str, dict[str, Any]]:
    """An event out of the bytes behind `Program data:`."""
    name = next(entry["name"] for entry in IDL["events"] if tag("event", entry["name"]) == raw[:8])
    found, end = unpack_fields(name, raw, 8)
    assert end == len(raw)
    return name, found
