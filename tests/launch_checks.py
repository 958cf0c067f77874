"""How a launch ended: what is pinned, what is owed, what was undone."""

from __future__ import annotations

from typing import Any

from domain.launchpad.request import SOL
from storage.intents.opened import Opened
from tests.token_launch_lab import TokenLab


async def kept(lab: TokenLab, opened: Opened) -> set[str]:
    """What of the launch the pinning node still keeps."""
    pins = await lab.rows("SELECT cid FROM launchpad.pins WHERE launch_id = %s", opened.subject_id)
    return {pin["cid"] for pin in pins} & lab.ipfs.ipfs.files.pins


async def undone(lab: TokenLab, opened: Opened, code: str | None) -> dict[str, Any]:
    """It ended undone with this code, and nothing of it is left anywhere."""
    row = await lab.reaches(opened, "undone")
    assert (row["failure_code"], row["project"], row["mint"]) == (code, "undone", None)
    assert row["operation"] == ("failed" if code else "cancelled")
    assert await kept(lab, opened) == set()
    assert await lab.lamports(lab.platform) >= 100 * SOL
    return row


async def promo(lab: TokenLab, opened: Opened) -> list[dict[str, Any]]:
    return await lab.rows(
        """SELECT status::text AS status, payer, features, received_lamports FROM launchpad.promo_activations
           WHERE project_id = %s""",
        opened.subject_id,
    )
