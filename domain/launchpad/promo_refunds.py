"""A promotion's payment that is owed back: one transfer of exactly what came in, to exactly the wallet it came from."""

from __future__ import annotations

import base64
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from domain.launchpad.payments import SYSTEM_PROGRAM, TRANSFER
from domain.launchpad.signing import PROMO_REFUND
from domain.launchpad.transactions import Instruction, Landing, Meta, Plan
from domain.shared import ids
from domain.shared.errors import Broken
from domain.shared.money import format_amount

FEES_MOST: Final = 2_000_000
"""Lamports of the platform's wallet beside what came in: the network's fee, which is not taken off."""
SOL_DECIMALS: Final = 9
STEP: Final = "pay_back"


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class PromoRef(Message):
    promo_id: str


class Owed(Message):
    """A promotion as the books have it. `payer`, `lamports`: who paid what, as it was found on the chain; `account_id`:
    for whom. `signature`: of the transfer that paid it back."""

    id: str
    project_id: str
    cluster: str
    status: str
    payer: str
    lamports: int
    payment_signature: str
    account_id: str | None
    signature: str | None = None
    operation_id: str | None = None


class RefundPlanned(Message):
    """`signature`: it was paid back before."""

    key: str
    payer: str
    lamports: int
    signature: str | None = None


class RefundPaid(Message):
    signature: str
    summary: str


def refund_plan(owed: Owed, platform: str) -> Plan:
    """The one transaction that pays it back."""
    step = Instruction(
        program=SYSTEM_PROGRAM,
        accounts=(Meta(address=platform, signer=True, writable=True), Meta(address=owed.payer, writable=True)),
        data=base64.b64encode(TRANSFER + owed.lamports.to_bytes(8, "little")).decode(),
    )
    return Plan(
        key=ids.promo_refund(owed.id),
        subject_kind=PROMO_REFUND,
        subject_id=owed.id,
        payer=platform,
        instructions=(step,),
        most_lamports=owed.lamports + FEES_MOST,
    )


def pays_back(plan: Plan) -> int:
    """What of the wallet's loss by this plan had come in for it; 0 for plans of any other kind."""
    if plan.subject_kind != PROMO_REFUND or len(plan.instructions) != 1:
        return 0
    return int.from_bytes(base64.b64decode(plan.instructions[0].data)[4:12], "little")


def check_refund(plan: Plan, owed: Owed | None, platform: str) -> None:
    """Raise Broken promo_refund_stuck unless this plan is the one that pays back what the books still owe."""
    if owed is None or owed.status != "refund_due":
        raise Broken("promo_refund_stuck", f"{plan.key}: {owed.status if owed else 'nothing'} is not owed back")
    if plan != refund_plan(owed, platform):
        raise Broken("promo_refund_stuck", f"{plan.key} is not what the books owe {owed.payer}: not to be signed")


def told(lamports: int) -> str:
    return f"{format_amount(lamports, SOL_DECIMALS)} SOL"


def next_step(planned: RefundPlanned, landing: Landing) -> str:
    """Why the chain takes no such transfer, and what an operator does about it."""
    said = f"{told(planned.lamports)} to {planned.payer}: {landing.code or landing.err or landing.outcome}"
    if landing.code == "insufficient_funds_for_rent" and _account(landing.err) != 0:
        return f"{said}. The wallet holds too little to exist: its owner sends it SOL, then `retry`"
    if landing.code in ("insufficient_funds", "insufficient_funds_for_rent", "insufficient_funds_for_fee"):
        return f"{said}. The platform's wallet is short (payer_float_low): fill it, then `retry`"
    return f"{said}. `retry` tries again"


def _account(err: Any) -> int:
    """Whose rent is missing: 0, the platform's."""
    named = err.get("InsufficientFundsForRent") if isinstance(err, dict) else None
    return int(named.get("account_index", -1)) if isinstance(named, dict) else -1
