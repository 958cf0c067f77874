"""What stands of a launch: its rows, its steps, and its transactions on the chain."""

from __future__ import annotations

from typing import Any

from storage.intents.opened import Opened
from tests.launch_lab import LaunchLab
from tests.patience import PATIENCE_S


class LaunchRecords(LaunchLab):
    async def row(self, opened: Opened) -> dict[str, Any]:
        [found] = await self.rows(
            """SELECT l.*, l.status::text AS status, p.status::text AS project, p.token_address,
                 p.bonding_curve_address, o.status::text AS operation, o.failure_code AS operation_code, o.summary
               FROM launchpad.launches l JOIN launchpad.projects p ON p.id = l.id
               JOIN platform.operations o ON o.id = l.operation_id WHERE l.id = %s""",
            opened.subject_id,
        )
        return found

    async def reaches(self, opened: Opened, status: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """The launch, once it or its operation has this status."""
        return await self.until(
            lambda: self.row(opened), lambda row: status in (row["status"], row["operation"]), seconds, 0.03
        )

    async def steps(self, opened: Opened) -> dict[str, dict[str, Any]]:
        found = await self.rows(
            """SELECT name, status::text AS status, attempts, detail, links FROM platform.operation_steps
               WHERE operation_id = %s ORDER BY position""",
            opened.operation_id,
        )
        return {row["name"]: row for row in found}

    async def landed(self, address: str) -> int:
        """How many transactions that did not fail name the address."""
        return sum(1 for row in await self.signatures(address) if row["err"] is None)
