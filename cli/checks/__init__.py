"""What `holdfast doctor` looks at: each check is a small function that returns one Finding, and never raises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

LONGEST_S: Final = 20.0
"""A check that takes longer counts as away."""


class Verdict(StrEnum):
    OK = "✓"
    LOOK = "!"
    BAD = "✗"


class Root(StrEnum):
    """Who must act on a bad finding: time (a part is away) or an operator (something is wrong)."""

    NONE = ""
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One line of the table. `meaning`: what was seen and what follows; `fix`: exactly what to do."""

    name: str
    verdict: Verdict
    meaning: str
    fix: str = ""
    root: Root = Root.NONE

    def as_json(self) -> dict[str, Any]:
        words = {Verdict.OK: "ok", Verdict.LOOK: "look", Verdict.BAD: "bad"}
        return {**asdict(self), "verdict": words[self.verdict], "root": self.root.value or None}


def good(name: str, meaning: str) -> Finding:
    return Finding(name, Verdict.OK, meaning)


def look(name: str, meaning: str, fix: str = "") -> Finding:
    """Worth a look, nothing is stopped."""
    return Finding(name, Verdict.LOOK, meaning, fix)


def away(name: str, meaning: str, fix: str) -> Finding:
    """A part is away or short of something: what needs it waits."""
    return Finding(name, Verdict.BAD, meaning, fix, Root.UNAVAILABLE)


def broken(name: str, meaning: str, fix: str) -> Finding:
    """Something that must not be: work must not go on like this."""
    return Finding(name, Verdict.BAD, meaning, fix, Root.BROKEN)


async def finding(name: str, check: Awaitable[Finding], fix: str) -> Finding:
    """The check's finding, or what its failure means; `fix` is what helps when the part it asks does not answer."""
    from cli.failures import Usage, understand
    from domain.shared.errors import Unavailable

    try:
        async with asyncio.timeout(LONGEST_S):
            return await check
    except TimeoutError:
        return away(name, f"no answer within {LONGEST_S:.0f} s", fix)
    except Exception as error:
        known = understand(error)
        if known is None:
            raise
        if isinstance(known, Usage):
            return broken(name, str(known), "correct the environment (see .env.example)")
        words = known.detail or known.code
        return away(name, words, fix) if isinstance(known, Unavailable) else broken(name, words, fix)
