"""A promotion was paid for and its launch undone: the money goes back to the wallet it came from."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.launchpad.promo_refunds import PromoRefundActivities
from domain.launchpad.promo_refunds import PromoRef, RefundPaid, RefundPlanned, next_step, told
from domain.launchpad.transactions import Outcome
from domain.shared.processes import Start
from workflows import policies
from workflows.launchpad.landing import land
from workflows.parking import Parking

TRIES: Final = 3
PAUSE: Final = timedelta(seconds=5)
"""So often the chain may refuse the transfer until an operator is asked."""


@workflow.defn(name="PromoRefund")
class PromoRefundWorkflow(Parking):
    """Pays back once what came in for a promotion.

    Waits for: the transfer to be final; `retry` when the chain refuses it.
    Ends when: it is final and booked.
    Undo:      nothing: the chain has done all of it or nothing.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = PromoRef(promo_id=start.subject_id)

    @workflow.run
    async def run(self, start: Start) -> RefundPaid:
        return await self.to_the_end(self._pay_back, start.operation_id)

    async def _pay_back(self) -> RefundPaid:
        planned: RefundPlanned = await workflow.execute_local_activity_method(
            PromoRefundActivities.plan_promo_refund, self.ref, summary="What came in, and from whom", **policies.LOCAL
        )
        workflow.set_current_details(f"Pays {told(planned.lamports)} back to {planned.payer}")
        if planned.signature is None:
            await self._transfer(planned)
        paid: RefundPaid = await workflow.execute_local_activity_method(
            PromoRefundActivities.record_promo_refund, self.ref, summary="Book that it is back", **policies.LOCAL
        )
        workflow.set_current_details(f"{paid.summary}: {paid.signature}")
        return paid

    async def _transfer(self, planned: RefundPlanned) -> None:
        """Raises: ApplicationError promo_refund_stuck after several refusals."""
        for left in reversed(range(TRIES)):
            landing = await land(planned.key, finalized=True, again=True)
            if landing.outcome is Outcome.LANDED:
                return
            if left:
                await workflow.sleep(PAUSE, summary="Until it is tried again")
        raise ApplicationError(next_step(planned, landing), type="promo_refund_stuck", non_retryable=True)
