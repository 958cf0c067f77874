"""Rows of the venue in quarantine: from when on activity is read again for one of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

SOURCE: Final = "polymarket"
MARGIN_S: Final = 1


def read_again_from(source: str, payload: Any) -> datetime | None:
    """The second before the row's own; None for what is no row with a time."""
    if source != SOURCE:
        return None
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return None
    at = payload.get("timestamp") if isinstance(payload, dict) else None
    if isinstance(at, bool) or not isinstance(at, int | str) or not str(at).isascii() or not str(at).isdigit():
        return None
    seconds = int(at)
    return datetime.fromtimestamp(seconds - MARGIN_S, UTC) if 10**9 <= seconds < 10**10 else None
