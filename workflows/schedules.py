"""Periodic work: ONE list as data, and the reconciler that makes Temporal's schedules equal to it.

What replaces cron. Every worker reconciles when it starts, `holdfast schedules apply|diff` does so by hand. A schedule
that exists is only touched when its definition changed (a fingerprint in the memo of what it starts tells); an
operator's pause always survives. A schedule of ours that this version does not know is deleted; one that it knows and
this process is not configured for belongs to a process that is, and stays. Others' are left alone.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
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

from domain.exchange.messages import WatchChain
from domain.exchange.oracle_messages import RefreshAssets
from domain.launchpad.reconcile import Reconcile
from domain.launchpad.tax_cycle import TaxCycle
from domain.shared.processes import COPYTRADE, EXCHANGE, LAUNCHPAD, OPERATIONS, Start
from workflows import search
from workflows.codec import PayloadUnreadable

OWNER: Final = "holdfast-schedule"
"""Memo key of every schedule of ours; its value never matters."""
FINGERPRINT: Final = "fingerprint"
SHAPE: Final = 1
"""Counts changes of `_schedule` itself, so that they reach schedules that exist."""
NEEDS_VAULT: Final = frozenset({"backup-nightly", "restore-drill-weekly"})
"""Listed only where BACKUP_DIR is set."""
NEEDS_SOLANA: Final = frozenset({"launchpad-reconcile", "tax-distribution", "solana-upkeep"})
"""Listed only where SOLANA_RPC_URL and LAUNCHPAD_PROGRAM_ID are set."""
SUNDAY: Final = 0
DAY: Final = timedelta(days=1)


class Daily(NamedTuple):
    """At a time of day in UTC; on every day, or on one weekday (0: Sunday)."""

    hour: int
    minute: int = 0
    weekday: int | None = None


class LaunchpadTimes(NamedTuple):
    """How often, in seconds; and what is too little to be paid out."""

    reconcile_s: int
    tax_cycle_s: int
    tax_least_lamports: int


class Wanted(NamedTuple):
    """One schedule. A tick that falls while the last run still runs is skipped, so every run has a longest time."""

    id: str
    workflow: str
    queue: str
    argument: BaseModel | None
    when: timedelta | Daily
    longest: timedelta
    jitter: timedelta
    catch_up: timedelta
    note: str

    @property
    def fingerprint(self) -> str:
        """Changes when anything that Temporal is told about this schedule changes."""
        argument = self.argument.model_dump(mode="json") if self.argument else None
        text = json.dumps([SHAPE, *self._replace(argument=None), argument], default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def wanted(
    chain_id: int,
    *,
    custody_interval_s: int,
    check_interval_s: int,
    backup_hour_utc: int,
    backups: bool,
    oracle_interval_s: int = 600,
    oracle_at_once: int = 4,
    marks_s: int = 30,
    snapshots_s: int = 60,
    settlement_s: int = 120,
    drift_s: int = 600,
    markets_s: int = 3_600,
    launchpad: LaunchpadTimes | None = None,
) -> list[Wanted]:
    """Every periodic process of this installation.

    Args:  backups    False when BACKUP_DIR is empty: then there is nothing to write or to rehearse.
           launchpad  None where there is none.
    """
    watch = WatchChain(chain_id=chain_id)
    by_schedule = Start(subject_id="")
    custody, check = timedelta(seconds=custody_interval_s), timedelta(seconds=check_interval_s)
    nightly = backup_hour_utc
    oracle = timedelta(seconds=oracle_interval_s)
    marks, snapshots = timedelta(seconds=marks_s), timedelta(seconds=snapshots_s)
    refresh = RefreshAssets(spread_s=oracle_interval_s // 20, at_once=oracle_at_once)
    listed = [
        _often("custody-upkeep", "CustodyUpkeep", EXCHANGE, watch, custody, "Sweeps, wallet levels, lost sends."),
        _often("solvency", "Solvency", EXCHANGE, watch, check, "Proves that custody covers what is owed."),
        _often("liquidity-upkeep", "LiquidityUpkeep", EXCHANGE, None, check, "Hands over forgotten contributions."),
        _often("ledger-check", "LedgerCheck", OPERATIONS, None, check, "Proves that the books add up."),
        _often("process-check", "ProcessCheck", OPERATIONS, None, 5 * check, "Finds operations without a process."),
        _often("oracle-round", "OracleRound", EXCHANGE, refresh, oracle, "A new oracle signal for every active asset."),
        _often("copytrade-marks", "CopytradeMarks", COPYTRADE, None, marks, "Prices of what portfolios hold."),
        _often("copytrade-snapshots", "CopytradeSnapshots", COPYTRADE, None, snapshots, "What portfolios are worth."),
        *_of_feed(timedelta(seconds=settlement_s), timedelta(seconds=drift_s), timedelta(seconds=markets_s)),
        _daily("retention-daily", "Retention", None, Daily((nightly + 2) % 24, 30), "Removes what is kept no longer."),
    ]
    if launchpad is not None:
        listed += _of_launchpad(launchpad, check)
    if backups:
        drill = Daily((nightly + 1) % 24, 30, SUNDAY)
        listed += [
            _daily("backup-nightly", "Backup", by_schedule, Daily(nightly), "Writes and verifies an archive."),
            _daily("restore-drill-weekly", "RestoreDrill", by_schedule, drill, "Restores the newest archive."),
        ]
    return listed


def _of_feed(settlement: timedelta, drift: timedelta, markets: timedelta) -> list[Wanted]:
    """What the feed does not do by itself."""
    return [
        _often("copytrade-settlement", "Settlement", COPYTRADE, None, settlement, "Pays out resolved markets."),
        _often("copytrade-drift", "Drift", COPYTRADE, None, drift, "Compares shadows with the venue's positions."),
        _often("copytrade-markets", "MarketFacts", COPYTRADE, None, markets, "Reads facts of markets again."),
    ]


def _of_launchpad(times: LaunchpadTimes, check: timedelta) -> list[Wanted]:
    reconcile, cycle = timedelta(seconds=times.reconcile_s), timedelta(seconds=times.tax_cycle_s)
    tax = TaxCycle(least_lamports=times.tax_least_lamports)
    return [
        _often("launchpad-reconcile", "LaunchpadReconcile", LAUNCHPAD, Reconcile(), reconcile, "Books against Solana."),
        _often("solana-upkeep", "SolanaUpkeep", LAUNCHPAD, None, check, "Wallet, nodes, forgotten landings."),
        _often("tax-distribution", "TaxDistribution", LAUNCHPAD, tax, cycle, "Pays out the tax that sales collected."),
    ]


def _often(name: str, workflow: str, queue: str, argument: BaseModel | None, every: timedelta, note: str) -> Wanted:
    """An interval: missed ticks are worth nothing, one late one within two minutes is taken."""
    longest = max(timedelta(minutes=10), 3 * every)
    return Wanted(name, workflow, queue, argument, every, longest, every / 10, timedelta(minutes=2), note)


def _daily(name: str, workflow: str, argument: BaseModel | None, when: Daily, note: str) -> Wanted:
    """A time of day: caught up when the system was down for less than two hours, else waited for."""
    longest, jitter, catch_up = timedelta(hours=12), timedelta(minutes=5), timedelta(minutes=120)
    return Wanted(name, workflow, OPERATIONS, argument, when, longest, jitter, catch_up, note)


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
    names = {one.id for one in listed} | (frozenset() if prune else NEEDS_VAULT | NEEDS_SOLANA)
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
