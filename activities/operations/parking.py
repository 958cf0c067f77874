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
        """Show an operation as `needs_operator`, or as running again (empty code).

        Effect: operation row, event, alert: one transaction.
        Again:  sets the same values; an open alert is counted, not doubled.
        """
        await self.jobs.park(command.operation_id, command.code, command.detail)
