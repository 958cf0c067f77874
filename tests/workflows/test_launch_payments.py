"""Payments for a launch's promotion: each pays once, only its payer's, and what does not fit is owed back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from domain.launchpad.promo import PAID_LEAST
from domain.launchpad.request import SOL
from domain.shared.errors import Rejected
from localnet.running import RunningTemporal, running_temporal
from tests.launch_checks import promo, undone
from tests.token_launch_lab import TokenLab, token_lab


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("launches")
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
    """One chain and one worker for all, another creator for each."""
    await world.newcomer()
    return world


async def test_a_promotion_that_was_paid_starts_with_the_launch(lab: TokenLab) -> None:
    payment = await lab.pay(5 * SOL + lab.policy.listing_lamports)
    opened = await lab.begin(promo_tier_lamports=5 * SOL, promo_payment_signature=payment, listing=True)
    await lab.reaches(opened, "live")
    [found] = await promo(lab, opened)
    assert (found["status"], found["payer"]) == ("active", str(lab.creator.pubkey()))
    assert found["features"]["banner"] is not None
    assert found["features"]["press_release"] is None
    assert "top" not in found["features"]
    [project] = await lab.rows("SELECT dex_cex_listing FROM launchpad.projects WHERE id = %s", opened.subject_id)
    assert project["dex_cex_listing"]


async def test_a_payment_pays_once(lab: TokenLab) -> None:
    payment = await lab.pay(SOL // 2)
    await lab.open(promo_tier_lamports=SOL // 2, promo_payment_signature=payment)
    with pytest.raises(Rejected) as again:
        await lab.open(promo_tier_lamports=SOL // 2, promo_payment_signature=payment)
    assert again.value.code == "payment_used"


async def test_a_payment_of_another_amount_is_owed_back(lab: TokenLab) -> None:
    payment = await lab.pay(SOL // 2 - 1)
    opened = await lab.begin(promo_tier_lamports=SOL // 2, promo_payment_signature=payment)
    row = await undone(lab, opened, "payment_not_found")
    assert "0.499999999 SOL" in row["failure_detail"]
    [found] = await promo(lab, opened)
    assert found["status"] == "refund_due"
    assert found["received_lamports"] == SOL // 2 - 1


async def test_a_payment_named_by_a_launch_that_ended_before_it_was_looked_for_is_free_again(lab: TokenLab) -> None:
    payment = await lab.pay(SOL // 2)
    asked = {"promo_tier_lamports": SOL // 2, "promo_payment_signature": payment}
    lab.ipfs.fail("ipfs", "unauthorized")
    opened = await lab.begin(**asked)
    row = await undone(lab, opened, "upstream_refused")
    assert row["step"] == "pin_images"
    assert await promo(lab, opened) == []
    again = await lab.begin(**asked)
    await lab.reaches(again, "live")
    assert [found["status"] for found in await promo(lab, again)] == ["active"]


@pytest.mark.parametrize(("lamports", "owed"), [(PAID_LEAST, 1), (PAID_LEAST - 1, 0)])
async def test_less_than_an_empty_wallet_could_get_back_is_no_payment(lab: TokenLab, lamports: int, owed: int) -> None:
    payment = await lab.pay(lamports)
    opened = await lab.begin(promo_tier_lamports=SOL // 2, promo_payment_signature=payment)
    await undone(lab, opened, "payment_not_found")
    assert [found["status"] for found in await promo(lab, opened)] == ["refund_due"] * owed


@pytest.mark.parametrize("lie", ["another payer", "another recipient"])
async def test_somebody_elses_payment_is_none(lab: TokenLab, lie: str) -> None:
    stranger = Keypair()
    await lab.node.control("account", key=str(stranger.pubkey()), lamports=10 * SOL)
    payment = (
        await lab.pay(SOL // 2, payer=stranger)
        if lie == "another payer"
        else await lab.pay(SOL // 2, to=str(stranger.pubkey()))
    )
    opened = await lab.begin(promo_tier_lamports=SOL // 2, promo_payment_signature=payment)
    await undone(lab, opened, "payment_not_found")
    assert await promo(lab, opened) == []


async def test_another_account_cannot_take_a_payment_by_naming_it_first(lab: TokenLab) -> None:
    """The thief's launch says the payer's wallet is its creator; the payment says whose it is."""
    payer, whose, picture = lab.creator, lab.account, lab.picture
    asked = {"promo_tier_lamports": SOL // 2, "promo_payment_signature": await lab.pay(SOL // 2)}
    await lab.newcomer()
    theft = await lab.begin(**asked, creator_wallet=str(payer.pubkey()))
    await undone(lab, theft, "payment_not_found")
    lab.creator, lab.account, lab.picture = payer, whose, picture
    opened = await lab.begin(**asked)
    await lab.reaches(opened, "live")
    assert [found["status"] for found in await promo(lab, opened)] == ["active"]


async def test_what_the_platform_signed_is_no_payment(lab: TokenLab) -> None:
    opened = await lab.begin()
    row = await lab.reaches(opened, "live")
    [first, *_] = await lab.signatures(row["mint"])
    with pytest.raises(Rejected) as ours:
        await lab.open(promo_tier_lamports=SOL // 2, promo_payment_signature=first["signature"])
    assert ours.value.code == "payment_used"


async def test_cancelled_while_it_waits_for_a_payment(lab: TokenLab) -> None:
    """Everything is undone, and a payment that was only named is free again."""
    nowhere = str(Keypair().sign_message(b"never sent"))
    opened = await lab.begin(promo_tier_lamports=SOL // 2, promo_payment_signature=nowhere)
    await lab.until(lambda: lab.row(opened), lambda row: row["step"] == "promo_payment")
    assert (await lab.cancel(opened)).status == "running"
    await undone(lab, opened, None)
    assert await promo(lab, opened) == []
