"""The pages and the sources, for the tests that hold one against the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "domain",
    "workflows",
    "activities",
    "storage",
    "gateways",
    "api",
    "cli",
    "localnet",
    "contracts",
    "composition",
    "settings",
)
MODULES = ("worker.py", "server.py", "telemetry.py")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "runbooks").glob("*.md")])


def sources() -> list[Path]:
    found = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    return [p for p in found if "migrations/versions" not in p.as_posix()] + [ROOT / name for name in MODULES]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def fenced(text: str) -> Iterator[str]:
    """Lines of fenced blocks, and commands in backticks."""
    for block in re.findall(r"^[ ]*```[a-z]*\n(.*?)^[ ]*```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", text)
