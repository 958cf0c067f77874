"""An operator's wish to read the last hours again: the shadow follows, nothing is copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.copytrade.feed_messages import BackfillEnded, BackfillPlan
from domain.copytrade.readings import Taken
from domain.shared.errors import Rejected
from storage.copytrade.fence import ingesting
from storage.copytrade.ingest import ingest
from storage.database import Pool, transaction
from storage.operations import mark_step, set_operation

_PLAN: Final = """
SELECT b.hours, array(SELECT u.id::text FROM copytrade.followed_users u
  WHERE u.baseline_at IS NOT NULL AND u.unfollowed_at IS NULL
    AND (b.followed_user_id IS NULL OR u.id = b.followed_user_id) ORDER BY u.id) AS users
FROM copytrade.backfills b WHERE b.id = %s
"""
_WALLETS: Final = "SELECT wallet FROM copytrade.followed_wallets WHERE followed_user_id = %s ORDER BY wallet"


class BackfillStore:
    def __init__(self, pool: Pool, seed: str) -> None:
        self.pool, self.seed = pool, seed

    async def plan(self, backfill_id: str) -> BackfillPlan:
        """Raises: Rejected not_found."""
        async with transaction(self.pool) as connection:
            row = await (await connection.execute(_PLAN, [backfill_id])).fetchone()
        if row is None:
            raise Rejected("not_found", "no such backfill")
        return BackfillPlan(hours=row["hours"], user_ids=tuple(row["users"]))

    async def wallets(self, user_id: str) -> list[str]:
        async with transaction(self.pool) as connection:
            return [row["wallet"] for row in await (await connection.execute(_WALLETS, [user_id])).fetchall()]

    async def write(self, taken: Sequence[Taken]) -> int:
        """What is new of these rows, for the shadow only. Returns how many."""
        async with transaction(self.pool) as connection:
            await ingesting(connection)
            written = await ingest(connection, taken, self.seed, backfilled=True)
            return written.trades + written.activities

    async def close(self, ended: BackfillEnded) -> None:
        async with transaction(self.pool) as connection:
            summary = f"Read {ended.rows} rows of {ended.leaders} leaders, {ended.new} were new"
            await mark_step(connection, ended.operation_id, "read", "done", summary)
            await set_operation(connection, ended.operation_id, "completed", summary)
