"""A sale from its start to its pool, or to the last refund. Anybody may send what ends it; here the platform does."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.launchpad.sales import SaleActivities
from domain.launchpad.sale_life import Phase
from domain.launchpad.sale_messages import Planned, PlanRefunds, RefundRound, SaleLook, SaleNews, SaleRef
from domain.launchpad.transactions import Landing, Outcome
from domain.shared.processes import Start
from workflows import policies
from workflows.launchpad.landing import land
from workflows.parking import Parking

TRIES: Final = 3
"""So often the chain may refuse what ends a sale until an operator is asked."""
PAUSE: Final = timedelta(seconds=2)
AT_ONCE: Final = 4


@workflow.defn(name="CurveSale")
class CurveSaleWorkflow(Parking):
    """Watches a sale by the chain's clock and sends what is due: graduation, or every buyer's refund.

    Waits for: start and end of the sale; the signal `look`, when the feed sees the chain further than the books;
               `retry` when graduation or a refund is stuck.
    Ends when: graduated, every buyer is refunded, or cancelled by its creator before anything was bought.
    Undo:      nothing: the program pays each buyer back once, and only when the soft cap was not reached.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = SaleRef(sale_id=start.subject_id)
        self.start = start
        self.news = False
        self.again = False
        self.failed: tuple[str, ...] = ()
        self.tries: dict[str, int] = {}

    @workflow.run
    async def run(self, start: Start) -> SaleLook:
        return await self.to_the_end(self._sell, start.operation_id)

    async def _sell(self) -> SaleLook:
        while True:
            look = await self._look()
            workflow.set_current_details(f"{look.phase}: {look.detail}")
            if look.phase in (Phase.UPCOMING, Phase.ACTIVE):
                await self._wait(timedelta(seconds=look.wait_s))
            elif look.status == "refunding":
                await self._refund()
            elif keys := await self._plan():
                for key in keys:
                    await self._bring(key)
            else:
                return await self._finish()
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self.start)

    async def _look(self) -> SaleLook:
        self.news = False
        look: SaleLook = await workflow.execute_activity_method(
            SaleActivities.look_at_sale, self.ref, summary="What the chain says of the sale", **policies.SWIFT
        )
        return look

    async def _finish(self) -> SaleLook:
        ended: SaleLook = await workflow.execute_activity_method(
            SaleActivities.finish_sale, self.ref, summary="The sale is over", **policies.SWIFT
        )
        workflow.set_current_details(f"{ended.status}: {ended.detail}")
        return ended

    async def _wait(self, longest: timedelta) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self.news or self.poked, timeout=longest, timeout_summary="Until the sale's next date"
            )
        self.poked = False

    async def _plan(self) -> tuple[str, ...]:
        planned: Planned = await workflow.execute_activity_method(
            SaleActivities.plan_settlement, self.ref, summary="What is left to do", **policies.SWIFT
        )
        return planned.keys

    async def _bring(self, key: str) -> None:
        """Land one transaction that ends the sale. Refused, the chain is looked at again: another may have done it.

        Raises: ApplicationError graduation_stuck or refund_stuck after several refusals.
        """
        tries = self.tries.get(key, 0)
        landing = await land(key, finalized=True, again=tries > 0)
        if landing.outcome is not Outcome.LANDED:
            self.tries[key] = tries + 1
            if tries + 1 >= TRIES:
                self.tries[key] = 1
                raise _stuck("refund_stuck" if key.endswith(":reclaim") else "graduation_stuck", _why(landing))
        await workflow.sleep(PAUSE, summary="Until every node has it")

    async def _refund(self) -> None:
        """One round: everybody who is left, some in each transaction. One that fails does not stop the others."""
        command = PlanRefunds(sale_id=self.ref.sale_id, failed=self.failed, again=self.again)
        found: RefundRound = await workflow.execute_activity_method(
            SaleActivities.plan_refunds, command, summary="Who waits for a refund", **policies.SWIFT
        )
        self.failed, self.again = (), bool(found.stuck)
        if found.stuck:
            raise _stuck("refund_stuck", f"refused alone: {', '.join(found.stuck)}")
        gate = asyncio.Semaphore(AT_ONCE)
        landings = await asyncio.gather(*(self._pay(key, gate) for key in found.keys), return_exceptions=True)
        refused = [found for found in landings if isinstance(found, Landing) and found.outcome is not Outcome.LANDED]
        self.failed = tuple(landing.key for landing in refused)
        for failure in landings:
            if isinstance(failure, BaseException):
                raise failure
        await workflow.sleep(PAUSE, summary="Until every node has it")

    async def _pay(self, key: str, gate: asyncio.Semaphore) -> Landing:
        async with gate:
            return await land(key, finalized=True)

    @workflow.signal(description="The chain is further than the books: look at it now.")
    def look(self, news: SaleNews) -> None:
        self.news = True


def _stuck(code: str, detail: str) -> ApplicationError:
    return ApplicationError(detail, type=code, non_retryable=True)


def _why(landing: Landing) -> str:
    return f"{landing.key}: {landing.code or landing.err or landing.outcome}"
