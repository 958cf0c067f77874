"""Who drains which portfolio: an attempt its leader's own, one engine the global one. Both until nothing is ready."""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.copytrade.entries import Scope
from domain.copytrade.groups import leader_of
from domain.copytrade.messages import UserDrained
from domain.shared.errors import Unavailable
from domain.shared.money import format_usdc
from storage.copytrade.attempts import Decided
from storage.copytrade.drain import Batch, drain
from storage.database import Connection, Pool, alone, transaction, translated

_DECISION: Final = """
SELECT decision::text AS decision, reason_codes, ARRAY[filled_share_micros, filled_notional_micros, vwap_price_micros]
  AS amounts
FROM copytrade.copy_attempts WHERE portfolio_scope = 'EXEC_USER' AND group_key = %s
"""
_SET_ASIDE: Final = """
UPDATE copytrade.event_groups SET user_decided_at = clock_timestamp()
WHERE user_decided_at IS NULL AND followed_user_id = %s AND due_at <= clock_timestamp()
"""


class UserDrains:
    """The leaders' own portfolios. `enabled` False (COPYTRADE_EXEC_USER): nothing is simulated for them."""

    def __init__(self, pool: Pool, *, enabled: bool = True) -> None:
        self.pool, self.enabled = pool, enabled

    async def drain(self, group_key: str) -> UserDrained:
        """Drain the portfolio that a group belongs to, and say what became of that group.

        Raises: Unavailable while the portfolio has not been opened, Broken copy_undecidable.
        """
        user_id = leader_of(group_key)
        if not self.enabled:
            async with alone(self.pool) as connection:
                await connection.execute(_SET_ASIDE, [user_id])
            return UserDrained(summary="Portfolios per leader are switched off: the global one decides")
        decided: list[Decided] = []
        batch = Batch(more=True)
        while batch.more:
            async with transaction(self.pool) as connection:
                batch = await drain(connection, Scope.EXEC_USER, user_id)
            if not batch.opened:
                raise Unavailable("unavailable", f"the portfolio of leader {user_id} has not been opened yet")
            decided += batch.decided
        mine = next((one.decision for one in decided if one.group.group_key == group_key), None)
        if mine is not None:
            told = Told(mine.decision, tuple(mine.reasons), mine.shares, mine.filled, mine.vwap)
            return told.drained(len(decided))
        return await self._before(group_key, len(decided), batch.waits_for)

    async def _before(self, group_key: str, count: int, waits_for: str) -> UserDrained:
        """Another attempt has decided this group, or will."""
        async with alone(self.pool) as connection:
            row = await (await connection.execute(_DECISION, [group_key])).fetchone()
        if row is not None:
            return Told(row["decision"], tuple(row["reason_codes"]), *row["amounts"]).drained(count)
        summary = f"Waits for the earlier group {waits_for}, whose attempt decides this one too"
        return UserDrained(decided=count, waits_for=waits_for, summary=summary)


class Told(NamedTuple):
    """A decision, for people."""

    decision: str
    reasons: tuple[str, ...]
    shares: int
    notional: int
    price: int | None

    def drained(self, count: int) -> UserDrained:
        return UserDrained(decided=count, decision=self.decision, reason_codes=self.reasons, summary=self._sentence())

    def _sentence(self) -> str:
        if self.decision == "SKIP":
            return f"SKIP: {', '.join(self.reasons)}"
        at = "" if self.price is None else f" at {format_usdc(self.price)}"
        return f"EXECUTE: {format_usdc(self.shares)} shares{at}, {format_usdc(self.notional)} USDC"


class GlobalDrain:
    """The global portfolio, on the one connection that may write it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def drain(self) -> int:
        """Release by watermark: whatever ingest has passed, in order, up to the first group without a result. Nothing
        while there is no global portfolio yet.

        Raises: Unavailable, Broken copy_undecidable.
        """
        count, batch = 0, Batch(more=True)
        async with translated():
            while batch.more:
                async with self.connection.transaction():
                    batch = await drain(self.connection, Scope.EXEC_GLOBAL, None)
                count += len(batch.decided)
        return count
