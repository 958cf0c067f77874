"""Errors between the house and Temporal: the one place that translates them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.shared.errors import Broken, Failure, Unavailable
from domain.shared.problems import for_operators

Report = Callable[[str, str, str], Awaitable[None]]
"""(code, subject, detail): opens an alert for a Broken failure."""
Quarantine = Callable[[str, str, str, Any], Awaitable[None]]
"""(source, kind, reason, payload): keeps what could not be understood."""


class FailureInterceptor(Interceptor):
    """Domain failures become ApplicationErrors whose type is the code; Broken ones call an operator."""

    def __init__(self, report: Report, quarantine: Quarantine) -> None:
        self.report = report
        self.quarantine = quarantine

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Translate(next, self.report, self.quarantine)


class _Translate(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, report: Report, quarantine: Quarantine) -> None:
        super().__init__(next)
        self.report = report
        self.quarantine = quarantine

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except Failure as failure:
            await self._tell(failure)
            raise translate(failure) from failure

    async def _tell(self, failure: Failure) -> None:
        """Best effort after the fact: the failure itself must reach Temporal even when the database is away."""
        info = activity.info()
        try:
            if isinstance(failure, Broken):
                await self.report(for_operators(failure.code), info.workflow_id or "", failure.detail)
            elif failure.code == "quarantined":
                parts = [str(failure.data.get(name, "")) for name in ("source", "kind", "reason")]
                await self.quarantine(parts[0], parts[1], parts[2], failure.data.get("payload"))
        except Unavailable as away:
            activity.logger.error("could not report %s: %s", failure.code, away.detail)


def translate(failure: Failure) -> ApplicationError:
    """The Temporal form of a domain failure: type = code; retried only if time can help."""
    delay = timedelta(seconds=failure.retry_after_s) if isinstance(failure, Unavailable) else None
    return ApplicationError(
        failure.detail or failure.code,
        type=failure.code,
        non_retryable=not failure.retryable,
        next_retry_delay=delay if delay and delay > timedelta(seconds=1) else None,
        category=ApplicationErrorCategory.BENIGN if failure.retryable else ApplicationErrorCategory.UNSPECIFIED,
    )


STEP_FAILED: Final = (ActivityError, ApplicationError)
"""How a failed step reaches its workflow. A local activity's own failure comes without an ActivityError around it."""


def failure_of(error: FailureError) -> BaseException:
    """What a failed step itself raised."""
    return error.cause or error if isinstance(error, ActivityError) else error


def code_of(error: FailureError) -> str:
    """The code inside a failed step, or `internal_error`."""
    failure = failure_of(error)
    return (failure.type if isinstance(failure, ApplicationError) else None) or "internal_error"
