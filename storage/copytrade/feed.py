"""What the feed reads and writes: whom to poll, how far each was read, new rows, groups that need their process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from psycopg.types.json import Jsonb

from domain.copytrade.readings import Taken
from domain.copytrade.venue import VenueStatus
from storage.copytrade.chain_state import take_reread
from storage.copytrade.fence import ingesting
from storage.copytrade.ingest import Receipts, Written, ingest
from storage.database import Connection, translated
from storage.events import raise_alert, resolve_alert

HINTS_S: Final = 60
"""A log older than that whose rows have not come is no reason to hurry any more; the chain's own check tells of it."""
DISPATCH_AT_ONCE: Final = 200

_LEADERS: Final = """
SELECT u.id, u.followed_since, array_agg(w.wallet ORDER BY w.wallet) AS wallets,
  (SELECT (c.value->>'at')::timestamptz FROM copytrade.checkpoints c
   WHERE c.key = 'api:lastActivityTime:' || u.id) AS newest,
  EXISTS (
    SELECT 1 FROM copytrade.chain_logs l WHERE l.followed_user_id = u.id AND l.verified_at IS NULL AND NOT l.removed
      AND l.arrived_at > clock_timestamp() - make_interval(secs => %s)
      AND NOT EXISTS (SELECT 1 FROM copytrade.trade_events t
        WHERE t.tx_hash = l.tx_hash AND t.followed_user_id = u.id)
      AND NOT EXISTS (SELECT 1 FROM copytrade.activity_events a
        WHERE a.tx_hash = l.tx_hash AND a.followed_user_id = u.id)) AS hinted
FROM copytrade.followed_users u JOIN copytrade.followed_wallets w ON w.followed_user_id = u.id
WHERE u.baseline_at IS NOT NULL AND u.unfollowed_at IS NULL GROUP BY u.id ORDER BY u.id
"""
# One that collects small trades moves its due time until it has closed.
_UNDISPATCHED: Final = """
SELECT group_key FROM copytrade.event_groups
WHERE dispatched_at IS NULL AND (buffered_count = 0 OR frozen_at < clock_timestamp())
ORDER BY due_at, group_key LIMIT %s
"""
_DISPATCHED: Final = """
UPDATE copytrade.event_groups SET dispatched_at = clock_timestamp()
WHERE group_key = ANY(%s::text[]) AND dispatched_at IS NULL
"""
_NOTE: Final = """
INSERT INTO copytrade.checkpoints (key, value) VALUES (%s, %s)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()
"""


class Leader(NamedTuple):
    """Whom to poll. `newest`: time of the newest row stored; `hinted`: the chain told of rows that are not here yet."""

    user_id: str
    wallets: tuple[str, ...]
    followed_since: datetime
    newest: datetime | None
    hinted: bool


class FeedStore:
    """The feed's hands. `connection` is fenced (fence.py): no other feed can write while it lives."""

    def __init__(self, connection: Connection, seed: str) -> None:
        self.connection, self.seed = connection, seed

    async def leaders(self) -> tuple[list[Leader], datetime | None]:
        """Whom to poll, and since when the chain trigger wants everybody read again (it is asked once)."""
        async with translated(), self.connection.transaction():
            cursor = await self.connection.execute(_LEADERS, [HINTS_S])
            found = [
                Leader(row["id"], tuple(row["wallets"]), row["followed_since"], row["newest"], row["hinted"])
                for row in await cursor.fetchall()
            ]
            return found, await take_reread(self.connection)

    async def write(self, taken: Sequence[Taken], receipts: Receipts) -> Written:
        """New rows and all that follows from them, in one transaction. `receipts`: of conversions among them.

        Raises: Unavailable; whatever Postgres says of a row that should not exist.
        """
        async with translated(), self.connection.transaction():
            await ingesting(self.connection)
            return await ingest(self.connection, taken, self.seed, receipts=receipts)

    async def undispatched(self) -> list[str]:
        """Groups whose process is not known to exist yet, in the order in which they are due."""
        async with translated():
            cursor = await self.connection.execute(_UNDISPATCHED, [DISPATCH_AT_ONCE])
            return [row["group_key"] for row in await cursor.fetchall()]

    async def dispatched(self, group_keys: Sequence[str]) -> None:
        async with translated():
            await self.connection.execute(_DISPATCHED, [list(group_keys)])

    async def stuck(self, subject: str, detail: str) -> None:
        """Tell operators that a leader, or everybody, cannot be read."""
        async with translated(), self.connection.transaction():
            await raise_alert(self.connection, "feed_stuck", subject, detail)

    async def flows(self, subject: str) -> None:
        async with translated(), self.connection.transaction():
            await resolve_alert(self.connection, "feed_stuck", subject, "feed")

    async def note_start(self, leaders: int, since: timedelta) -> None:
        """The start-up read is stored (CT-051)."""
        async with translated():
            value = {"leaders": leaders, "looked_back_s": int(since.total_seconds())}
            await self.connection.execute(_NOTE, ["feed:started", Jsonb(value)])

    async def note_status(self, status: VenueStatus) -> None:
        """How far behind the venue says its own data is."""
        async with translated():
            value = {"lag_s": status.lag_s, "worst": status.worst, "behind_blocks": status.behind_blocks}
            await self.connection.execute(_NOTE, ["api:status", Jsonb(value)])
