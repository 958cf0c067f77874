"""The list of periodic processes, as data."""

from __future__ import annotations

from datetime import timedelta

from workflows.schedules import NEEDS_ARWEAVE, NEEDS_SOLANA, NEEDS_VAULT, Daily, LaunchpadTimes, Wanted, wanted

BASE = {"custody_interval_s": 600, "check_interval_s": 60, "backup_hour_utc": 3, "backups": True,
        "launchpad": LaunchpadTimes(300, 230, 10_000_000, 2_592_000)}  # fmt: skip


def listed(**changes: object) -> dict[str, Wanted]:
    return {one.id: one for one in wanted(1, **{**BASE, **changes})}  # type: ignore[arg-type]


def test_every_periodic_process_is_listed_once() -> None:
    assert set(listed()) == {
        "custody-upkeep", "solvency", "ledger-check", "retention-daily", "backup-nightly", "restore-drill-weekly",
        "oracle-round", "liquidity-upkeep", "copytrade-marks", "copytrade-snapshots", "copytrade-settlement",
        "copytrade-drift", "copytrade-markets", "process-check", "launchpad-reconcile", "tax-distribution",
        "solana-upkeep", "sale-aftercare",
    }  # fmt: skip


def test_without_a_vault_there_is_no_backup_and_no_drill() -> None:
    assert set(listed()) - set(listed(backups=False)) == NEEDS_VAULT


def test_without_solana_nothing_is_reconciled_or_paid_out() -> None:
    assert set(listed()) - set(listed(launchpad=None)) == NEEDS_SOLANA


def test_with_a_bundler_files_go_to_arweave() -> None:
    times = BASE["launchpad"]
    assert isinstance(times, LaunchpadTimes)
    assert set(listed(launchpad=times._replace(mirror_s=300))) - set(listed()) == NEEDS_ARWEAVE


def test_every_run_has_a_longest_time_and_catches_up_minutes_not_days() -> None:
    for one in listed().values():
        assert timedelta(minutes=10) <= one.longest <= timedelta(hours=12)
        assert timedelta(minutes=1) <= one.catch_up <= timedelta(minutes=120)
        assert one.note.endswith(".")


def test_the_drill_follows_the_backup_also_around_midnight() -> None:
    late = listed(backup_hour_utc=23)
    assert late["backup-nightly"].when == Daily(23)
    assert late["restore-drill-weekly"].when == Daily(0, 30, 0)


def test_fingerprints_tell_every_change_and_nothing_else() -> None:
    before = listed()
    assert {k: v.fingerprint for k, v in before.items()} == {k: v.fingerprint for k, v in listed().items()}
    assert len({v.fingerprint for v in before.values()}) == len(before)
    assert before["solvency"].fingerprint != listed(check_interval_s=61)["solvency"].fingerprint
    other_chain = {one.id: one for one in wanted(2, **BASE)}  # type: ignore[arg-type]
    assert before["solvency"].fingerprint != other_chain["solvency"].fingerprint
    assert before["ledger-check"].fingerprint == other_chain["ledger-check"].fingerprint
