"""When a webhook is tried again: quickly at first, then ever more rarely, for three days."""

from __future__ import annotations

from typing import Final

LIFETIME_S: Final = 3 * 86_400
LONGEST_S: Final = 6 * 3_600
_DELAYS_S: Final = (1, 5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400)


def next_delay_s(attempts: int, age_s: int, asked_s: int = 0) -> int | None:
    """Seconds until the next attempt, or None when the three days are over.

    Args:  attempts  made so far, at least one.   age_s  since the first.   asked_s  what the receiver's Retry-After
           asked for; it may only make the wait longer, up to six hours.
    """
    usual = _DELAYS_S[attempts - 1] if attempts <= len(_DELAYS_S) else LONGEST_S
    delay = min(LONGEST_S, max(usual, asked_s))
    return delay if age_s + delay <= LIFETIME_S else None
