"""Periodic proof that the books add up, and that every open operation has its process."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.operations.checks import LedgerCheckActivities
from activities.operations.processes import ProcessCheckActivities
from domain.operations.messages import LedgerChecked, ProcessesFound
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


@workflow.defn(name="ProcessCheck")
class ProcessCheckWorkflow:
    """Finds operations that nothing carries on: those Temporal lost are started again, ended ones call an operator.

    Waits for: nothing; a schedule starts it.
    Ends when: the outcome is recorded.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self) -> ProcessesFound:
        found: ProcessesFound = await workflow.execute_activity_method(
            ProcessCheckActivities.find_gone,
            summary="Compare open operations with running processes",
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=policies.FOLLOW["heartbeat_timeout"],
            retry_policy=policies.PATIENT,
        )
        await workflow.execute_local_activity_method(
            ProcessCheckActivities.record_gone, found, summary="Start lost ones, tell of ended ones", **policies.LOCAL
        )
        workflow.set_current_details(found.summary)
        return found
