"""Which page of another origin may read what: the Temporal UI, the codec routes. Everything else is same-origin."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

CODEC_PATHS: Final = "/api/codec/"
_ALLOWED: Final = [
    (b"access-control-allow-methods", b"POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, x-namespace"),
    (b"access-control-max-age", b"600"),
]


def origin_of(url: str) -> str:
    """Scheme, host and port of a page, as browsers send them in `Origin`; empty for no URL."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        return ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in (None, usual) else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


class Cors:
    """The headers by which a browser lets one other origin read the answers of the codec routes."""

    def __init__(self, origin: str) -> None:
        self._origin = origin.encode()

    def headers(self, scope: Any) -> list[tuple[bytes, bytes]]:
        """What to add to this request's answer; nothing for other paths. Credentials: the UI sends the session."""
        if not scope["path"].startswith(CODEC_PATHS):
            return []
        asked = next((value for name, value in scope["headers"] if name == b"origin"), b"")
        if not asked or asked != self._origin:
            return [(b"vary", b"origin")]
        allowed = [(b"access-control-allow-origin", asked), (b"access-control-allow-credentials", b"true")]
        return [(b"vary", b"origin"), *allowed, *(_ALLOWED if scope["method"] == "OPTIONS" else ())]
