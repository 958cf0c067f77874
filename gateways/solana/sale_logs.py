"""The launch program's events out of a transaction's logs.

A log line belongs to the program on top of the call stack, and the runtime alone writes the lines that move the stack:
what a program prints begins with `Program log:` or `Program data:`. So nobody can tell an event for us.
A node cuts logs that are too long; that is said, never taken for "no events".
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Final

from construct import ConstructError

from domain.launchpad.sale import Emitted, Told
from gateways.solana.sale_idl import interface
from gateways.solana.sale_program import plain

_DATA: Final = "Program data: "
_CUT: Final = "Log truncated"
_ENTER: Final = re.compile(r"Program (\S+) invoke \[\d+\]$")
_LEAVE: Final = re.compile(r"Program (\S+) (?:success$|failed: )")


def read_logs(program: str, logs: Sequence[str]) -> Told:
    """In the order they were told. What cannot be read keeps its place: with a newer IDL it takes nobody else's."""
    events: list[tuple[int, Emitted]] = []
    unknown: list[str] = []
    for place, text in enumerate(_data_of(program, logs)):
        found = read_event(text)
        if found is None:
            unknown.append(text)
        else:
            events.append((place, found))
    return Told(tuple(events), tuple(unknown), _CUT in logs)


def read_event(text: str) -> Emitted | None:
    """One event of the program; None for what the IDL does not know."""
    coder = interface().coder.events
    try:
        raw = b64decode(text, validate=True)
        layout = coder.discriminator_to_layout[raw[:8]]
        if layout.sizeof() != len(raw) - 8:
            return None
        name, data = coder.discriminators[raw[:8]], layout.parse(raw[8:])
    except (binascii.Error, KeyError, ConstructError):
        return None
    return Emitted(kind=name, data=plain(data))


def _data_of(program: str, logs: Sequence[str]) -> Iterator[str]:
    stack: list[str] = []
    for line in logs:
        if enter := _ENTER.match(line):
            stack.append(enter[1])
        elif stack and (leave := _LEAVE.match(line)) and leave[1] == stack[-1]:
            stack.pop()
        elif line.startswith(_DATA) and stack and stack[-1] == program:
            yield line[len(_DATA) :]
