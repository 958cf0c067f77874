"""The request class: JSON bodies are measured before they are decoded.

The decoder recurses in C without a limit: some ten thousand opening brackets overflow the stack and end the process.
"""

from __future__ import annotations

import re
from typing import Any, Final

from litestar import Request
from litestar.exceptions import ClientException

DEEPEST: Final = 32
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")


def too_deep(content: bytes) -> bool:
    """Are arrays and objects nested deeper than DEEPEST? Brackets inside strings do not count."""
    if content.count(b"[") + content.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub(b"", content)):
        depth += 1 if match.group() in b"[{" else -1
        if depth > DEEPEST:
            return True
    return False


class StrictRequest(Request[Any, Any, Any]):
    """Refuses JSON that is nested too deep."""

    async def json(self) -> Any:
        if too_deep(await self.body()):
            raise ClientException(f"the body is nested deeper than {DEEPEST} levels")
        return await super().json()
