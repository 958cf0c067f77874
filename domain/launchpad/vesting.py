"""What a team waits for: nothing until the cliff, then in proportion to the time between cliff and end.

Rounded down; everything at the end. Seconds count from graduation. programs/launchpad/vesting.h is the same in C.
Source: launchpad.md 10; CG-097 (cliff 6 months, then linear to month 24).
"""

from __future__ import annotations


def vested(whole: int, elapsed: int, cliff: int, end: int) -> int:
    """Of `whole`, `elapsed` seconds after the start."""
    if elapsed >= end:
        return whole
    if elapsed <= cliff:
        return 0
    return whole * (elapsed - cliff) // (end - cliff)
