"""What a generator cannot know: each case is an intent of its own, and cursors are only issued, never invented."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """A valid key becomes a fresh one (a reused one with another body is a 422 by design); positive cases page from
    the start (an invented cursor is a 400 by design), expire and close in the future, have caps that fit together and
    postings that sum to zero, and begin before they end.
    """
    if re.fullmatch(r"[!-~]{1,255}", str(case.headers.get(KEY, ""))):
        case.headers[KEY] = uuid.uuid4().hex
    mode = getattr(getattr(case.meta, "generation", None), "mode", None)
    if case.query and mode is not None and mode.is_positive:
        case.query.pop("cursor", None)
        if "to" in case.query:
            case.query.pop("from", None)
    body = case.body if isinstance(case.body, dict) else {}
    if mode is None or not mode.is_positive:
        return
    if isinstance(body.get("postings"), list):
        accounts = ("platform:treasury", "-1"), ("platform:fees", "1")
        body["postings"] = [{"account": name, "unit": "USDC", "amount": amount} for name, amount in accounts]
    if isinstance(body.get("until"), str):
        body["until"] = "2099-01-01T00:00:00Z"
    if isinstance(body.get("since"), str):
        body["since"] = "2026-01-01T00:00:00Z"
    if isinstance(body.get("expires_at"), str):
        body["expires_at"] = "2099-01-01T00:00:00Z"
    if isinstance(body.get("funding_deadline"), str):
        body["funding_deadline"] = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    if isinstance(body.get("soft_cap_usdc"), str):
        body["hard_cap_usdc"] = body["soft_cap_usdc"]
    elif isinstance(body.get("hard_cap_usdc"), str):
        body["soft_cap_usdc"] = body["hard_cap_usdc"]
