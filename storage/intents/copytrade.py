"""What operators decide about copying: whom to follow and how, which markets never. All audited, all told."""

from __future__ import annotations

from typing import Final, NamedTuple

import psycopg

from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.copytrade.configs import follow_general
from storage.database import Connection
from storage.events import audit, emit, new_id
from storage.intents.opened import Opened
from storage.operations import open_operation

FOLLOW_STEPS: Final = ("profile", "baseline", "portfolios")
BACKFILL_STEPS: Final = ("read",)
_FOLLOW: Final = """
INSERT INTO copytrade.followed_users (id, label, profile, profile_wallet, mode, leg_policy, bankroll_micros, created_by,
  followed_since, operation_id)
VALUES (%(id)s, %(label)s, %(profile)s, %(wallet)s, %(mode)s, %(leg_policy)s, %(bankroll)s, %(by)s, clock_timestamp(),
  %(operation_id)s)
"""
_AGAIN: Final = """
SELECT id::text FROM copytrade.followed_users WHERE profile_wallet = %s AND unfollowed_at IS NULL
UNION SELECT w.followed_user_id::text FROM copytrade.followed_wallets w
JOIN copytrade.followed_users u ON u.id = w.followed_user_id WHERE w.wallet = %s AND u.unfollowed_at IS NULL
"""
_CHANGE: Final = """
UPDATE copytrade.followed_users SET label = coalesce(%(label)s, label), enabled = coalesce(%(enabled)s, enabled),
  mode = coalesce(%(mode)s::copytrade.follow_mode, mode),
  leg_policy = coalesce(%(leg_policy)s::copytrade.leg_policy, leg_policy)
WHERE id = %(id)s AND unfollowed_at IS NULL RETURNING id
"""


class Leader(NamedTuple):
    """Whom to follow: `wallet` in lower case, or "" and the `profile` as the operator wrote it."""

    label: str
    wallet: str
    profile: str
    bankroll: int
    mode: str
    leg_policy: str


async def follow(connection: Connection, leader: Leader, *, principal: str) -> Opened:
    """Insert the leader with the rules in force; a process finds the wallet and what it holds, then polling begins.

    Raises: Rejected already_followed.
    """
    user_id = new_id()
    workflow_id = ids.follow(user_id)
    summary = f"Follow {leader.label}: {leader.wallet or leader.profile}"
    if leader.wallet:
        again = await (await connection.execute(_AGAIN, [leader.wallet, leader.wallet])).fetchone()
        if again is not None:
            raise Rejected("already_followed", f"followed as user {again['id']}")
    operation_id = await open_operation(
        connection, kind="follow", subject_id=user_id, workflow_id=workflow_id, steps=FOLLOW_STEPS, summary=summary
    )
    row = {
        "id": user_id,
        "label": leader.label,
        "profile": leader.profile or leader.wallet,
        "wallet": leader.wallet or None,
        "mode": leader.mode,
        "leg_policy": leader.leg_policy,
        "bankroll": leader.bankroll,
        "by": principal,
        "operation_id": operation_id,
    }
    try:
        await connection.execute(_FOLLOW, row)
    except psycopg.errors.UniqueViolation as error:
        raise Rejected("already_followed", "this wallet was followed before; its history is kept") from error
    await follow_general(connection, user_id)
    await audit(connection, principal, "leader_followed", user_id, label=leader.label, wallet=leader.wallet)
    await _tell(connection, "followed", user_id, label=leader.label)
    return Opened(user_id, operation_id, workflow_id, None, summary)


async def change_leader(
    connection: Connection,
    user_id: str,
    *,
    principal: str,
    label: str | None = None,
    enabled: bool | None = None,
    mode: str | None = None,
    leg_policy: str | None = None,
) -> None:
    """What is None stays. The next group sees the change.

    Raises: Rejected not_found.
    """
    values = {"id": user_id, "label": label, "enabled": enabled, "mode": mode, "leg_policy": leg_policy}
    if await (await connection.execute(_CHANGE, values)).fetchone() is None:
        raise Rejected("not_found", "no such followed user")
    changed = {key: value for key, value in values.items() if value is not None and key != "id"}
    await audit(connection, principal, "leader_changed", user_id, **changed)
    await _tell(connection, "leader_changed", user_id, **changed)


async def unfollow(connection: Connection, user_id: str, *, principal: str) -> None:
    """Stop following; everything seen, decided and booked is kept.

    Raises: Rejected not_found.
    """
    cursor = await connection.execute(
        """UPDATE copytrade.followed_users SET unfollowed_at = clock_timestamp(), enabled = false
           WHERE id = %s AND unfollowed_at IS NULL RETURNING label""",
        [user_id],
    )
    if (row := await cursor.fetchone()) is None:
        raise Rejected("not_found", "no such followed user")
    await audit(connection, principal, "leader_unfollowed", user_id, label=row["label"])
    await _tell(connection, "unfollowed", user_id, label=row["label"])


async def blacklist(
    connection: Connection, condition_id: str, *, blacklisted: bool, reason: str, principal: str
) -> None:
    """Never copy a market, or copy it again; its own column, so that no change of the rules undoes it.

    Raises: Rejected not_found.
    """
    cursor = await connection.execute(
        "UPDATE copytrade.markets SET blacklisted = %s WHERE condition_id = %s RETURNING condition_id",
        [blacklisted, condition_id],
    )
    if await cursor.fetchone() is None:
        raise Rejected("not_found", "no such market")
    act = "market_blacklisted" if blacklisted else "market_unlisted"
    await audit(connection, principal, act, condition_id, reason=reason)
    payload: dict[str, str | int | bool | list[str] | None] = {"condition_id": condition_id, "reason": reason}
    await emit(connection, Event(topic="copytrade", type=act, payload=payload))


async def open_backfill(connection: Connection, *, hours: int, user_id: str | None, principal: str) -> Opened:
    """Read the last hours again, for the shadow only; of one leader or of all.

    Raises: Rejected not_found.
    """
    if user_id is not None:
        cursor = await connection.execute("SELECT 1 FROM copytrade.followed_users WHERE id = %s", [user_id])
        if await cursor.fetchone() is None:
            raise Rejected("not_found", "no such followed user")
    backfill_id = new_id()
    summary = f"Read the last {hours} hours again" + (f" of {user_id}" if user_id else "")
    workflow_id = ids.backfill(backfill_id)
    operation_id = await open_operation(
        connection,
        kind="backfill",
        subject_id=backfill_id,
        workflow_id=workflow_id,
        steps=BACKFILL_STEPS,
        summary=summary,
    )
    await connection.execute(
        "INSERT INTO copytrade.backfills (id, hours, followed_user_id, requested_by) VALUES (%s, %s, %s, %s)",
        [backfill_id, hours, user_id, principal],
    )
    await audit(connection, principal, "backfill_asked", backfill_id, hours=hours, user_id=user_id)
    return Opened(backfill_id, operation_id, workflow_id, None, summary)


async def _tell(connection: Connection, kind: str, user_id: str, **more: str | int | bool | None) -> None:
    payload: dict[str, str | int | bool | list[str] | None] = {"followed_user_id": user_id, **more}
    await emit(connection, Event(topic="copytrade", type=kind, payload=payload))
