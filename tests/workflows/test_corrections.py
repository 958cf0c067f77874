"""UN-011: one person asks, another one approves, the books are changed once; or nothing happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.shared.errors import Rejected, Unavailable
from domain.shared.ledger import PLATFORM_FEES, PLATFORM_TREASURY, available, lp_fees
from domain.shared.money import USDC as UNIT
from localnet.running import RunningTemporal, running_temporal
from storage.events import new_id
from storage.intents.opened import Opened
from tests.corrections_lab import USDC, Lab, open_lab, worker_process
from tests.world.skipping import skipping_temporal
from workflows import client as temporal


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("corrections")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def lab(server: RunningTemporal, new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Lab]:
    client = await temporal.connect(server.address, "default")
    async with open_lab(await new_database(), client) as opened:
        yield opened


async def people(lab: Lab) -> tuple[str, str, str]:
    """Who asks, who decides, whose money it is; and ten USDC of the platform's."""
    await lab.treasury(10 * USDC)
    return await lab.account("asker"), await lab.account("other"), await lab.account("trader")


async def events(lab: Lab, topic: str) -> list[tuple[str, str | None]]:
    found = await lab.rows("SELECT type, account_id FROM platform.outbox WHERE topic = %s ORDER BY id", topic)
    return [(row["type"], row["account_id"]) for row in found]


async def test_a_second_persons_word_books_it_once(lab: Lab) -> None:
    asker, other, trader = await people(lab)
    opened = await lab.pay_from_treasury(trader, 4 * USDC, asker)
    async with lab.worker():
        handle = await lab.begin(opened)
        assert await lab.transfers() == 0
        assert (await lab.decide(opened, other)).status in ("approved", "booked")
        assert (await handle.result()).status == "booked"
    assert await lab.available(trader) == 4 * USDC
    assert await lab.ledger(PLATFORM_TREASURY) == 6 * USDC
    row = await lab.correction(opened)
    assert (row["status"], row["requested_by"], row["decided_by"]) == ("booked", asker, other)
    assert row["booked_at"] is not None
    transfer = await lab.row("SELECT key, ref FROM platform.transfers WHERE kind = 'correction'")
    assert transfer == {"key": f"correction:{opened.subject_id}", "ref": opened.subject_id}
    audited = await lab.rows("SELECT action, principal FROM platform.audit_log WHERE subject = %s ORDER BY id",
                             opened.subject_id)  # fmt: skip
    assert [(a["action"], a["principal"]) for a in audited] == [
        ("correction_requested", asker),
        ("correction_approved", other),
        ("correction_booked", other),
    ]
    assert await events(lab, "accounts") == [("balance_corrected", trader)]
    assert await events(lab, "system") == [
        ("correction_requested", None),
        ("correction_approved", None),
        ("correction_booked", None),
    ]
    operation = await lab.operation(opened.subject_id)
    assert (operation["status"], operation["kind"]) == ("completed", "correction")
    await lab.check_all()


async def test_who_asked_or_is_paid_cannot_approve(lab: Lab) -> None:
    asker, other, trader = await people(lab)
    opened = await lab.pay_from_treasury(trader, 4 * USDC, asker)
    async with lab.worker():
        handle = await lab.begin(opened)
        for principal in (asker, trader):
            with pytest.raises(Rejected) as refused:
                await lab.decide(opened, principal)
            assert refused.value.code == "self_approval"
        assert (await lab.correction(opened))["status"] == "pending_approval"
        assert await lab.transfers() == 0
        await lab.decide(opened, other)
        assert (await handle.result()).status == "booked"


async def test_even_a_defect_of_ours_cannot_let_one_person_book(lab: Lab) -> None:
    """The table refuses what the code should never try."""
    asker, _, trader = await people(lab)
    opened = await lab.pay_from_treasury(trader, 4 * USDC, asker)
    for statement in ("status = 'approved', decided_by = requested_by", "status = 'booked'"):
        with pytest.raises(Exception, match="two_persons"):
            await lab.rows(f"UPDATE platform.corrections SET {statement} WHERE id = %s", opened.subject_id)


async def test_a_rejected_one_moves_nothing_and_the_asker_may_take_it_back(lab: Lab) -> None:
    asker, other, trader = await people(lab)
    async with lab.worker():
        for decider in (other, asker):
            opened = await lab.pay_from_treasury(trader, 4 * USDC, asker)
            handle = await lab.begin(opened)
            assert (await lab.decide(opened, decider, approve=False)).status == "rejected"
            assert (await handle.result()).status == "rejected"
            with pytest.raises(Rejected) as late:
                await lab.decide(opened, other)
            assert late.value.code == "conflict"
            assert (await lab.operation(opened.subject_id))["status"] == "cancelled"
    assert await lab.transfers() == 0
    assert await lab.available(trader) == 0


async def test_what_the_books_refuse_ends_failed_and_calls_an_operator(lab: Lab) -> None:
    asker, other, trader = await people(lab)
    opened = await lab.pay_from_treasury(trader, 11 * USDC, asker)
    async with lab.worker():
        handle = await lab.begin(opened)
        await lab.decide(opened, other)
        ended = await handle.result()
    assert (ended.status, ended.code) == ("failed", "insufficient_funds")
    row = await lab.correction(opened)
    assert (row["status"], row["failure_code"], row["booked_at"]) == ("failed", "insufficient_funds", None)
    alert = await lab.row("SELECT code, subject FROM platform.alerts WHERE resolved_at IS NULL")
    assert alert == {"code": "correction_failed", "subject": opened.subject_id}
    operation = await lab.operation(opened.subject_id)
    assert (operation["status"], operation["failure_code"]) == ("failed", "insufficient_funds")
    assert await lab.transfers() == 0
    assert await lab.ledger(PLATFORM_TREASURY) == 10 * USDC
    await lab.check_all()


async def test_providers_fees_are_taken_only_beyond_what_they_have_earned(lab: Lab) -> None:
    asker, other, _ = await people(lab)
    asset, _ = await lab.provider((1_000 * USDC, 10))
    await lab.earn(asset, 50 * USDC)
    await lab.other_money(asset, 5 * USDC)
    async with lab.worker():
        for micros, status in ((6 * USDC, "failed"), (5 * USDC, "booked")):
            opened = await lab.ask((lp_fees(asset), UNIT, -micros), (PLATFORM_FEES, UNIT, micros), by=asker)
            handle = await lab.begin(opened)
            await lab.decide(opened, other)
            assert (await handle.result()).status == status
    assert await lab.ledger(lp_fees(asset)) == 50 * USDC
    await lab.check_all()


async def test_it_expires_after_seven_days(new_database: Callable[[], Awaitable[str]]) -> None:
    async with skipping_temporal() as env:
        async with open_lab(await new_database(), env.client) as lab:
            asker, _, trader = await people(lab)
            opened = await lab.pay_from_treasury(trader, 4 * USDC, asker)
            async with lab.worker():
                handle = await lab.begin(opened)
                ended = await handle.result()
            run = await handle.describe()
            assert ended.status == "expired"
            assert run.close_time is not None
            assert run.close_time - run.start_time >= timedelta(days=7, seconds=-10)
            assert (await lab.correction(opened))["decided_by"] is None
            assert (await lab.operation(opened.subject_id))["status"] == "cancelled"
            assert await lab.transfers() == 0


async def until_told(lab: Lab, opened: Opened, by: str) -> None:
    """Say it until somebody has heard it; who has ended hears nothing more."""
    while (await lab.correction(opened))["status"] == "pending_approval":
        with contextlib.suppress(Unavailable, Rejected):
            await lab.decide(opened, by)
        await asyncio.sleep(0.05)


async def test_killed_workers_book_each_correction_once(lab: Lab, server: RunningTemporal) -> None:
    asker, other, trader = await people(lab)
    opened = [await lab.pay_from_treasury(trader, USDC // 2, asker) for _ in range(10)]
    handles = [await lab.begin(one) for one in opened]
    for delay in (0.0, 0.1, 0.3):
        async with worker_process(lab.dsn, server.address) as child:
            words = [asyncio.ensure_future(lab.decide(one, other)) for one in opened]
            await asyncio.sleep(delay)
            child.kill()
            for word in words:
                word.cancel()
            await asyncio.gather(*words, return_exceptions=True)
    async with worker_process(lab.dsn, server.address):
        await asyncio.gather(*(until_told(lab, one, other) for one in opened))
        ended = await asyncio.wait_for(asyncio.gather(*(handle.result() for handle in handles)), 60)
    assert {one.status for one in ended} == {"booked"}
    assert await lab.transfers() == 10
    assert await lab.available(trader) == 5 * USDC
    await lab.check_all()


async def test_a_broken_ledger_parks_it_until_an_operator_says_go(lab: Lab) -> None:
    asker, other, trader = await people(lab)
    opened = await lab.pay_from_treasury(trader, 4 * USDC, asker)
    await lab.book_key(f"correction:{opened.subject_id}", trader)
    async with lab.worker():
        handle = await lab.begin(opened)
        await lab.decide(opened, other)
        await lab.until(lambda: lab.operation(opened.subject_id), lambda row: row["status"] == "needs_operator")
        await lab.forget_key(f"correction:{opened.subject_id}")
        await handle.signal("retry", {"cause": "repaired"})
        assert (await handle.result()).status == "booked"
    assert await lab.available(trader) == 4 * USDC + 1
    assert await lab.row("SELECT count(*) AS n FROM platform.alerts WHERE resolved_at IS NULL") == {"n": 0}


async def test_a_user_that_vanished_from_the_request_is_refused_at_once(lab: Lab) -> None:
    asker, _, _ = await people(lab)
    with pytest.raises(Rejected) as refused:
        await lab.ask((PLATFORM_TREASURY, UNIT, -1), (available(new_id()), UNIT, 1), by=asker)
    assert refused.value.code == "not_found"
