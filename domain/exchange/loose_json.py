"""The first JSON object in a text: small models put words around it. Found or not, never repaired."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

TEXT_MAX: Final = 16_384
DEPTH_MAX: Final = 6


class NoObject(ValueError):
    """There is no whole JSON object in the text."""


def first_object(text: str) -> dict[str, Any]:
    """Parse from the first `{` to its `}`. Fractions are exact decimals; NaN, infinities and doubled keys are refused.

    Raises: NoObject.
    """
    part = _first_braces(text[:TEXT_MAX])
    try:
        value = json.loads(part, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NoObject(f"not JSON: {type(error).__name__}") from error
    assert isinstance(value, dict)
    return value


def _first_braces(text: str) -> str:
    """From the first opening brace to the one that closes it, braces in strings not counted."""
    start = text.find("{")
    if start < 0:
        raise NoObject("no object in the answer")
    depth, quoted, escaped = 0, False, False
    for place in range(start, len(text)):
        character = text[place]
        if quoted:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character in "{[":
            depth += 1
            if depth > DEPTH_MAX:
                raise NoObject("nested too deeply")
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return text[start : place + 1]
    raise NoObject("the object is cut off")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values under one key: which one is meant would be a guess."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value
