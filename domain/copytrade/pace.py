"""When each leader is read next. Seconds of a clock that never goes back, given by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOWEST: Final = 8.0
"""After 429s in a row, polls come so many times as seldom."""
HINT_QUIET_S: Final = 0.5
HINT_AGAIN_S: Final = 1.0
"""The venue's index follows the chain within seconds: until the rows are there it is asked again."""
RETRY_FIRST_S: Final = 1.0


@dataclass
class _Leader:
    due: float = 0.0
    reconcile: float = 0.0
    hinted_since: float | None = None
    read_at: float | None = None
    failures: int = 0


class Pace:
    """`poll_s` and `reconcile_s` as configured. Slowed down by rate limits, hurried by hints."""

    def __init__(self, poll_s: float, reconcile_s: float) -> None:
        self.poll_s, self.reconcile_s = poll_s, reconcile_s
        self.slow = 1.0
        self._leaders: dict[str, _Leader] = {}

    def keep_only(self, user_ids: set[str]) -> None:
        """Forget who is not followed any more."""
        self._leaders = {user: one for user, one in self._leaders.items() if user in user_ids}

    def hint(self, user_id: str, now: float, *, on: bool) -> None:
        """The chain told of rows that are not stored yet, or they are now."""
        leader = self._leaders.setdefault(user_id, _Leader())
        if not on:
            leader.hinted_since = None
        elif leader.hinted_since is None:
            leader.hinted_since = now

    def hurry(self, user_id: str) -> None:
        """Read it at the next look, whatever was planned."""
        self._leaders.setdefault(user_id, _Leader()).due = 0.0

    def due(self, user_id: str, now: float) -> bool:
        leader = self._leaders.setdefault(user_id, _Leader())
        if now >= leader.due:
            return True
        if leader.hinted_since is None or leader.failures:
            return False
        last = leader.read_at if leader.read_at is not None else 0.0
        return now - leader.hinted_since >= HINT_QUIET_S and now - last >= HINT_AGAIN_S * self.slow

    def reconciles(self, user_id: str, now: float) -> bool:
        """Is it time to read the last two minutes whatever the checkpoint says? Then the next time is noted."""
        leader = self._leaders.setdefault(user_id, _Leader())
        if now < leader.reconcile:
            return False
        leader.reconcile = now + self.reconcile_s * self.slow
        return True

    def read(self, user_id: str, now: float, *, complete: bool) -> None:
        """It was read and stored; what is not complete goes on at once."""
        leader = self._leaders.setdefault(user_id, _Leader())
        leader.read_at, leader.failures = now, 0
        leader.due = now + (self.poll_s * self.slow if complete else 0.0)

    def failed(self, user_id: str, now: float) -> None:
        """Growing waits, never longer than a poll would."""
        leader = self._leaders.setdefault(user_id, _Leader())
        leader.failures += 1
        wait = min(RETRY_FIRST_S * 2.0 ** min(leader.failures - 1, 10), self.poll_s)
        leader.due = now + wait * self.slow

    def limited(self, *, yes: bool) -> None:
        """The venue refused for too many requests, or answered."""
        self.slow = min(SLOWEST, self.slow * 2) if yes else max(1.0, self.slow / 2)

    def silent_s(self, user_id: str, started: float, now: float) -> float:
        """How long nothing of this leader could be read."""
        leader = self._leaders.get(user_id, _Leader())
        return now - (leader.read_at if leader.read_at is not None else started)
