"""Removing what is kept no longer."""

from __future__ import annotations

from typing import Final

from temporalio import workflow

from activities.operations.retention import RetentionActivities
from domain.operations.messages import RetentionDone, RetentionRule
from workflows import policies

RULES: Final = ("idempotency_keys", "sessions", "webhook_deliveries", "outbox")
LATER: Final = ("price_ticks",)
PAPER: Final = ("portfolio_snapshots", "mark_prices")
PICTURES: Final = ("unused_pictures",)
"""Names of storage.retention.RULES, in their order, by when they were added."""


@workflow.defn(name="Retention")
class RetentionWorkflow:
    """One round of retention.

    Waits for: nothing; a schedule starts it.
    Ends when: every rule was applied.
    Undo:      nothing: what it removes is past its time.
    """

    @workflow.run
    async def run(self) -> RetentionDone:
        deleted: dict[str, int] = {}
        rules = (*RULES, *LATER) if workflow.patched("price-ticks") else RULES
        rules = (*rules, *PAPER) if workflow.patched("paper-portfolios") else rules
        rules = (*rules, *PICTURES) if workflow.patched("unused-pictures") else rules
        for rule in rules:
            deleted[rule] = await workflow.execute_activity_method(
                RetentionActivities.apply_retention,
                RetentionRule(name=rule),
                summary=f"Old rows of {rule}",
                **policies.FOLLOW,
            )
        done = RetentionDone(deleted=deleted)
        await workflow.execute_local_activity_method(
            RetentionActivities.record_retention, done, summary="Record it", **policies.LOCAL
        )
        workflow.set_current_details(", ".join(f"{name}: {count}" for name, count in deleted.items()))
        return done
