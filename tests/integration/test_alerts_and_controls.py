"""What stops an area and what calls an operator: once per problem, and told when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from domain.shared.problems import PROBLEMS, for_operators
from storage.books import Books
from storage.database import Pool, make_pool, transaction
from storage.events import resolve_alerts_about, trip
from storage.jobs import JobStore
from storage.operations import open_operation, set_operation
from storage.reads.base import fetch_all, fetch_one

AREA = "exchange.withdrawals"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[Pool]:
    async with make_pool(database, size=4, name="test") as opened:
        yield opened


async def _trip(pool: Pool, reason: str) -> None:
    async with transaction(pool) as connection:
        await trip(connection, AREA, reason, "solvency check")


async def _control(pool: Pool) -> dict[str, Any] | None:
    return await fetch_one(pool, "SELECT enabled, reason, changed_by FROM platform.controls WHERE name = %s", [AREA])


async def _events(pool: Pool, kind: str) -> list[dict[str, Any]]:
    rows = await fetch_all(pool, "SELECT payload FROM platform.outbox WHERE type = %s ORDER BY id", [kind])
    return [row["payload"] for row in rows]


async def test_a_kill_switch_nobody_has_touched_is_tripped_too(pool: Pool) -> None:
    """An area without a row counts as on, so a switch that only updates rows would stop nothing."""
    await fetch_all(pool, "DELETE FROM platform.controls RETURNING 1")
    await _trip(pool, "insolvent")
    assert await _control(pool) == {"enabled": False, "reason": "insolvent", "changed_by": "solvency check"}


async def test_a_tripped_switch_is_told_and_audited_once(pool: Pool) -> None:
    for reason in ("first", "second"):
        await _trip(pool, reason)
    assert (await _control(pool) or {})["reason"] == "first"
    assert [told["reason"] for told in await _events(pool, "control_changed")] == ["first"]
    audits = await fetch_all(pool, "SELECT detail FROM platform.audit_log WHERE action = 'control_off'")
    assert [row["detail"] for row in audits] == [{"reason": "first"}]


async def test_a_switch_set_on_again_trips_again(pool: Pool) -> None:
    await _trip(pool, "first")
    await fetch_all(pool, "UPDATE platform.controls SET enabled = true RETURNING 1")
    await _trip(pool, "second")
    assert await _control(pool) == {"enabled": False, "reason": "second", "changed_by": "solvency check"}


async def _open(pool: Pool) -> list[dict[str, Any]]:
    return await fetch_all(
        pool, "SELECT code, subject, times, severity FROM platform.alerts WHERE resolved_at IS NULL ORDER BY id"
    )


async def test_a_parked_process_has_one_alert_until_it_goes_on(pool: Pool) -> None:
    """The failed step reports first, then the process parks: that is one problem."""
    jobs, process = JobStore(Books(pool)), "withdrawal:1"
    async with transaction(pool) as connection:
        operation = await open_operation(
            connection, kind="withdrawal", subject_id="1", workflow_id=process, steps=(), summary="pay"
        )
    await jobs.alert_broken("nonce_drift", process, "drifted")
    await jobs.park(process, operation, "nonce_drift", "drifted")
    assert await _open(pool) == [{"code": "nonce_drift", "subject": process, "times": 2, "severity": "critical"}]
    shown = "SELECT status::text, failure_code, summary FROM platform.operations"
    assert await fetch_one(pool, shown) == {
        "status": "needs_operator",
        "failure_code": "nonce_drift",
        "summary": "nonce_drift: drifted",
    }
    await jobs.unpark(process, operation, "An operator resumed it")
    assert await _open(pool) == []
    assert (await fetch_one(pool, shown) or {})["status"] == "running"
    assert await _events(pool, "alert_resolved") == [{"code": "nonce_drift", "subject": process}]


async def test_an_operation_that_ended_while_it_was_parked_stays_ended(pool: Pool) -> None:
    """Somebody else booked its end: the process learns that when it is let go."""
    jobs, process = JobStore(Books(pool)), "deposit:1"
    async with transaction(pool) as connection:
        operation = await open_operation(
            connection, kind="deposit", subject_id="1", workflow_id=process, steps=(), summary="credit"
        )
    await jobs.park(process, operation, "internal_error", "")
    async with transaction(pool) as connection:
        await set_operation(connection, operation, "completed", "credited")
    await jobs.unpark(process, operation, "An operator resumed it")
    shown = await fetch_one(pool, "SELECT status::text, summary FROM platform.operations")
    assert shown == {"status": "completed", "summary": "credited"}
    assert await _open(pool) == []


async def test_only_the_alerts_of_that_process_are_over(pool: Pool) -> None:
    jobs = JobStore(Books(pool))
    for code, subject in (("nonce_drift", "a"), ("internal_error", "a"), ("nonce_drift", "b")):
        await jobs.alert_broken(code, subject, "")
    async with transaction(pool) as connection:
        await resolve_alerts_about(connection, "a", "test")
    assert [(alert["code"], alert["subject"]) for alert in await _open(pool)] == [("nonce_drift", "b")]


@pytest.mark.parametrize("code", [*PROBLEMS, "unheard_of", ""])
def test_operators_are_called_under_codes_that_are_theirs_to_act_on(code: str) -> None:
    theirs = code in PROBLEMS and PROBLEMS[code].status == 500
    assert for_operators(code) == (code if theirs else "internal_error")
