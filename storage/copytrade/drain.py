"""Draining a portfolio: every group that has its inputs is decided, in order of detection, a batch in one transaction.

The order is (detect_time, group_key), up to the first group without inputs. What a decision depends on comes from the
group, its inputs and the portfolio, so a drain that is repeated anywhere, at any time, decides the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from domain.copytrade.decide import decide
from domain.copytrade.entries import Scope
from domain.copytrade.groups import Group
from domain.copytrade.inputs import Inputs
from domain.copytrade.portfolio import Portfolio, post
from domain.copytrade.windows import watched
from domain.shared.errors import Broken
from storage.copytrade import groups
from storage.copytrade.attempts import Decided, Written, write
from storage.copytrade.fence import ingested
from storage.copytrade.holdings import LOCK, SLICES, Locked, holdings_of, locked
from storage.copytrade.inputs_json import inputs_of
from storage.database import Connection

BATCH: Final = 100
"""Groups in one transaction."""

_PENDING: Final = f"""
SELECT {groups.COLUMNS}, i.requested_at, i.received_at, i.facts, i.config_version, i.general_version,
  c.config::text AS config, d.config::text AS general
FROM copytrade.event_groups g LEFT JOIN copytrade.group_inputs i USING (group_key)
LEFT JOIN copytrade.effective_configs c ON c.version = i.config_version
LEFT JOIN copytrade.effective_configs d ON d.version = i.general_version
"""
_OF_USER: Final = f"""{_PENDING}
WHERE g.user_decided_at IS NULL AND g.followed_user_id = %(user)s ORDER BY g.detect_time, g.group_key LIMIT %(limit)s
"""
_OF_ALL: Final = f"""{_PENDING}
WHERE g.global_decided_at IS NULL ORDER BY g.detect_time, g.group_key LIMIT %(limit)s
"""
_GREATEST_OF_USER: Final = """
SELECT detect_time, group_key FROM copytrade.event_groups
WHERE followed_user_id = %(user)s AND user_decided_at IS NOT NULL ORDER BY detect_time DESC, group_key DESC LIMIT 1
"""
_GREATEST_OF_ALL: Final = """
SELECT detect_time, group_key FROM copytrade.event_groups
WHERE global_decided_at IS NOT NULL ORDER BY detect_time DESC, group_key DESC LIMIT 1
"""


class Pending(NamedTuple):
    """`inputs` None: no result yet, so nothing after it may be decided."""

    group: Group
    inputs: Inputs | None


class Batch(NamedTuple):
    """`waits_for`: the group that is not ready. `more`: there may be further ones that are. `opened`: is there such a
    portfolio yet?"""

    decided: tuple[Decided, ...] = ()
    waits_for: str = ""
    more: bool = False
    opened: bool = True


class _Read(NamedTuple):
    """What a drain found under the lock. `greatest`: the place in order of the last that was decided."""

    locked: Locked | None
    pending: list[Pending]
    greatest: tuple[datetime, str] | None


async def drain(connection: Connection, scope: Scope, user_id: str | None, limit: int = BATCH) -> Batch:
    """Decide what is ready, in the caller's transaction.

    Raises: Broken copy_undecidable.
    """
    read = await _read(connection, scope, {"scope": scope.value, "user": user_id, "limit": limit})
    if read.locked is None:
        return Batch(opened=False)
    ready = _ready(read.pending)
    waits_for = read.pending[len(ready)].group.group_key if len(ready) < len(read.pending) else ""
    if not ready:
        return Batch(waits_for=waits_for)
    after, decided = fold(scope, read.locked.portfolio, ready, read.greatest, read.locked.reset_at)
    await write(connection, Written(scope, read.locked.id, read.locked.epoch, after), decided)
    return Batch(decided, waits_for, more=len(read.pending) == limit and not waits_for)


def fold(
    scope: Scope,
    portfolio: Portfolio,
    ready: Sequence[Pending],
    greatest: tuple[datetime, str] | None = None,
    reset_at: datetime | None = None,
) -> tuple[Portfolio, tuple[Decided, ...]]:
    """The decisions about these groups, one after the other, and the portfolio after them.

    Args:  greatest  the place in order of the last that was decided before.   reset_at  when the drawdown was reset.
    """
    done = []
    for group, inputs in ready:
        assert inputs is not None
        window = inputs.windows.get(scope.value)
        seen = watched(portfolio, window, read_at=inputs.requested_at, reset_at=reset_at)
        leader = group.followed_user_id if scope is Scope.EXEC_GLOBAL else ""
        try:
            made = decide(group, inputs, seen, scope)
            portfolio, booked = post(portfolio, made.entries, leader)
        except Exception as error:
            raise Broken("copy_undecidable", f"{scope} {group.group_key}: {type(error).__name__}: {error}") from error
        portfolio = portfolio._replace(peak_pnl=made.peak_pnl, latched=portfolio.latched or made.latched)
        place = (group.detect_time, group.group_key)
        late = greatest is not None and place < greatest
        greatest = place if greatest is None else max(greatest, place)
        done.append(Decided(group, inputs, made, booked, late))
    return portfolio, tuple(done)


def _ready(pending: Sequence[Pending]) -> list[Pending]:
    found: list[Pending] = []
    for one in pending:
        if one.inputs is None:
            break
        found.append(one)
    return found


async def _read(connection: Connection, scope: Scope, values: dict[str, Any]) -> _Read:
    """Everything in one round trip.

    Once ingest was waited for, every row detected until now is in sight: so groups come in order and are complete.
    """
    everybody = scope is Scope.EXEC_GLOBAL
    async with connection.pipeline():
        await ingested(connection)
        row = await connection.execute(LOCK, values, prepare=True)
        pending = await connection.execute(_OF_ALL if everybody else _OF_USER, values, prepare=True)
        greatest = await connection.execute(_GREATEST_OF_ALL if everybody else _GREATEST_OF_USER, values, prepare=True)
        held = await connection.execute(holdings_of(scope), values, prepare=True)
        parts = await connection.execute(SLICES, values, prepare=True) if everybody else None
    found, last = await row.fetchone(), await greatest.fetchone()
    slices = [] if parts is None else await parts.fetchall()
    return _Read(
        None if found is None else locked(found, await held.fetchall(), slices),
        [_pending(one) for one in await pending.fetchall()],
        None if last is None else (last["detect_time"], last["group_key"]),
    )


def _pending(row: dict[str, Any]) -> Pending:
    return Pending(groups.group_of(row), inputs_of(row) if row["facts"] is not None else None)
