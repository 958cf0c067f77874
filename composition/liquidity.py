"""Funding rounds, withdrawals of liquidity providers, fee claims: part of the queue `exchange`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.exchange.funding import FundingActivities
from activities.exchange.liquidity import LiquidityActivities
from composition.parts import Parts
from domain.exchange.liquidity_messages import Contribute, ContributionState
from domain.shared import ids
from settings import WorkerSettings
from storage.exchange.fee_claims import ClaimStore
from storage.exchange.funding import FundingStore
from storage.exchange.liquidity import LpStore
from storage.exchange.requests import Requests


def liquidity(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of liquidity."""

    async def push(asset_id: str, wanted: Contribute) -> None:
        await opened.processes.update(
            ids.funding_round(asset_id), "contribute", wanted, ContributionState, update_id=wanted.contribution_id
        )

    funding = FundingActivities(FundingStore(opened.books), Requests(opened.books), push)
    pools = LiquidityActivities(LpStore(opened.books, settings.lp_policy()), ClaimStore(opened.books))
    return [
        *(funding.admit_contributions, funding.end_round, funding.refund_batch, funding.finish_round),
        funding.push_requests,
        *(pools.check_lp_withdrawal, pools.pay_lp_queue, pools.cancel_lp_withdrawal, pools.pay_lp_fees),
    ]
