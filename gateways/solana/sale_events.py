"""What the launch program told in a transaction: the data of its calls to itself, as Anchor's emit_cpi! makes them.

Anybody may call the program with such data. An event is only what the program called itself: the call under which it
ran says so, and the runtime alone writes down who called whom. Nodes keep these calls whole, unlike logs.
Source: docs/decisions/0021-events-are-instructions.md.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Final

from construct import ConstructError

from domain.launchpad.sale import Emitted, Told
from domain.launchpad.solana import ChainTransaction
from domain.shared import base58
from gateways.solana.sale_idl import interface
from gateways.solana.sale_program import plain
from programs.interface import EVENT

_LETTERS_MOST: Final = 1_400
"""Of 1 KiB in base58. The program calls itself with 176 bytes at most: what is longer no program of ours has told."""


def read_events(program: str, transaction: ChainTransaction) -> Told:
    """In the order they were told. What cannot be read keeps its place: with a newer IDL it takes nobody else's."""
    events: list[tuple[int, Emitted]] = []
    unknown: list[str] = []
    for place, raw in enumerate(_told(program, transaction)):
        found = read_event(raw)
        if found is None:
            unknown.append(b64encode(raw).decode())
        else:
            events.append((place, found))
    return Told(tuple(events), tuple(unknown))


def read_event(raw: bytes) -> Emitted | None:
    """One event of the program; None for what the IDL does not know."""
    coder = interface().coder.events
    try:
        layout = coder.discriminator_to_layout[raw[:8]]
        if layout.sizeof() != len(raw) - 8:
            return None
        name, data = coder.discriminators[raw[:8]], layout.parse(raw[8:])
    except (KeyError, ConstructError):
        return None
    return Emitted(kind=name, data=plain(data))


def _told(program: str, transaction: ChainTransaction) -> Iterator[bytes]:
    above: list[str] = []
    for call in transaction.inner:
        if call.height == 2:
            above = [transaction.instructions[call.step].program]
        del above[call.height - 1 :]
        if call.program == program == above[-1] and len(call.data) <= _LETTERS_MOST:
            data = base58.decode(call.data)
            if data.startswith(EVENT):
                yield data[len(EVENT) :]
        above.append(call.program)
