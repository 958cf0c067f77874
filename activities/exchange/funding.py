"""Funding rounds: every step is one transaction on the books."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.liquidity_messages import (
    AdmitContributions,
    BatchRefunded,
    Contribute,
    EndRound,
    FinishRound,
    RefundBatch,
    RequestsPushed,
    RoundState,
)
from domain.shared.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from storage.exchange.funding import FundingStore
    from storage.exchange.requests import Requests

Push = Callable[[str, Contribute], Awaitable[None]]
"""(asset id, request): hand a requested contribution to its round."""
AT_ONCE = 5


class FundingActivities:
    def __init__(self, store: FundingStore, requests: Requests, push: Push) -> None:
        self.store = store
        self.requests = requests
        self.push = push

    @activity.defn
    async def admit_contributions(self, command: AdmitContributions) -> RoundState:
        """Decide requested contributions, oldest first; the soft cap activates the asset.

        Effect: transfers to the pool, providers' shares, verdicts, the asset's status, events: one transaction.
        Again:  a decided contribution is not decided again; its transfer's key is its id.
        """
        return await self.store.admit(command)

    @activity.defn
    async def end_round(self, command: EndRound) -> RoundState:
        """Cancel a round that is over without its soft cap, or that an operator ends.

        Effect: the asset's status, refusals of what was requested, event, audit entry: one transaction.
        Again:  an asset that is not funding any more answers its status.
        """
        return await self.store.end(command)

    @activity.defn
    async def refund_batch(self, command: RefundBatch) -> BatchRefunded:
        """Give some contributions of a cancelled round back.

        Effect: transfers, shares, statuses, events, progress: one transaction; smaller ones when the books refuse it.
        Again:  a refunded contribution is not accepted any more, and the transfer's key is its id: once each.
        """
        return await self.store.refund(command)

    @activity.defn
    async def finish_round(self, command: FinishRound) -> RoundState:
        """End the operation, or call an operator for what could not be refunded.

        Effect: operation, refusals of late requests: one transaction.
        Again:  sets the same values.
        """
        return await self.store.finish(command.asset_id)

    @activity.defn
    async def push_requests(self) -> RequestsPushed:
        """Hand over contributions whose API process died before it could, and refuse those that come too late.

        Effect: updates of funding rounds, refusals: each its own.
        Again:  the contribution's id is the update's id, and a decided one is not decided again.
        """
        waiting = await self.requests.waiting()
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(asset_id: str, contribution_id: str) -> bool:
            async with gate:
                try:
                    await self.push(asset_id, Contribute(contribution_id=contribution_id))
                except (Rejected, Unavailable) as failure:
                    activity.logger.warning("contribution %s not handed over: %r", contribution_id, failure)
                    return False
                return True

        handed = await asyncio.gather(*(one(found.asset_id, found.id) for found in waiting))
        return RequestsPushed(pushed=sum(handed), refused=await self.requests.refuse_late())
