"""From events to receivers."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from activities.operations.webhooks import WebhookActivities
from domain.operations.messages import DeliveryDone, DeliveryRef, DeliveryTried, RecordAttempt
from domain.operations.webhooks import next_delay_s
from domain.shared.processes import Start
from workflows import policies
from workflows.failures import STEP_FAILED, code_of
from workflows.saga import is_business_end, to_the_end


@workflow.defn(name="WebhookFanout")
class WebhookFanoutWorkflow:
    """Tells webhooks what happened.

    Waits for: events (LISTEN/NOTIFY, and every second).
    Ends when: never; it continues as new.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self) -> None:
        workflow.set_current_details("Turns events into webhook deliveries")
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.execute_activity_method(
                WebhookActivities.fan_out, summary="Events to deliveries", **policies.FOLLOW
            )
        workflow.continue_as_new()


@workflow.defn(name="WebhookDelivery")
class WebhookDeliveryWorkflow:
    """One event to one receiver, at least once.

    Waits for: the receiver, ever more patiently, for three days.
    Ends when: it answered 2xx; or the three days are over (an operator is called, and may have it delivered again);
               or webhook or event are gone.
    Undo:      nothing: what was received stays received.
    """

    @workflow.run
    async def run(self, start: Start) -> DeliveryDone:
        self.ref = DeliveryRef(delivery_id=start.subject_id)
        self.attempts = 0
        try:
            return await self._until_delivered()
        except BaseException as error:
            if not is_business_end(error):
                raise
            why = "cancelled" if is_cancelled_exception(error) else _reason(error)
            await to_the_end(self._record(final=True, detail=why, alarm=not is_cancelled_exception(error)))
            raise

    async def _until_delivered(self) -> DeliveryDone:
        while True:
            tried: DeliveryTried = await workflow.execute_activity_method(
                WebhookActivities.deliver, self.ref, summary=f"Attempt {self.attempts + 1}", **policies.EFFECT
            )
            if tried.gone:
                await self._record(final=True, detail=tried.detail)
                return self._done("failed", tried.detail)
            self.attempts += 1
            if tried.delivered:
                await self._record(delivered=True)
                return self._done("delivered", tried.detail)
            delay = next_delay_s(self.attempts, self._age_s(), tried.retry_after_s)
            await self._record(final=delay is None, alarm=delay is None, detail=tried.detail)
            if delay is None:
                return self._done("failed", tried.detail)
            workflow.set_current_details(f"Attempt {self.attempts} failed ({tried.detail}); again in {delay} s")
            spread = workflow.random().randrange(delay // 10 + 1)
            await workflow.sleep(timedelta(seconds=delay + spread), summary="Until the next attempt")

    def _age_s(self) -> int:
        return int((workflow.now() - workflow.info().start_time).total_seconds())

    def _done(self, status: str, detail: str) -> DeliveryDone:
        workflow.set_current_details(f"Ended {status} after {self.attempts} attempts: {detail}")
        return DeliveryDone(status=status, attempts=self.attempts)

    async def _record(
        self, *, delivered: bool = False, final: bool = False, alarm: bool = False, detail: str = ""
    ) -> None:
        command = RecordAttempt(
            delivery_id=self.ref.delivery_id,
            attempts=self.attempts,
            delivered=delivered,
            final=final,
            alarm=alarm,
            detail=detail,
        )
        await workflow.execute_local_activity_method(
            WebhookActivities.record_attempt, command, summary="Keep how it went", **policies.LOCAL
        )


def _reason(error: BaseException) -> str:
    return code_of(error) if isinstance(error, STEP_FAILED) else type(error).__name__
