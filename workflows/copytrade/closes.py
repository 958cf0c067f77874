"""A paper position sold by hand, at one book."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.copytrade.closes import CloseActivities
from domain.copytrade.portfolio_messages import CloseDone, CloseRef, RejectClose
from domain.copytrade.reasons import Reason
from domain.shared.processes import Start
from workflows import policies
from workflows.parking import Parking

PATIENCE = timedelta(seconds=60)
"""A book that comes later is not the one the operator looked at."""


@workflow.defn(name="PaperClose")
class PaperCloseWorkflow(Parking):
    """An operator's sale of a paper position.

    Waits for: the venue, a minute at most; `retry` when something is Broken.
    Ends when: sold as far as the book went, or rejected: no book, no bids, nothing held.
    Undo:      nothing: before the sale nothing has moved; paper can be bought again only by copying.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = CloseRef(close_id=start.subject_id)

    @workflow.run
    async def run(self, start: Start) -> CloseDone:
        return await self.to_the_end(self._close, start.operation_id)

    async def _close(self) -> CloseDone:
        done = await self._sell() if await self._read() else await self._reject()
        workflow.set_current_details(done.summary)
        return done

    async def _read(self) -> bool:
        try:
            await workflow.execute_activity_method(
                CloseActivities.read_close_book,
                self.ref,
                summary="The one book",
                schedule_to_close_timeout=PATIENCE,
                **policies.EFFECT,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False
        return True

    async def _sell(self) -> CloseDone:
        done: CloseDone = await workflow.execute_local_activity_method(
            CloseActivities.book_close, self.ref, summary="Sell at it", **policies.LOCAL
        )
        return done

    async def _reject(self) -> CloseDone:
        command = RejectClose(close_id=self.ref.close_id, code=Reason.BOOK_UNAVAILABLE)
        done: CloseDone = await workflow.execute_local_activity_method(
            CloseActivities.reject_close, command, summary="There was no book", **policies.LOCAL
        )
        return done
