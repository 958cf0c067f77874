"""Frames of real traffic in a file, one JSON object a line: what operators turn into fixtures (polymarket.md 5).

    {"at", "kind": "http", "route", "method", "url", "status", "headers", "body"}
    {"at", "kind": "socket", "route", "direction", "body"}

`at` is our clock in ISO with microseconds. `body` is the text as it came. No request header is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

HEADERS_KEPT: Final = (
    *("content-type", "date", "age", "cache-control", "x-cache", "cf-cache-status"),
    *("x-trace-id", "retry-after", "cf-ray", "server"),
)


class Recorder:
    """Appends frames to a file; each line is on its way to the file before the next request is made."""

    def __init__(self, path: Path) -> None:
        self.path, self.frames = path, 0
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def http(self, route: str, method: str, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """An answer. `url` with its query, without the host."""
        kept = {name: headers[name] for name in HEADERS_KEPT if name in headers}
        self._write(
            kind="http", route=route, method=method, url=url, status=status, headers=kept,
            body=body.decode("utf-8", "replace"),
        )  # fmt: skip

    def socket(self, route: str, direction: str, body: str) -> None:
        """A text frame; `direction` in or out."""
        self._write(kind="socket", route=route, direction=direction, body=body)

    def _write(self, **frame: Any) -> None:
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        self._file.write(json.dumps({"at": at, **frame}, ensure_ascii=False) + "\n")
        self.frames += 1
