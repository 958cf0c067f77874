"""Makes Temporal's schedules equal to the list (schedules.py).

Every worker reconciles when it starts, `holdfast schedules apply|diff` does so by hand. A schedule
that exists is only touched when its definition changed (a fingerprint in the memo of what it starts tells); an
operator's pause always survives. A schedule of ours that this version does not know is deleted; one that it knows and
this process is not configured for belongs to a process that is, and stays. Others' are left alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from workflows import search
from workflows.codec import PayloadUnreadable
from workflows.schedules import NEEDS_ARWEAVE, NEEDS_SOLANA, NEEDS_VAULT, Wanted

OWNER: Final = "holdfast-schedule"
"""Memo key of every schedule of ours; its value never matters."""
FINGERPRINT: Final = "fingerprint"


async def reconcile(client: Client, listed: list[Wanted], *, prune: bool = False) -> list[str]:
    """Create, update and delete until Temporal's schedules are those listed; return what was changed.

    Several workers may do this at once: whoever loses a race finds the work done.

    Args:  prune  delete also what is not listed because this process is not configured for it.
    """
    changes = [change for one in listed if (change := await _apply(client, one))]
    for name in await _left_over(client, listed, prune=prune):
        if await _delete(client, name):
            changes.append(f"deleted {name}")
    return changes


async def diff(client: Client, listed: list[Wanted], *, prune: bool = False) -> list[str]:
    """What `reconcile` would change, and which schedules are paused; nothing is changed."""
    found = []
    for one in listed:
        there = await _describe(client, one.id)
        if there is None:
            found.append(f"create {one.id}")
            continue
        if await _fingerprint(there) != one.fingerprint:
            found.append(f"update {one.id}")
        if there.schedule.state.paused:
            found.append(f"paused {one.id}: {there.schedule.state.note}")
    return [*found, *(f"delete {name}" for name in await _left_over(client, listed, prune=prune))]


async def _apply(client: Client, one: Wanted) -> str | None:
    there = await _describe(client, one.id)
    if there is None:
        try:
            await client.create_schedule(one.id, _schedule(one, None), memo={OWNER: one.note})
        except ScheduleAlreadyRunningError:
            there = await _describe(client, one.id)
        else:
            return f"created {one.id}"
    if there is not None and await _fingerprint(there) == one.fingerprint:
        return None

    def changed(current: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=_schedule(one, current.description.schedule.state))

    try:
        await client.get_schedule_handle(one.id).update(changed)
    except RPCError as error:
        # another worker, which knows the same list, was faster; the next start sees to whatever is left
        if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
            raise
        return None
    return f"updated {one.id}"


def _schedule(one: Wanted, state: ScheduleState | None) -> Schedule:
    """The definition, with the pause, its note and its limits as an operator left them."""
    action = ScheduleActionStartWorkflow(
        one.workflow,
        args=[one.argument] if one.argument is not None else [],
        id=one.id,
        task_queue=one.queue,
        execution_timeout=one.longest,
        memo={FINGERPRINT: one.fingerprint},
        static_summary=one.note,
        typed_search_attributes=TypedSearchAttributes([SearchAttributePair(search.AREA, one.queue)]),
    )
    kept = state if state is not None and (state.paused or state.limited_actions) else ScheduleState(note=one.note)
    return Schedule(
        action=action,
        spec=_spec(one),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=one.catch_up),
        state=kept,
    )


def _spec(one: Wanted) -> ScheduleSpec:
    if isinstance(one.when, timedelta):
        return ScheduleSpec(intervals=[ScheduleIntervalSpec(every=one.when)], jitter=one.jitter)
    weekday: dict[str, Any] = {}
    if one.when.weekday is not None:
        weekday = {"day_of_week": [ScheduleRange(one.when.weekday)]}
    at = ScheduleCalendarSpec(
        hour=[ScheduleRange(one.when.hour)], minute=[ScheduleRange(one.when.minute)], comment=one.note, **weekday
    )
    return ScheduleSpec(calendars=[at], jitter=one.jitter)


async def _describe(client: Client, schedule_id: str) -> ScheduleDescription | None:
    try:
        return await client.get_schedule_handle(schedule_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _fingerprint(there: ScheduleDescription) -> str | None:
    """None when there is none, or none we can read (its key is gone): then the schedule is written again."""
    action = there.schedule.action
    memo = action.memo if isinstance(action, ScheduleActionStartWorkflow) else None
    payload = (memo or {}).get(FINGERPRINT)
    if payload is None:
        return None
    try:
        values = await there.data_converter.decode([payload], [str])
    except PayloadUnreadable:
        return None
    return str(values[0])


async def _left_over(client: Client, listed: list[Wanted], *, prune: bool) -> list[str]:
    names = {one.id for one in listed} | (frozenset() if prune else NEEDS_VAULT | NEEDS_SOLANA | NEEDS_ARWEAVE)
    theirs = [e async for e in await client.list_schedules()]
    return sorted(e.id for e in theirs if e.id not in names and OWNER in e.raw_entry.memo.fields)


async def _delete(client: Client, schedule_id: str) -> bool:
    try:
        await client.get_schedule_handle(schedule_id).delete()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True
