"""What a promotion costs and what it gives (CG-069): a table, and who may buy what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

SOL: Final = 1_000_000_000
HALF, FIVE, FIFTY = SOL // 2, 5 * SOL, 50 * SOL

_HALF: Final = ("featured_listing", "social_post", "community_announcement")
_FIVE: Final = (*_HALF, "banner", "outreach", "press_release")
_FIFTY: Final = (*_FIVE, "top", "dedicated_campaign")
FEATURES: Final = {HALF: _HALF, FIVE: _FIVE, FIFTY: _FIFTY}
"""Tier in lamports → what it gives."""
PAID_LEAST: Final = 890_880
"""Lamports: less is no payment, and owed to nobody. No wallet that is empty by now could get it back: an account needs
that much to stand."""
LISTING: Final = "listing"
"""A package of its own with its own price."""


class Durations(NamedTuple):
    """How long what is shown is shown; the rest is done once."""

    banner_s: int
    top_s: int


def price(tier_lamports: int, *, listing: bool, listing_lamports: int) -> int:
    """What one payment must bring: the tier, and the listing package when it is asked for."""
    return tier_lamports + (listing_lamports if listing else 0)


def memo(account_id: str | None) -> str:
    """What the payment carries: on the chain anybody sees it, and only whoever pays can write whose it is."""
    return f"holdfast:{account_id}"


def features(tier_lamports: int, *, listing: bool, since: datetime, lasting: Durations) -> dict[str, datetime | None]:
    """Each feature that was bought, with the moment until which it is shown; None: nothing is shown."""
    ends = {"banner": timedelta(seconds=lasting.banner_s), "top": timedelta(seconds=lasting.top_s)}
    names = (*FEATURES.get(tier_lamports, ()), *((LISTING,) if listing else ()))
    return {name: since + ends[name] if name in ends else None for name in names}
