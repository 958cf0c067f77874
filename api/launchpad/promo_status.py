"""What a project's promotions are worth now."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies
from api.http.documented import guarded
from api.launchpad.standing import TAG, Sol
from domain.shared.errors import Rejected
from storage.reads import projects as reads

_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_SIGNATURE: Final = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"


class PromotionView(BaseModel):
    """`features`: what was bought, each with the moment until which it is shown, or null for what is done once.
    `received_sol`: what the payment brought. `refund_due`: the launch was undone and that is on its way back to
    `payer`; `refunded`: it is there, by the transaction `refund_signature`."""

    id: str
    tier_sol: Sol
    features: dict[str, datetime | None]
    payment_signature: str
    payer: str | None
    received_sol: Sol | None
    status: Literal["claimed", "active", "expired", "refund_due", "refunded"]
    activated_at: datetime | None
    expires_at: datetime | None
    refund_signature: str | None
    refunded_at: datetime | None
    created_at: datetime


class PromotionsView(BaseModel):
    project_id: str
    promotions: list[PromotionView]


@get("/api/promo/status/{project_id:uuid}",
     **guarded("Read a project's promotions", tag=TAG, scopes=("launchpad:read",),
               response_example={"project_id": _ID, "promotions": [{
                   "id": _ID, "tier_sol": "5", "features": {"banner": "2026-11-28T04:00:00Z", "press_release": None},
                   "payment_signature": _SIGNATURE, "payer": None, "received_sol": "5", "status": "active",
                   "activated_at": "2026-11-21T04:00:00.000000Z", "expires_at": "2026-11-28T04:00:00.000000Z",
                   "refund_signature": None, "refunded_at": None,
                   "created_at": "2026-11-21T03:00:00.000000Z"}]}))  # fmt: skip
async def promo_status(deps: Deps, project_id: FromPath[UUID]) -> Response[PromotionsView]:
    """Every promotion of a public project, newest first, with what it gives and until when."""
    if not await reads.public(deps.reads, str(project_id)):
        raise Rejected("not_found", "no such project")
    found = await reads.promotions(deps.reads, str(project_id))
    return bodies.json_response(f'{{"project_id":"{project_id}","promotions":[{",".join(found)}]}}')
