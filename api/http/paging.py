"""Lists: `{"items": […], "next_cursor": null|"…"}`, newest first; as CSV where the history is asked for.

A cursor is opaque and signed: it holds the key after which the next page starts and the list it belongs to.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import hmac
import io
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.params import QueryParameter

from domain.shared.errors import Rejected

CSV: Final = "text/csv"
_MAC_BYTES: Final = 12

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Items in this page.")]
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=400, description="`next_cursor` of the page before.", required=False),
]


class Cursors:
    """Signs and reads cursors."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(b"cursor:" + secret).digest()

    def _mac(self, scope: str, key: str) -> bytes:
        return hmac.new(self._secret, f"{scope}\n{key}".encode(), hashlib.sha256).digest()[:_MAC_BYTES]

    def write(self, scope: str, key: str | None) -> str | None:
        """The cursor for the page after `key`; None when there is none."""
        if key is None:
            return None
        return base64.urlsafe_b64encode(self._mac(scope, key) + key.encode()).rstrip(b"=").decode()

    def read(self, scope: str, cursor: str | None) -> str | None:
        """The key in a cursor of this list. Raises Rejected invalid_cursor."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            key = raw[_MAC_BYTES:].decode("ascii")
        except (binascii.Error, ValueError) as error:
            raise Rejected("invalid_cursor", "the cursor cannot be read") from error
        if not hmac.compare_digest(raw[:_MAC_BYTES], self._mac(scope, key)):
            raise Rejected("invalid_cursor", "the cursor was not issued by this list")
        return key


def after(request: Request[Any, Any, Any], cursor: str | None) -> str | None:
    """The key in the request's cursor."""
    cursors: Cursors = request.app.state.cursors
    return cursors.read(request.url.path, cursor)


def answer(
    request: Request[Any, Any, Any], bodies: Sequence[str], next_key: str | None, *, csv_allowed: bool = False
) -> Response[Any]:
    """The page as JSON, or as CSV when the client asks for it and the list is a history."""
    cursors: Cursors = request.app.state.cursors
    cursor = cursors.write(request.url.path, next_key)
    if csv_allowed and (found := table(request, bodies, cursor)) is not None:
        return found
    tail = f'"{cursor}"' if cursor else "null"
    text = '{"items":[' + ",".join(bodies) + '],"next_cursor":' + tail + "}"
    return Response(text.encode(), media_type="application/json")


def table(request: Request[Any, Any, Any], bodies: Sequence[str], cursor: str | None = None) -> Response[Any] | None:
    """JSON objects as a CSV answer when the client asks for one. Raises Rejected not_acceptable."""
    if not _wants_csv(request.headers.get("accept", "")):
        return None
    headers = {"X-Next-Cursor": cursor} if cursor else {}
    headers["Content-Disposition"] = f'attachment; filename="{request.url.path.rsplit("/", 1)[-1]}.csv"'
    return Response(as_csv(bodies), media_type=CSV, headers=headers)


def _wants_csv(accept: str) -> bool:
    kinds = [part.split(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    if not kinds or any(k in ("*/*", "application/*", "application/json") for k in kinds):
        return bool(kinds) and kinds[0] == CSV
    if CSV in kinds or "text/*" in kinds:
        return True
    raise Rejected("not_acceptable", "ask for application/json or text/csv")


def as_csv(bodies: Sequence[str]) -> bytes:
    """JSON objects as CSV with a header line. Text that a spreadsheet would run as a formula gets a leading quote."""
    rows: list[dict[str, Any]] = [msgspec.json.decode(body) for body in bodies]
    out = io.StringIO()
    if rows:
        writer = csv.writer(out)
        writer.writerow(rows[0])
        writer.writerows([[_cell(value) for value in row.values()] for row in rows])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(str(v) for v in value)
    text = str(value)
    is_number = text.lstrip("-").replace(".", "", 1).isdigit()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_number else text
