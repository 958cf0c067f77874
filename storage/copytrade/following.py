"""Beginning to follow: whose wallet it is, what it held, the portfolios. One transaction makes a leader followed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import psycopg

from domain.copytrade.baseline import opening
from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.portfolio import Holding, book
from domain.copytrade.readings import Taken
from domain.copytrade.shadow import Line
from domain.copytrade.venue import VenuePosition
from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.copytrade import event_rows, shadow
from storage.copytrade.fence import ingesting
from storage.copytrade.ingest import clock
from storage.copytrade.shadow import Booking, Ledger
from storage.database import Connection, Pool, transaction
from storage.events import emit, new_id
from storage.operations import mark_step, set_operation

_LEADER: Final = """
SELECT id, label, profile, profile_wallet, bankroll_micros, baseline_at, unfollowed_at, operation_id
FROM copytrade.followed_users WHERE id = %s
"""
_TAKEN: Final = """
SELECT u.id FROM copytrade.followed_users u WHERE u.profile_wallet = %(wallet)s AND u.id <> %(id)s
UNION SELECT w.followed_user_id FROM copytrade.followed_wallets w WHERE w.wallet = %(wallet)s
  AND w.followed_user_id <> %(id)s LIMIT 1
"""
_OWN: Final = """
INSERT INTO copytrade.followed_wallets (wallet, followed_user_id) VALUES (%s, %s) ON CONFLICT (wallet) DO NOTHING
"""
_OPEN: Final = """
INSERT INTO copytrade.portfolios (id, portfolio_scope, followed_user_id, opened_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (portfolio_scope, followed_user_id) DO NOTHING RETURNING id, epoch
"""
_FOLLOWED: Final = """
UPDATE copytrade.followed_users SET baseline_at = %(now)s, followed_since = %(since)s
WHERE id = %(id)s AND baseline_at IS NULL RETURNING id
"""


class Candidate(NamedTuple):
    """Whom to follow. `wallet` "": not resolved yet; `done`: followed already, or given up."""

    user_id: str
    label: str
    profile: str
    wallet: str
    bankroll: int
    done: bool


class FollowingStore:
    """`bankroll` of the global portfolio, which is opened with the first leader."""

    def __init__(self, pool: Pool, bankroll: int, *, exec_user: bool = True) -> None:
        self.pool, self.bankroll, self.exec_user = pool, bankroll, exec_user

    async def candidate(self, user_id: str) -> Candidate:
        """Raises: Rejected not_found."""
        async with transaction(self.pool) as connection:
            row = await (await connection.execute(_LEADER, [user_id])).fetchone()
        if row is None:
            raise Rejected("not_found", "no such followed user")
        done = row["baseline_at"] is not None or row["unfollowed_at"] is not None
        wallet = row["profile_wallet"] or ""
        return Candidate(row["id"], row["label"], row["profile"], wallet, row["bankroll_micros"], done)

    async def own(self, candidate: Candidate, wallet: str, operation_id: str | None) -> None:
        """Note which wallet trades for this leader.

        Raises: Rejected already_followed, with the id of the leader it belongs to.
        """
        try:
            async with transaction(self.pool) as connection:
                values = {"id": candidate.user_id, "wallet": wallet}
                other = await (await connection.execute(_TAKEN, values)).fetchone()
                if other is not None:
                    raise Rejected("already_followed", f"followed as user {other['id']}")
                await connection.execute(
                    "UPDATE copytrade.followed_users SET profile_wallet = %(wallet)s WHERE id = %(id)s", values
                )
                await connection.execute(_OWN, [wallet, candidate.user_id])
                await mark_step(connection, operation_id, "profile", "done", wallet)
                await mark_step(connection, operation_id, "baseline", "running")
        except psycopg.errors.UniqueViolation as error:
            raise Rejected("already_followed", "another user with this wallet was added meanwhile") from error

    async def begin(
        self,
        candidate: Candidate,
        positions: Sequence[VenuePosition],
        rows: Sequence[Taken],
        since: datetime,
        operation_id: str | None,
    ) -> None:
        """Rows seen until now are known and never applied; the positions are the shadow's opening entries; portfolios
        have their bankroll. From here on rows are signals. A leader who is followed already stays as he is.

        Args:  since  rows before it belong to the baseline.
        """
        async with transaction(self.pool) as connection:
            await ingesting(connection)
            now = await clock(connection)
            values = {"now": now, "since": since, "id": candidate.user_id}
            if await (await connection.execute(_FOLLOWED, values)).fetchone() is None:
                return
            await event_rows.know_markets(connection, rows)
            await event_rows.name_markets(connection, sorted({one.condition_id for one in positions}))
            named = {one.token_id: (one.condition_id, one.outcome) for one in positions}
            await event_rows.name_tokens(connection, named)
            before = {one.event_id for one in rows}
            new = await event_rows.insert(connection, rows, now, before, backfilled=False)
            ignored = {one.event_id: "before following began" for one in rows if one.event_id in new}
            await shadow.note(connection, {}, await _activities(connection, ignored))
            await self._portfolios(connection, candidate, opening(positions, now), now)
            await mark_step(connection, operation_id, "baseline", "done", f"{len(positions)} positions")
            await mark_step(connection, operation_id, "portfolios", "done")
            payload: dict[str, str | int | bool | list[str] | None] = {
                "followed_user_id": candidate.user_id,
                "positions": len(positions),
            }
            await emit(connection, Event(topic="copytrade", type="following", payload=payload))

    async def close(self, user_id: str, operation_id: str | None, code: str, summary: str) -> None:
        """The end of the process: the leader is followed, or cannot be and is not."""
        async with transaction(self.pool) as connection:
            if code:
                await connection.execute(
                    """UPDATE copytrade.followed_users SET unfollowed_at = clock_timestamp(), enabled = false
                       WHERE id = %s AND baseline_at IS NULL AND unfollowed_at IS NULL""",
                    [user_id],
                )
            await set_operation(connection, operation_id, "failed" if code else "completed", summary, code or None)

    async def _portfolios(
        self, connection: Connection, candidate: Candidate, positions: list[Entry], now: datetime
    ) -> None:
        cash = Entry(EntryType.DEPOSIT, "bankroll", "", "", 0, candidate.bankroll, None, now)
        own = candidate.user_id
        wanted: list[tuple[Scope, str | None, list[Entry]]] = [(Scope.SHADOW_USER, own, positions)]
        wanted.append((Scope.EXEC_USER, own, [cash]))
        wanted.append((Scope.EXEC_GLOBAL, None, [cash._replace(cash=self.bankroll)]))
        for scope, user_id, entries in wanted:
            if scope is Scope.EXEC_USER and not self.exec_user:
                continue
            row = await (await connection.execute(_OPEN, [new_id(), scope.value, user_id, now])).fetchone()
            if row is not None:
                await shadow.write(connection, [_opened(Ledger(row["id"], row["epoch"]), entries)])


def _opened(ledger: Ledger, entries: Sequence[Entry]) -> Booking:
    holdings: dict[str, Holding] = {}
    lines = []
    for entry in entries:
        booked = book(holdings.get(entry.token_id, Holding()), entry)
        holdings[entry.token_id] = booked.holding
        lines.append(Line(entry, booked))
    return Booking(ledger, lines, holdings)


async def _activities(connection: Connection, notes: dict[str, str]) -> dict[str, str]:
    """Those of the events that are activities: fills need no note."""
    cursor = await connection.execute(
        "SELECT id FROM copytrade.activity_events WHERE id = ANY(%s::uuid[])", [list(notes)]
    )
    return {row["id"]: notes[row["id"]] for row in await cursor.fetchall()}
