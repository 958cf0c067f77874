"""Corrections of the ledger: what two persons may book by hand, and what their process says.

Only money that is owed can be moved from one creditor to another, in USDC: then custody still covers the sum, and every
rule of the invariants holds afterwards. Everything else has a second record that the ledger must agree with: holds
(`held`), the curve (`reserve`), shares of providers (`lp_principal`), the chain (`custody`), fills (units of shares).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from domain.exchange.curve import SHARE_DECIMALS
from domain.shared.errors import Rejected
from domain.shared.ledger import PLATFORM_FEES, PLATFORM_TREASURY, Line, is_account
from domain.shared.money import DECIMALS, MICROS_MAX, USDC, format_amount, parse_amount

PENDING: Final = "pending_approval"
ENDED: Final = ("booked", "rejected", "expired", "failed")
CORRECTION_STEPS: Final = ("approval", "booking")
WAITS: Final = timedelta(days=7)
LINES_MAX: Final = 20
SHARES_MAX: Final = 10**36 - 1
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ASSET: Final = re.compile(_UUID + r"\Z")
_USER: Final = re.compile(rf"users:({_UUID}):available\Z")
_LP_FEES: Final = re.compile(rf"assets:({_UUID}):lp_fees\Z")


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class CorrectionRef(Message):
    correction_id: str


class CorrectionVerdict(Message):
    """Update `decide`: another person's word, or the asker's own to take it back."""

    principal: str
    approve: bool
    note: str = ""


class DecideCorrection(Message):
    correction_id: str
    verdict: CorrectionVerdict


class ExpireCorrection(Message):
    """`at`: the process's clock; it ends only what has waited long enough then."""

    correction_id: str
    at: datetime


class CorrectionState(Message):
    status: str
    expires_at: datetime
    code: str | None = None
    summary: str = ""


def decimals_of(unit: str) -> int:
    """Decimals of a unit of the ledger. Raises: Rejected validation_failed when there is no such unit."""
    if unit in DECIMALS:
        return DECIMALS[unit]
    if _ASSET.match(unit):
        return SHARE_DECIMALS
    raise Rejected("validation_failed", f"{unit[:40]!r} is no unit of the ledger: USDC or an asset's id")


def read_amount(text: str, unit: str) -> int:
    """A signed decimal string as minor units. Raises: Rejected validation_failed, amount_precision."""
    decimals = decimals_of(unit)
    value = parse_amount(text.removeprefix("-"), decimals, MICROS_MAX if unit == USDC else SHARES_MAX)
    if value == 0:
        raise Rejected("validation_failed", "a posting of zero says nothing")
    return -value if text.startswith("-") else value


def user_of(account: str) -> str | None:
    """Whose available balance this account is."""
    match = _USER.match(account)
    return match[1] if match else None


def asset_of(account: str) -> str | None:
    """Whose bucket of providers' fees this account is."""
    match = _LP_FEES.match(account)
    return match[1] if match else None


def is_correctable(account: str, unit: str) -> bool:
    """Whether two persons may move this by hand."""
    owed = user_of(account) or asset_of(account) or account in (PLATFORM_FEES, PLATFORM_TREASURY)
    return unit == USDC and bool(owed)


def check_correction(lines: Sequence[Line]) -> None:
    """Whether these lines may be asked for, as far as that can be said without the books.

    Raises: Rejected validation_failed (malformed, or does not sum to zero), not_correctable.
    """
    if not 2 <= len(lines) <= LINES_MAX:
        raise Rejected("validation_failed", f"2 to {LINES_MAX} postings are wanted", pointer="/postings")
    sums: dict[str, int] = defaultdict(int)
    for number, (account, unit, amount) in enumerate(lines):
        if not is_account(account):
            raise Rejected("validation_failed", "not an account path", pointer=f"/postings/{number}/account")
        sums[unit] += amount
    if len({line[:2] for line in lines}) < len(lines):
        raise Rejected("validation_failed", "an account is named twice: one posting each", pointer="/postings")
    for unit, total in sums.items():
        if total:
            shown = format_amount(total, decimals_of(unit))
            raise Rejected("validation_failed", f"{unit} sums to {shown}, not to zero", pointer="/postings")
    for number, (account, unit, _) in enumerate(lines):
        if not is_correctable(account, unit):
            detail = f"{account} in {unit} has another record that must agree with it"
            raise Rejected("not_correctable", detail, pointer=f"/postings/{number}/account")


def check_second_person(requested_by: str, lines: Sequence[Line], principal: str) -> None:
    """Who asked does not approve, nor does whoever it pays or charges. Raises: Rejected self_approval."""
    if principal == requested_by or any(user_of(account) == principal for account, _, _ in lines):
        raise Rejected("self_approval", "another person must approve it, whose money is not concerned")
