"""Periodic proof that the books add up."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.operations.checks import LedgerCheckActivities
from domain.operations.messages import LedgerChecked
from workflows import policies


@workflow.defn(name="LedgerCheck")
class LedgerCheckWorkflow:
    """Proves the ledger's rules; a breach stops withdrawals.

    Waits for: nothing; a schedule starts it.
    Ends when: the outcome is recorded.
    Undo:      nothing; switching withdrawals on again is an operator's act (runbooks/ledger_mismatch.md).
    """

    @workflow.run
    async def run(self) -> LedgerChecked:
        found: LedgerChecked = await workflow.execute_activity_method(
            LedgerCheckActivities.check_ledger,
            summary="Every rule of the ledger",
            start_to_close_timeout=timedelta(minutes=30),
            heartbeat_timeout=policies.FOLLOW["heartbeat_timeout"],
            retry_policy=policies.PATIENT,
        )
        await workflow.execute_local_activity_method(
            LedgerCheckActivities.record_ledger_check, found, summary="Record it, act on it", **policies.LOCAL
        )
        workflow.set_current_details(found.summary)
        return found
