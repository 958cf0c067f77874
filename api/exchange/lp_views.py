"""What the routes of liquidity answer, for the document; the JSON itself is made by Postgres."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel

from api.exchange.views import Usdc

ContributionStatus = Literal["requested", "accepted", "refused", "refunded"]
LpWithdrawalStatus = Literal["requested", "queued", "paid", "cancelled", "refused"]
ClaimStatus = Literal["requested", "paid", "refused"]
TAG: Final = "Exchange: liquidity"
ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_CREATED: Final = "2026-11-21T04:00:00.000000Z"

CONTRIBUTION: Final = {
    "id": ID,
    "asset_id": ID,
    "account_id": ID,
    "amount_usdc": "100.25",
    "status": "requested",
    "reject_code": None,
    "operation_id": ID,
    "created_at": _CREATED,
    "accepted_at": None,
    "refunded_at": None,
}
WITHDRAWAL: Final = {
    "id": ID,
    "asset_id": ID,
    "account_id": ID,
    "amount_usdc": "100",
    "paid_usdc": "25",
    "status": "queued",
    "reject_code": None,
    "due_at": "2026-11-22T04:00:00.000000Z",
    "ahead_in_queue": 0,
    "payouts": [{"part": 1, "amount_usdc": "25", "instant": True, "paid_at": _CREATED}],
    "operation_id": ID,
    "created_at": _CREATED,
    "finished_at": None,
}
REQUESTED: Final = WITHDRAWAL | {"status": "requested", "paid_usdc": "0", "due_at": None, "payouts": []}
CLAIM: Final = {
    "id": ID,
    "asset_id": ID,
    "account_id": ID,
    "amount_usdc": None,
    "status": "requested",
    "reject_code": None,
    "operation_id": ID,
    "created_at": _CREATED,
    "finished_at": None,
}
POSITION: Final = {
    "vested_usdc": "250",
    "instant_available_usdc": "62.5",
    "queueable_usdc": "250",
    "queued_usdc": "0",
    "next_vesting_at": "2026-12-21T04:00:00Z",
    "next_vesting_usdc": "250",
    "fees_owed_usdc": "4.2",
    "asset_id": ID,
    "account_id": ID,
    "symbol": "ACME",
    "asset_status": "active",
    "principal_usdc": "1000",
    "contributed_usdc": "1000",
    "withdrawn_usdc": "0",
    "fees_claimed_usdc": "0",
    "created_at": _CREATED,
}


class ContributionView(BaseModel):
    """`reject_code` says why it was refused. Vesting counts from `accepted_at`."""

    id: str
    asset_id: str
    account_id: str
    amount_usdc: Usdc
    status: ContributionStatus
    reject_code: str | None
    operation_id: str | None
    created_at: datetime
    accepted_at: datetime | None
    refunded_at: datetime | None


class ContributionPage(BaseModel):
    items: list[ContributionView]
    next_cursor: str | None


class PayoutView(BaseModel):
    part: int
    amount_usdc: Usdc
    instant: bool
    paid_at: datetime


class LpWithdrawalView(BaseModel):
    """`due_at`: the queued rest is not paid before; `ahead_in_queue`: requests of this pool that are paid before."""

    id: str
    asset_id: str
    account_id: str
    amount_usdc: Usdc
    paid_usdc: Usdc
    status: LpWithdrawalStatus
    reject_code: str | None
    due_at: datetime | None
    ahead_in_queue: int
    payouts: list[PayoutView]
    operation_id: str | None
    created_at: datetime
    finished_at: datetime | None


class LpWithdrawalPage(BaseModel):
    items: list[LpWithdrawalView]
    next_cursor: str | None


class FeeClaimView(BaseModel):
    """`amount_usdc` is what was paid."""

    id: str
    asset_id: str
    account_id: str
    amount_usdc: Usdc | None
    status: ClaimStatus
    reject_code: str | None
    operation_id: str | None
    created_at: datetime
    finished_at: datetime | None


class FeeClaimPage(BaseModel):
    items: list[FeeClaimView]
    next_cursor: str | None


class LpPositionView(BaseModel):
    """`queueable_usdc` is the most a new withdrawal may ask for, `instant_available_usdc` the part of it that would be
    paid at once if the pool's limit of 24 hours allows it; `queued_usdc` is asked and not paid yet."""

    vested_usdc: Usdc
    instant_available_usdc: Usdc
    queueable_usdc: Usdc
    queued_usdc: Usdc
    next_vesting_at: datetime | None
    next_vesting_usdc: Usdc | None
    fees_owed_usdc: Usdc
    asset_id: str
    account_id: str
    symbol: str
    asset_status: Literal["funding", "active", "halted", "cancelled"]
    principal_usdc: Usdc
    contributed_usdc: Usdc
    withdrawn_usdc: Usdc
    fees_claimed_usdc: Usdc
    created_at: datetime


class LpPositionPage(BaseModel):
    items: list[LpPositionView]
    next_cursor: str | None
