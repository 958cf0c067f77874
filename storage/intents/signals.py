"""An operator wants a fresh oracle signal now."""

from __future__ import annotations

from typing import Final

from domain.shared import ids
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.events import audit, new_id
from storage.intents.opened import Opened
from storage.operations import open_operation

REFRESH_STEPS: Final = ("search", "analysis", "record")


async def open_refresh(connection: Connection, *, asset_id: str, principal: str) -> Opened:
    """The operation of one more refresh; a scheduled one may run beside it, the row of each is its own.

    Raises: Rejected not_found; asset_halted, asset_not_active when the asset does not trade.
    """
    cursor = await connection.execute(
        "SELECT symbol, status::text AS status FROM exchange.assets WHERE id = %s", [asset_id]
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", "no such asset")
    if row["status"] == "halted":
        raise Rejected("asset_halted", "it is halted")
    if row["status"] != "active":
        raise Rejected("asset_not_active", f"it is {row['status']}")
    workflow_id = ids.oracle_refresh(asset_id, f"asked-{new_id()}")
    summary = f"A fresh oracle signal for {row['symbol']}"
    operation_id = await open_operation(
        connection,
        kind="oracle_refresh",
        subject_id=asset_id,
        workflow_id=workflow_id,
        steps=REFRESH_STEPS,
        summary=summary,
    )
    await audit(connection, principal, "signal_refresh_asked", asset_id, operation_id=operation_id)
    return Opened(asset_id, operation_id, workflow_id, None, summary)
