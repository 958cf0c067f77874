"""Giving a launch up, for its own route and for that of its operation."""

from __future__ import annotations

from api.deps import Deps
from api.dispatch import Dispatch
from api.http.scopes import Principal
from domain.launchpad.launch_messages import GiveUp, LaunchState
from domain.launchpad.steps import ENDED
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.intents.opened import Opened
from storage.reads import launches as reads
from storage.reads.base import Row


async def launch_row(deps: Deps, principal: Principal, launch_id: str) -> Row:
    """Raises: Rejected not_found, also for what belongs to somebody else."""
    row = await reads.launch(deps.reads, launch_id)
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such launch, or not yours")
    return row


async def cancel_launch(deps: Deps, dispatch: Dispatch, principal: Principal, launch_id: str, note: str) -> None:
    """Ask the process to give up; what it has done is undone soon after.

    Raises: Rejected not_found, launch_not_cancellable, conflict; Unavailable temporal_unavailable.
    """
    row = await launch_row(deps, principal, launch_id)
    if row["status"] in ENDED:
        raise Rejected("launch_not_cancellable", f"it is {row['status']}")
    if not row["dispatched"]:
        summary = "Launch to be cancelled"
        opened = Opened(row["id"], row["operation_id"], row["workflow_id"], row["owner"], summary)
        await dispatch.now("token_launch", opened)
    asked = GiveUp(launch_id=row["id"], principal=principal.account_id, note=note)
    update_id = f"cancel:{principal.account_id}"
    await deps.processes.update(ids.token_launch(row["id"]), "cancel", asked, LaunchState, update_id=update_id)
