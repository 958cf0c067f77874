"""Moments as text, as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(when: datetime, precision: str = "microseconds") -> str:
    """RFC 3339 in UTC with `Z`, always with as many digits."""
    return when.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
