"""Looking after Solana: an empty wallet and silent nodes are told, forgotten landings become final or gone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.launchpad.upkeep import SolanaUpkeepActivities
from domain.launchpad.transactions import LookedAfter
from storage.jobs import JobStore
from storage.launchpad.day_limit import DayLimit
from storage.launchpad.promo_refunds import PromoRefundStore
from tests.integration.test_solana_paying_back import paid
from tests.landing_lab import PAID, LandingLab, open_landing_lab
from tests.svm_lab import SOL


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


async def look(lab: LandingLab, wanted: int = SOL) -> str:
    upkeep = SolanaUpkeepActivities(
        lab.nodes,
        lab.store,
        lab.sending(),
        JobStore(lab.books),
        PromoRefundStore(lab.books, lab.platform),
        DayLimit(lab.books, lab.store.day_lamports),
        platform=lab.platform,
        float_lamports=wanted,
    )
    done: LookedAfter = await ActivityEnvironment().run(upkeep.look_after_solana)
    return done.summary


async def alerts(lab: LandingLab) -> list[tuple[str, str]]:
    found = await lab.rows("SELECT code, subject FROM platform.alerts WHERE resolved_at IS NULL ORDER BY code")
    return [(row["code"], row["subject"]) for row in found]


async def forgotten(lab: LandingLab) -> None:
    """Nobody has looked at it for minutes."""
    await lab.rows("UPDATE launchpad.transactions SET updated_at = updated_at - interval '2 minutes'")


async def test_a_wallet_that_runs_low_is_told_until_it_is_filled(lab: LandingLab) -> None:
    await look(lab)
    assert await alerts(lab) == []
    lab.svm.fund(lab.key.pubkey(), SOL - 1)
    lab.svm.confirm()
    await look(lab)
    await look(lab)
    assert await alerts(lab) == [("payer_float_low", lab.platform)]
    lab.svm.fund(lab.key.pubkey(), SOL)
    lab.svm.confirm()
    await look(lab)
    assert await alerts(lab) == []


async def test_a_blind_node_makes_no_empty_wallet(lab: LandingLab) -> None:
    lab.svm.view(port=0, blind=True)
    await look(lab)
    assert await alerts(lab) == []


async def test_silent_nodes_are_told_until_one_answers(lab: LandingLab) -> None:
    for port in (0, 1):
        lab.svm.fail("getMultipleAccounts", "plain_5xx", port=port, times=None)
    assert "No node answers" in await look(lab)
    assert await alerts(lab) == [("solana_unavailable", "nodes")]
    lab.svm.heal()
    await look(lab)
    assert await alerts(lab) == []


async def test_a_landing_nobody_waited_for_becomes_final(lab: LandingLab) -> None:
    await lab.plan("pay")
    await lab.land("pay")
    lab.svm.finalize()
    assert "0 landings" in await look(lab)
    await forgotten(lab)
    assert "1 landings became final" in await look(lab)
    assert (await lab.status("pay"), lab.landings()) == ("finalized", 1)


async def test_a_landing_that_a_fork_dropped_goes_out_again(lab: LandingLab) -> None:
    await lab.plan("pay")
    await lab.land("pay")
    await lab.taken_back()
    await forgotten(lab)
    await look(lab)
    assert (lab.landings(), await lab.status("pay"), await alerts(lab)) == (1, "landed", [])
    lab.svm.finalize()
    await look(lab)
    assert await lab.status("pay") == "finalized"


async def test_a_landing_that_left_the_chain_for_good_calls_an_operator(lab: LandingLab) -> None:
    await lab.plan("pay")
    await lab.land("pay")
    await lab.taken_back()
    lab.svm.warp(slots=300)
    await forgotten(lab)
    assert "1 left the chain" in await look(lab)
    assert await alerts(lab) == [("transaction_not_landing", "pay")]
    assert (await lab.status("pay"), await lab.attempts("pay"), lab.landings()) == ("planned", ["expired"], 0)


async def test_a_day_that_is_nearly_spent_is_told_until_it_has_passed(lab: LandingLab) -> None:
    lab.store.day_lamports = 5 * (PAID + 5_000)
    for number in range(4):
        assert await alerts(lab) == []
        await lab.plan(f"pay:{number}")
        await lab.land(f"pay:{number}")
        await look(lab)
    assert await alerts(lab) == [("solana_day_limit", lab.platform)]
    await lab.rows("UPDATE launchpad.transaction_attempts SET ended_at = ended_at - interval '24 hours'")
    await look(lab)
    assert await alerts(lab) == []


async def test_a_payment_owed_back_without_a_process_gets_one(lab: LandingLab) -> None:
    """From before there was such a process, or restored: taken up once, for the dispatcher to start."""
    owed = await paid(lab)
    assert "1 payments taken up" in await look(lab)
    assert "0 payments taken up" in await look(lab)
    found = await lab.row(
        """SELECT o.kind, o.subject_id, o.workflow_id, o.status::text AS status, o.dispatched_at
           FROM platform.operations o JOIN launchpad.promo_activations a ON a.operation_id = o.id WHERE a.id = %s""",
        owed.id,
    )
    assert found == {
        "kind": "promo_refund",
        "subject_id": owed.id,
        "workflow_id": f"promo-refund:{owed.id}",
        "status": "running",
        "dispatched_at": None,
    }
