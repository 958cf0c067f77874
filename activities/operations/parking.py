"""Telling operators that a process waits for them, and that it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.shared.processes import ParkOperation

if TYPE_CHECKING:
    from storage.jobs import JobStore


class ParkingActivities:
    def __init__(self, jobs: JobStore) -> None:
        self.jobs = jobs

    @activity.defn
    async def park_operation(self, command: ParkOperation) -> None:
        """Show an operation as `needs_operator` and open its alert, or as running again and close it (empty code).

        The alert's subject is the process, as in the alert that the failed step itself opened: one problem, one alert.

        Effect: operation row, event, alert: one transaction.
        Again:  sets the same values; an open alert is counted, not doubled.
        """
        process = activity.info().workflow_id or ""
        if command.code:
            await self.jobs.park(process, command.operation_id, command.code, command.detail)
        else:
            await self.jobs.unpark(process, command.operation_id, command.detail)
