"""Groups that should have had their inputs by now: their attempt was started, and ended before its time.

One that was never started is the feed's to start (storage/copytrade/feed.py), and in a replay the tape's.
"""

from __future__ import annotations

from typing import Final

from storage.database import Pool, alone

AFTER_S: Final = 10
_KEYS: Final = """
SELECT g.group_key FROM copytrade.event_groups g
WHERE g.global_decided_at IS NULL
  AND greatest(g.due_at, g.dispatched_at) < clock_timestamp() - %s * interval '1 second' AND g.dispatched_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM copytrade.group_inputs i WHERE i.group_key = g.group_key)
ORDER BY g.detect_time, g.group_key LIMIT 100
"""


class Overdue:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def keys(self) -> list[str]:
        """Oldest first."""
        async with alone(self.pool) as connection:
            return [row["group_key"] for row in await (await connection.execute(_KEYS, [AFTER_S])).fetchall()]
