"""What a generator cannot know: each case is an intent of its own, and cursors are only issued, never invented."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """A valid key becomes a fresh one (a reused one with another body is a 422 by design); positive cases page from
    the start (an invented cursor is a 400 by design) and expire in the future.
    """
    if re.fullmatch(r"[!-~]{1,255}", str(case.headers.get(KEY, ""))):
        case.headers[KEY] = uuid.uuid4().hex
    mode = getattr(getattr(case.meta, "generation", None), "mode", None)
    if case.query and mode is not None and mode.is_positive:
        case.query.pop("cursor", None)
    body = case.body if isinstance(case.body, dict) else {}
    if isinstance(body.get("expires_at"), str) and mode is not None and mode.is_positive:
        body["expires_at"] = "2099-01-01T00:00:00Z"
