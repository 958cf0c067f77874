"""Names for the errors of transactions, as nodes give them in JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_SYSTEM_AND_TOKENS: Final = {1: "insufficient_funds", 4: "owner_mismatch", 5: "fixed_supply", 31: "mint_required"}
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def code_of(err: Any, names: Mapping[int, str]) -> str:
    """A stable name: the program's own for its custom errors (`names`, by number), else the runtime's, in snake_case.

    {"InstructionError": [2, {"Custom": 6004}]} is "sale_not_open" when names[6004] is "saleNotOpen".
    """
    cause = err
    if isinstance(err, dict) and isinstance(err.get("InstructionError"), list) and len(err["InstructionError"]) == 2:
        cause = err["InstructionError"][1]
    if isinstance(cause, dict) and isinstance(cause.get("Custom"), int):
        number = cause["Custom"]
        return _snake(names.get(number) or _SYSTEM_AND_TOKENS.get(number) or f"custom_{number}")
    if isinstance(cause, dict) and cause:
        cause = next(iter(cause))
    return _snake(str(cause))


def _snake(name: str) -> str:
    return _WORD.sub("_", name).lower()
