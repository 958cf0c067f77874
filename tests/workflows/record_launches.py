"""Golden histories of launches: live, undone, parked and resumed, signed by the creator's wallet."""

from __future__ import annotations

import tempfile
from pathlib import Path

from domain.launchpad.request import SOL
from domain.launchpad.steps import CURVE, MINT
from domain.shared import ids
from gateways.solana import token_2022
from tests.token_launch_lab import TokenLab, token_lab
from tests.workflows import test_promo_refunds as refunds
from tests.world import World

GATEWAY = "https://ipfs.io/ipfs"


async def launches(world: World) -> dict[str, str]:
    """Every end of the process, each in a launch of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with token_lab(world.dsn, world.temporal.address, Path(name), ipfs_gateway_url=GATEWAY) as lab:
            await lab.start_worker()
            await world.client.execute_workflow("Retention", id="retention", task_queue="operations")
            return {
                "Retention/with_pictures": "retention",
                "TokenLaunch/live": await _live(lab),
                "TokenLaunch/undone_when_the_pinning_node_refused": await _refused(lab),
                "TokenLaunch/cancelled_while_it_waited_for_a_payment": await _cancelled(lab),
                "TokenLaunch/parked_after_the_mint_and_resumed": await _parked(lab),
                "TokenLaunch/signed_by_its_creator": await _signed(lab),
                "TokenLaunch/held_by_the_kill_switch": await _held(lab),
                "TokenLaunch/stuck_on_its_nonce_and_cancelled": await _stuck(lab),
                "PromoRefund/paid_back": await _paid_back(lab),
                "PromoRefund/parked_and_resumed": await _parked_refund(lab),
            }


async def _live(lab: TokenLab) -> str:
    payment = await lab.pay(SOL // 2)
    opened = await lab.begin(promo_tier_lamports=SOL // 2, promo_payment_signature=payment)
    await lab.reaches(opened, "live")
    return opened.workflow_id


async def _refused(lab: TokenLab) -> str:
    lab.ipfs.fail("ipfs", "unauthorized", match="metadata")
    opened = await lab.begin()
    await lab.reaches(opened, "undone")
    return opened.workflow_id


async def _cancelled(lab: TokenLab) -> str:
    nowhere = str(lab.creator.sign_message(b"never sent"))
    opened = await lab.begin(promo_tier_lamports=SOL // 2, promo_payment_signature=nowhere)
    await lab.until(lambda: lab.row(opened), lambda row: row["step"] == "promo_payment")
    await lab.cancel(opened)
    await lab.reaches(opened, "undone")
    return opened.workflow_id


async def _parked(lab: TokenLab) -> str:
    """The platform's wallet can pay the mint and not the sale."""
    opened = await lab.open()
    token = lab.wire.token((await lab.launch(opened)).model_copy(update={"metadata_uri": "x" * 90}))
    await lab.node.control("account", key=lab.platform, lamports=token_2022.creation_lamports(token) + 3_000_000)
    await lab.start(opened)
    await lab.reaches(opened, "needs_operator")
    await lab.node.control("account", key=lab.platform, lamports=100 * SOL)
    await lab.retry(opened)
    await lab.reaches(opened, "live")
    return opened.workflow_id


async def _signed(lab: TokenLab) -> str:
    opened = await lab.begin(signing="creator")
    for step in (MINT, CURVE):
        await lab.sign(opened, step)
    await lab.reaches(opened, "live")
    return opened.workflow_id


async def _stuck(lab: TokenLab) -> str:
    """The mint is signed by all and no node takes it: its nonce is used up, and the launch can be cancelled again."""
    async with lab.set_to(solana_patience_s="8"):
        opened = await lab.begin(signing="creator")
        raw = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
        for port in (0, 1):
            await lab.node.control("fault", port=port, method="sendTransaction", fault="drop", times=None)
        await lab.hand_in(opened, MINT, raw)
        ends = "SELECT 1 FROM launchpad.transactions WHERE key LIKE 'void:%%' AND subject_kind = %s"
        await lab.until(lambda: lab.rows(ends, "nonce"), bool)
        for port in (0, 1):
            await lab.node.control("heal", port=port)
        expired = "SELECT 1 FROM launchpad.transaction_attempts WHERE status = %s AND nonce_id IS NOT NULL"
        await lab.until(lambda: lab.rows(expired, "expired"), bool)
        await lab.issued(opened, MINT)
        await lab.cancel(opened)
        await lab.reaches(opened, "undone")
    return opened.workflow_id


async def _held(lab: TokenLab) -> str:
    await lab.switch(on=False)
    opened = await lab.begin()
    await lab.reaches(opened, "waiting")
    await lab.switch(on=True)
    await lab.retry(opened)
    await lab.reaches(opened, "live")
    return opened.workflow_id


async def _paid_back(lab: TokenLab) -> str:
    promo_id = await refunds.owed(lab)
    await refunds.start(lab, promo_id)
    await refunds.becomes(lab, promo_id, "refunded")
    return ids.promo_refund(promo_id)


async def _parked_refund(lab: TokenLab) -> str:
    """Refused by the chain three times: the platform's wallet is short."""
    promo_id = await refunds.owed(lab)
    await lab.node.control("account", key=lab.platform, lamports=SOL // 10)
    await refunds.start(lab, promo_id)
    await refunds.becomes(lab, promo_id, "needs_operator")
    await lab.node.control("account", key=lab.platform, lamports=100 * SOL)
    await refunds.retry(lab, promo_id)
    await refunds.becomes(lab, promo_id, "refunded")
    return ids.promo_refund(promo_id)
