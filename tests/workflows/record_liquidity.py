"""Histories of funding rounds, withdrawals of liquidity and fee claims; `lp_queue_s` is short."""

from __future__ import annotations

import asyncio

from domain.shared import ids
from tests.liquidity_lab import USDC, Lab, trader
from tests.world import World

QUEUE_S = 2


async def liquidity(world: World) -> dict[str, str]:
    lab = Lab(world.dsn, world.client, world.parts, world.settings)
    account = await trader(lab.dsn, 1_000 * USDC)
    active, failed, cancelled = await lab.round(), await lab.round(deadline_in_s=4), await lab.round()
    for asset in (active, failed, cancelled):
        await lab.start_round(asset)
        await lab.contribute(asset, account, 40 * USDC)
    await lab.contribute(active, account, 2_000 * USDC)
    await lab.contribute(active, account, 60 * USDC)
    await lab.cancel_round(cancelled)
    await lab.until(lambda: lab.contributions(failed), lambda found: found == {"refunded": 1})
    pool, provider = await lab.provider((1_000 * USDC, 200))
    instant = await lab.withdraw(pool, provider, 10 * USDC)
    await lab.decided(instant, "paid")
    refused = await lab.withdraw(pool, provider, 991 * USDC)
    await lab.decided(refused, "refused")
    wide, owner = await lab.provider((1_000 * USDC, 8))
    await lab.provider((9_000 * USDC, 8), asset=wide)
    queued, behind = await lab.withdraw(wide, owner, 200 * USDC), ""
    await lab.decided(queued, "queued")
    behind = await lab.withdraw(wide, owner, 50 * USDC)
    await lab.decided(behind, "queued")
    given_up = await lab.withdraw(pool, provider, 500 * USDC)
    await lab.decided(given_up, "queued")
    await lab.give_up(given_up)
    await asyncio.gather(lab.decided(queued, "paid"), lab.decided(behind, "paid"))
    await lab.earn(pool, 5 * USDC)
    paid = await lab.claim(pool, provider)
    await (await lab.start("lp_fee_claim", paid)).result()
    nothing = await lab.claim(pool, provider)
    await (await lab.start("lp_fee_claim", nothing)).result()
    await world.client.execute_workflow("LiquidityUpkeep", id="liquidity-upkeep", task_queue="exchange")
    return {
        "FundingRound/activated": ids.funding_round(active),
        "FundingRound/refunded_after_its_deadline": ids.funding_round(failed),
        "FundingRound/cancelled_by_an_operator": ids.funding_round(cancelled),
        "LpWithdrawal/paid_at_once": ids.lp_withdrawal(instant),
        "LpWithdrawal/refused": ids.lp_withdrawal(refused),
        "LpWithdrawal/queued_and_paid": ids.lp_withdrawal(queued),
        "LpWithdrawal/paid_by_another": ids.lp_withdrawal(behind),
        "LpWithdrawal/given_up": ids.lp_withdrawal(given_up),
        "LpFeeClaim/paid": paid.workflow_id,
        "LpFeeClaim/nothing_owed": nothing.workflow_id,
        "LiquidityUpkeep/round": "liquidity-upkeep",
    }
