"""PromoRefund against a real Solana, Temporal and Postgres: what came in goes back once, to whom it came from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from domain.launchpad.request import SOL
from domain.shared import ids
from domain.shared.processes import RetryProcess
from localnet.running import RunningTemporal, running_temporal
from storage.database import transaction
from tests.token_launch_lab import TokenLab, token_lab

FEE = 5_000
OWED = SOL // 2 - 1
"""Not the price of a tier: the launch is undone and the payment owed back."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("refunds")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any
) -> AsyncIterator[TokenLab]:
    async with token_lab(await new_database(), server.address, tmp_path_factory.mktemp("svm")) as opened:
        await opened.start_worker()
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(world: TokenLab) -> TokenLab:
    await world.newcomer()
    return world


async def promo(lab: TokenLab, promo_id: str) -> dict[str, Any]:
    [row] = await lab.rows(
        """SELECT a.*, a.status::text AS status, o.status::text AS operation, o.failure_code, o.summary, o.account_id
           FROM launchpad.promo_activations a JOIN platform.operations o ON o.id = a.operation_id WHERE a.id = %s""",
        promo_id,
    )
    return row


async def owed(lab: TokenLab, lamports: int = OWED) -> str:
    """A launch is undone after its payment was found; the promotion's id. Its process is not started."""
    payment = await lab.pay(lamports)
    opened = await lab.begin(promo_tier_lamports=SOL // 2, promo_payment_signature=payment)
    await lab.reaches(opened, "undone")
    [row] = await lab.rows("SELECT id FROM launchpad.promo_activations WHERE project_id = %s", opened.subject_id)
    return str(row["id"])


async def start(lab: TokenLab, promo_id: str) -> None:
    """As the dispatcher does."""
    found = await promo(lab, promo_id)
    await lab.processes.start(
        "promo_refund", promo_id, ids.promo_refund(promo_id), "test", operation_id=str(found["operation_id"])
    )


async def retry(lab: TokenLab, promo_id: str) -> None:
    assert await lab.processes.signal(ids.promo_refund(promo_id), "retry", RetryProcess(cause="test"))


async def becomes(lab: TokenLab, promo_id: str, status: str) -> dict[str, Any]:
    """The promotion, once it or its operation has this status."""
    return await lab.until(
        lambda: promo(lab, promo_id), lambda row: status in (row["status"], row["operation"]), 90, 0.03
    )


async def paid_once(lab: TokenLab, promo_id: str, lamports: int = OWED) -> dict[str, Any]:
    """The creator has all he paid but his own fee, the platform less its fee alone, by one transaction."""
    row = await becomes(lab, promo_id, "refunded")
    creator = str(lab.creator.pubkey())
    assert (row["payer"], row["received_lamports"], row["operation"]) == (creator, lamports, "completed")
    assert await lab.lamports(creator) == 100 * SOL - FEE
    assert await lab.lamports(lab.platform) == 100 * SOL - FEE
    back = [one["signature"] for one in await lab.signatures(creator) if one["err"] is None][1:]
    assert back == [row["refund_signature"]]
    return row


async def test_what_came_in_goes_back_to_whom_it_came_from(lab: TokenLab) -> None:
    promo_id = await owed(lab)
    row = await promo(lab, promo_id)
    assert (row["status"], row["operation"], row["account_id"]) == ("refund_due", "running", lab.account)
    await start(lab, promo_id)
    row = await paid_once(lab, promo_id)
    [step] = await lab.rows(
        "SELECT *, status::text AS status FROM platform.operation_steps WHERE operation_id = %s", row["operation_id"]
    )
    assert (step["name"], step["status"], step["detail"]) == ("pay_back", "done", row["refund_signature"])
    assert [link["rel"] for link in step["links"]] == ["explorer", "solscan"]
    [plan] = await lab.rows("SELECT * FROM launchpad.transactions WHERE key = %s", ids.promo_refund(promo_id))
    assert (plan["subject_kind"], plan["signature"]) == ("promo_refund", row["refund_signature"])


async def test_more_than_the_signers_own_limit_goes_back_all_the_same(lab: TokenLab) -> None:
    """The signer's limit is five SOL a transaction, and what came in is no cost."""
    promo_id = await owed(lab, 6 * SOL)
    await start(lab, promo_id)
    await paid_once(lab, promo_id, 6 * SOL)


AT = {
    "started": "SELECT 1 FROM platform.operations WHERE subject_id = %s",
    "planned": "SELECT 1 FROM launchpad.transactions WHERE subject_id = %s",
    "signed": """SELECT 1 FROM launchpad.transactions t JOIN launchpad.transaction_attempts a
                 ON a.transaction_id = t.id WHERE t.subject_id = %s""",
    "landed": "SELECT 1 FROM launchpad.transactions WHERE status IN ('landed', 'finalized') AND subject_id = %s",
}


@pytest.mark.parametrize("step", AT)
async def test_killed_at_every_step_it_is_paid_once(lab: TokenLab, step: str) -> None:
    promo_id = await owed(lab)
    await start(lab, promo_id)
    await lab.until(lambda: lab.rows(AT[step], promo_id), bool, every=0.002)
    await lab.kill()
    await lab.start_worker()
    await paid_once(lab, promo_id)


async def test_a_fork_that_drops_it_delays_it(lab: TokenLab) -> None:
    """Confirmed, then gone before it is final: the same bytes land again, once."""
    promo_id = await owed(lab)
    lab.hurried = False
    await start(lab, promo_id)
    creator = str(lab.creator.pubkey())
    await lab.until(lambda: lab.signatures(creator), lambda found: len(found) == 2)
    told = await lab.node.control("unconfirm", slots=5)
    assert len(told["undone"]) >= 1
    assert (await promo(lab, promo_id))["status"] == "refund_due"
    lab.hurried = True
    await paid_once(lab, promo_id)


async def test_started_again_after_its_end_it_pays_nothing(lab: TokenLab) -> None:
    promo_id = await owed(lab)
    await start(lab, promo_id)
    await start(lab, promo_id)
    await paid_once(lab, promo_id)
    handle = lab.processes.client.get_workflow_handle(ids.promo_refund(promo_id))
    await handle.result()
    await lab.processes.client.start_workflow(
        "PromoRefund", {"subject_id": promo_id}, id=f"again:{promo_id}", task_queue="launchpad"
    )
    await lab.processes.client.get_workflow_handle(f"again:{promo_id}").result()
    await paid_once(lab, promo_id)


async def test_a_platform_that_is_short_of_sol_parks_it_until_it_is_filled(lab: TokenLab) -> None:
    promo_id = await owed(lab)
    await lab.node.control("account", key=lab.platform, lamports=SOL // 10)
    await start(lab, promo_id)
    row = await becomes(lab, promo_id, "needs_operator")
    assert "payer_float_low" in row["summary"]
    await lab.node.control("account", key=lab.platform, lamports=100 * SOL + OWED)
    await retry(lab, promo_id)
    await paid_once(lab, promo_id)


async def test_books_that_say_another_wallet_paid_are_not_believed(lab: TokenLab) -> None:
    """Whoever can write in the database still gets nothing: the payment on the chain decides."""
    promo_id, thief = await owed(lab), str(Keypair().pubkey())
    async with transaction(lab.pool) as connection:
        await connection.execute("UPDATE launchpad.promo_activations SET payer = %s WHERE id = %s", [thief, promo_id])
    await start(lab, promo_id)
    row = await becomes(lab, promo_id, "needs_operator")
    assert row["failure_code"] == "promo_refund_stuck"
    assert f"{thief} paid 0 lamports" in row["summary"]
    assert await lab.signatures(thief) == []
    await lab.processes.client.get_workflow_handle(ids.promo_refund(promo_id)).terminate("seen")
