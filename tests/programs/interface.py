"""Packs and reads what a program takes and keeps, from its idl.json; borsh for values of fixed size."""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from solders.pubkey import Pubkey

from programs import build
from programs.interface import Idl, tag

_NUMBERS = {"u8": "<B", "bool": "<?", "u16": "<H", "u64": "<Q", "i64": "<q"}


class Interface:
    """One program's idl.json."""

    def __init__(self, name: str) -> None:
        self.idl: Idl = json.loads((build.HERE / name / "idl.json").read_text())
        self.errors: dict[int, str] = {error["code"]: error["name"] for error in self.idl["errors"]}

    def instruction(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(entry for entry in self.idl["instructions"] if entry["name"] == name)
        return found

    def _fields(self, name: str) -> list[dict[str, Any]]:
        idl = self.idl
        entries = [*idl["types"], *idl["accounts"], *({"name": e["name"], "type": e} for e in idl["events"])]
        found: list[dict[str, Any]] = next(entry["type"]["fields"] for entry in entries if entry["name"] == name)
        return found

    def pack(self, kind: Any, value: Any) -> bytes:
        """One value as borsh."""
        if isinstance(kind, str):
            return bytes(value) if kind == "publicKey" else struct.pack(_NUMBERS[kind], value)
        if "array" in kind:
            return b"".join(self.pack(kind["array"][0], part) for part in value)
        if "vec" in kind:
            return struct.pack("<I", len(value)) + b"".join(self.pack(kind["vec"], part) for part in value)
        return b"".join(self.pack(field["type"], value[field["name"]]) for field in self._fields(kind["defined"]))

    def unpack(self, kind: Any, raw: bytes, at: int = 0) -> tuple[Any, int]:
        """One value of fixed size and where the next begins."""
        if kind == "publicKey":
            return Pubkey.from_bytes(raw[at : at + 32]), at + 32
        if kind == "u128":
            return int.from_bytes(raw[at : at + 16], "little"), at + 16
        if isinstance(kind, str):
            return struct.unpack_from(_NUMBERS[kind], raw, at)[0], at + struct.calcsize(_NUMBERS[kind])
        if "array" in kind:
            values = []
            for _ in range(kind["array"][1]):
                value, at = self.unpack(kind["array"][0], raw, at)
                values.append(value)
            return values, at
        return self._unpack_fields(kind["defined"], raw, at)

    def _unpack_fields(self, name: str, raw: bytes, at: int) -> tuple[dict[str, Any], int]:
        found = {}
        for field in self._fields(name):
            found[field["name"]], at = self.unpack(field["type"], raw, at)
        return found, at

    def call_data(self, name: str, *arguments: Any) -> bytes:
        """An instruction's data: its tag and arguments."""
        kinds = [argument["type"] for argument in self.instruction(name)["args"]]
        return tag("global", name) + b"".join(
            self.pack(kind, value) for kind, value in zip(kinds, arguments, strict=True)
        )

    def read_account(self, name: str, raw: bytes) -> dict[str, Any]:
        """An account of the program; the tag and the exact length are checked."""
        assert raw[:8] == tag("account", name)
        found, end = self._unpack_fields(name, raw, 8)
        assert end == len(raw)
        return found

    def read_event(self, raw: bytes) -> tuple[str, dict[str, Any]] | None:
        """An event; None when it is another program's."""
        for entry in self.idl["events"]:
            if tag("event", entry["name"]) == raw[:8]:
                found, end = self._unpack_fields(entry["name"], raw, 8)
                assert end == len(raw)
                return entry["name"], found
        return None


LAUNCHPAD: Final = Interface("launchpad")
POOL: Final = Interface("pool")
