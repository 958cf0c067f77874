"""What a launch looks like to who asks: its document, and the transaction its creator is to sign."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel

from api.http import bodies
from api.launchpad.asked import REQUEST_EXAMPLE
from api.launchpad.promo_status import PromotionView
from api.operations.routes import StepView
from domain.launchpad import steps
from domain.launchpad.explorers import explorer_links
from storage.reads.base import Row

LaunchStatus = Literal["running", "waiting_signature", "live", "undone", "needs_operator", "failed"]
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_MINT: Final = "8JvTnYxRhYmFzMWw8UoN6tGdYHi1xTqJmVvBz2R1mKAF"
_SIGNATURE: Final = "2" * 87


class SignatureView(BaseModel):
    """A transaction of the launch that is on the chain."""

    step: str
    signature: str
    explorer_url: str
    solscan_url: str


class ToSignView(BaseModel):
    """What the creator's wallet is to sign, unchanged; the platform signs after it. `expires_at`: so long the launch
    waits for it. `last_valid_block_height`: past it the transaction can never land, and reading the launch again gives
    another; where it is on a durable nonce, which no height ends, about the height of `expires_at`."""

    step: str
    transaction_base64: str
    last_valid_block_height: int
    expires_at: str


class LaunchView(BaseModel):
    """`step`: where it is; the next one after a `retry`. `to_sign`: while `waiting_signature`. `tax_account`,
    `referral_account`: where tax is accrued and by which program uplines are registered. `promotion`: what was paid for
    and, when the launch is undone, how it was paid back."""

    id: str
    status: LaunchStatus
    step: str | None
    steps: list[StepView]
    name: str
    symbol: str
    account_id: str
    signing: Literal["platform", "creator"]
    creator_wallet: str
    cluster: str
    token_address: str | None
    sale_id: str | None
    sale_address: str | None
    metadata_uri: str | None
    tax_account: str | None
    referral_account: str | None
    promotion: PromotionView | None
    signatures: list[SignatureView]
    to_sign: ToSignView | None
    spent_sol: str
    budget_sol: str
    cancel_requested: bool
    failure_code: str | None
    failure_detail: str
    operation_id: str
    created_at: str
    updated_at: str


class LaunchPage(BaseModel):
    items: list[LaunchView]
    next_cursor: str | None


EXAMPLE: Final[dict[str, Any]] = {
    "signatures": [{"step": "mint", "signature": _SIGNATURE}
                   | {f"{k}_url": v for k, v in explorer_links("devnet", _SIGNATURE).items()}],
    "to_sign": None,
    "id": _ID,
    "status": "running",
    "step": "create_sale",
    "steps": [
        {
            "name": "validate",
            "status": "done",
            "attempts": 1,
            "started_at": "2026-11-21T04:00:00.000000Z",
            "finished_at": "2026-11-21T04:00:00.010000Z",
            "detail": "1 pictures, exponential curve",
            "links": [],
        }
    ],
    "name": REQUEST_EXAMPLE["name"],
    "symbol": REQUEST_EXAMPLE["symbol"],
    "account_id": _ID,
    "signing": "creator",
    "creator_wallet": REQUEST_EXAMPLE["creator_wallet"],
    "cluster": "devnet",
    "token_address": _MINT,
    "sale_id": None,
    "sale_address": None,
    "metadata_uri": "https://ipfs.io/ipfs/bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
    "tax_account": None,
    "referral_account": None,
    "promotion": None,
    "spent_sol": "0",
    "budget_sol": "0.1",
    "cancel_requested": False,
    "failure_code": None,
    "failure_detail": "",
    "operation_id": _ID,
    "created_at": "2026-11-21T04:00:00.000000Z",
    "updated_at": "2026-11-21T04:00:02.000000Z",
}  # fmt: skip


def body_of(row: Row, signatures: list[tuple[str, str]], to_sign: ToSignView | None = None) -> str:
    """A launch's JSON with where its transactions can be looked up."""
    shown = [
        {"step": step, "signature": signature}
        | {f"{page}_url": address for page, address in explorer_links(row["cluster"], signature).items()}
        for step, signature in signatures
    ]
    return bodies.splice(row["body"], signatures=shown, to_sign=to_sign.model_dump() if to_sign else None)


def awaited_key(row: Row) -> str | None:
    """Key of the transaction that the creator's wallet is to sign; None: none is awaited."""
    step = steps.named(row["step"]) if row["step"] else None
    waits = row["status"] == "waiting_signature" and step is not None and step.chain
    return steps.plan_key(row["id"], step) if waits and step is not None else None
