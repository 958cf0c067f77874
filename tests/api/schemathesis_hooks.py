"""What a generator cannot know: each case is an intent of its own, and cursors are only issued, never invented."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis

KEY = "Idempotency-Key"
FITTING = {
    "name": "Fits", "total_supply": "1000000000", "decimals": 9, "soft_cap_sol": "5", "hard_cap_sol": "10",
    "creator_wallet": "GsbwXfJraMomNxBcjYLcG3mxkBUiyWXAB32fGbSMQRdW",
}  # fmt: skip
"""Fields of a launch that must fit each other, which no schema says; what may be absent is left out with them."""
LEFT_OUT = ("allocation_bps", "starts_at", "max_wallet_tokens", "promo_tier_sol", "promo_payment_signature")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """A valid key becomes a fresh one (a reused one with another body is a 422 by design); positive cases page from
    the start (an invented cursor is a 400 by design), expire and close in the future, have caps that fit together and
    postings that sum to zero, begin before they end, and launch what can be sold.
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
    _launch(body)


def _launch(body: dict[str, Any]) -> None:
    """One that passes every rule about several fields."""
    if not isinstance(body.get("curve"), dict) or "creator_wallet" not in body:
        return
    body["curve"] |= {"initial_price_sol": "0.00000001", "target_price_sol": "0.0000001"}
    body |= FITTING | {"ends_at": (datetime.now(UTC) + timedelta(days=7)).isoformat()}
    for name in LEFT_OUT:
        body.pop(name, None)
