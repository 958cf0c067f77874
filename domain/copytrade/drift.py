"""Shadow against venue, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

TOLERANCE: Final = 1
"""Micros of shares: positions come as JSON numbers."""


class Difference(NamedTuple):
    token_id: str
    shadow: int
    venue: int


def differences(held: Mapping[str, int], settled: Mapping[str, int], venue: Mapping[str, int]) -> list[Difference]:
    """Tokens of which the two hold another number of shares.

    Args:  settled  of the tokens of resolved markets: shares that we have paid out. The venue shows them until they are
           redeemed, and stops showing what lost; both agree with us.
    """
    found = []
    for token in sorted({*held, *venue}):
        own, theirs = held.get(token, 0), venue.get(token, 0)
        agreeable = {own} if token not in settled else {own, own + settled[token], 0}
        if min(abs(theirs - shares) for shares in agreeable) > TOLERANCE:
            found.append(Difference(token, own, theirs))
    return found
