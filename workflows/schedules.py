"""Periodic work: ONE list as data. What replaces cron; schedule_sync.py makes Temporal's schedules equal to it."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Final, NamedTuple

from pydantic import BaseModel

from domain.exchange.messages import WatchChain
from domain.exchange.oracle_messages import RefreshAssets
from domain.launchpad.aftercare import Aftercare
from domain.launchpad.reconcile import Reconcile
from domain.launchpad.tax_cycle import TaxCycle
from domain.shared.processes import COPYTRADE, EXCHANGE, LAUNCHPAD, OPERATIONS, Start

SHAPE: Final = 1
"""Counts changes of how schedules are written (schedule_sync.py), so that they reach schedules that exist."""
NEEDS_VAULT: Final = frozenset({"backup-nightly", "restore-drill-weekly"})
"""Listed only where BACKUP_DIR is set."""
NEEDS_SOLANA: Final = frozenset({"launchpad-reconcile", "tax-distribution", "solana-upkeep", "sale-aftercare"})
"""Listed only where SOLANA_RPC_URL and LAUNCHPAD_PROGRAM_ID are set."""
NEEDS_ARWEAVE: Final = frozenset({"arweave-mirror"})
"""Listed only where ARWEAVE_BUNDLER_URL is set as well."""
SUNDAY: Final = 0
DAY: Final = timedelta(days=1)


class Daily(NamedTuple):
    """At a time of day in UTC; on every day, or on one weekday (0: Sunday)."""

    hour: int
    minute: int = 0
    weekday: int | None = None


class LaunchpadTimes(NamedTuple):
    """How often, in seconds; and what is too little to be paid out. `slice_s`: what vests in so long is
    worth it. `mirror_s` 0: nothing goes to Arweave."""

    reconcile_s: int
    tax_cycle_s: int
    tax_least_lamports: int
    slice_s: int
    mirror_s: int = 0


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
    late = Daily((nightly + 2) % 24, 30)
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
        _daily("retention-daily", "Retention", OPERATIONS, None, late, "Removes what is kept no longer."),
    ]
    if launchpad is not None:
        listed += _of_launchpad(launchpad, check, Daily((nightly + 3) % 24))
    if backups:
        drill = Daily((nightly + 1) % 24, 30, SUNDAY)
        listed += [
            _daily("backup-nightly", "Backup", OPERATIONS, by_schedule, Daily(nightly), "Writes, verifies an archive."),
            _daily("restore-drill-weekly", "RestoreDrill", OPERATIONS, by_schedule, drill, "Restores the newest one."),
        ]
    return listed


def _of_feed(settlement: timedelta, drift: timedelta, markets: timedelta) -> list[Wanted]:
    """What the feed does not do by itself."""
    return [
        _often("copytrade-settlement", "Settlement", COPYTRADE, None, settlement, "Pays out resolved markets."),
        _often("copytrade-drift", "Drift", COPYTRADE, None, drift, "Compares shadows with the venue's positions."),
        _often("copytrade-markets", "MarketFacts", COPYTRADE, None, markets, "Reads facts of markets again."),
    ]


def _of_launchpad(times: LaunchpadTimes, check: timedelta, daily: Daily) -> list[Wanted]:
    reconcile, cycle = timedelta(seconds=times.reconcile_s), timedelta(seconds=times.tax_cycle_s)
    tax, care = TaxCycle(least_lamports=times.tax_least_lamports), Aftercare(slice_s=times.slice_s)
    mirror = timedelta(seconds=times.mirror_s)
    note = "Pictures and metadata to Arweave."
    return [
        *([_often("arweave-mirror", "ArweaveMirror", LAUNCHPAD, None, mirror, note)] if times.mirror_s else []),
        _often("launchpad-reconcile", "LaunchpadReconcile", LAUNCHPAD, Reconcile(), reconcile, "Books against Solana."),
        _often("solana-upkeep", "SolanaUpkeep", LAUNCHPAD, None, check, "Wallet, nodes, forgotten landings."),
        _often("tax-distribution", "TaxDistribution", LAUNCHPAD, tax, cycle, "Pays out the tax that sales collected."),
        _daily("sale-aftercare", "SaleAftercare", LAUNCHPAD, care, daily, "Pays what vested, closes empty positions."),
    ]


def _often(name: str, workflow: str, queue: str, argument: BaseModel | None, every: timedelta, note: str) -> Wanted:
    """An interval: missed ticks are worth nothing, one late one within two minutes is taken."""
    longest = max(timedelta(minutes=10), 3 * every)
    return Wanted(name, workflow, queue, argument, every, longest, every / 10, timedelta(minutes=2), note)


def _daily(name: str, workflow: str, queue: str, argument: BaseModel | None, when: Daily, note: str) -> Wanted:
    """A time of day: caught up when the system was down for less than two hours, else waited for."""
    longest, jitter, catch_up = timedelta(hours=12), timedelta(minutes=5), timedelta(minutes=120)
    return Wanted(name, workflow, queue, argument, when, longest, jitter, catch_up, note)
