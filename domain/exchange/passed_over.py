"""Transfers the scanner could not read: what quarantine keeps of them, and which blocks a replay reads again."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

KIND: Final = "transfer_log"
"""The one kind of quarantined item that was passed over. Every other is asked for again by the step that met it."""


class Blocks(NamedTuple):
    first: int
    last: int


def blocks_of(kind: str, payload: Any) -> Blocks | None:
    """The blocks in which the passed over transfers lie; None when there is nothing to read again."""
    if kind != KIND or not isinstance(payload, dict):
        return None
    first, last = payload.get("first_block"), payload.get("last_block")
    if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last):
        return None
    return Blocks(first, last)
