"""Withdrawal rules: limits, review, and what ends how."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from domain.exchange.messages import Mined
from domain.shared.errors import Rejected
from domain.shared.ledger import Posting, Transfer, custody, held, move, post
from domain.shared.money import USDC, format_usdc

OPEN: Final = ("requested", "pending_approval", "approved", "signed", "broadcast", "confirming")
CANCELLABLE: Final = ("requested", "pending_approval", "approved")
ENDED: Final = ("settled", "rejected", "cancelled", "failed")
STEPS: Final = ("hold", "approval", "funds", "sign", "broadcast", "confirm", "settle")


class WithdrawalPolicy(BaseModel):
    """Amounts in USDC micros. Windows are rolling 24 hours by the database's clock."""

    model_config = ConfigDict(frozen=True)
    minimum_micros: int
    fee_micros: int
    account_daily_micros: int
    platform_daily_micros: int
    review_from_micros: int
    new_address_cooldown_s: int


def check_request(amount: int, policy: WithdrawalPolicy) -> None:
    """Refuse what can be refused without looking at anything else."""
    if amount < policy.minimum_micros:
        raise Rejected("amount_below_minimum", f"the minimum is {format_usdc(policy.minimum_micros)} USDC")


def check_limits(amount: int, account_used: int, platform_used: int, policy: WithdrawalPolicy) -> None:
    """Refuse what would pass a limit.

    Args:    account_used, platform_used  micros requested in the last 24 h by withdrawals that were not refused,
             cancelled or failed, without this one.
    Raises:  Rejected account_daily_limit or platform_daily_limit.
    """
    if account_used + amount > policy.account_daily_micros:
        left = format_usdc(max(0, policy.account_daily_micros - account_used))
        raise Rejected("account_daily_limit", f"{left} USDC are left of the account's 24 hours")
    if platform_used + amount > policy.platform_daily_micros:
        raise Rejected("platform_daily_limit", "the platform's limit for 24 hours would be passed")


def needs_review(amount: int, policy: WithdrawalPolicy) -> bool:
    """From the threshold on (inclusive) another operator must approve."""
    return amount >= policy.review_from_micros


def hold_key(withdrawal_id: str) -> str:
    return f"withdrawal:{withdrawal_id}"


def settlement(withdrawal_id: str, account_id: str, chain_id: int, amount: int, fee: int, tx_hash: str) -> Transfer:
    """Spend the hold: `amount` left through the hot wallet, `fee` is the platform's. The hold was amount + fee."""
    lines: tuple[Posting, ...] = move(USDC, amount, held(account_id), custody(chain_id, "hot"))
    if fee:
        lines += move(USDC, fee, held(account_id), "platform:fees")
    merged = _merge(lines)
    return post(hold_key(withdrawal_id), "withdrawal", merged, ref=tx_hash)


def _merge(lines: tuple[Posting, ...]) -> tuple[Posting, ...]:
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.account] = sums.get(line.account, 0) + line.amount
    return tuple(Posting(account=a, unit=USDC, amount=v) for a, v in sums.items())


def releases(outcome: Mined) -> bool:
    """May the hold be given back? Only when it is certain that nothing moved and nothing can move any more."""
    return outcome in (Mined.REVERTED, Mined.NO_EFFECT)


FOREIGN_CODE: Final = "nonce_used_by_foreign_transaction"
FAILURE_CODES: Final[dict[Mined, str]] = {
    Mined.REVERTED: "transaction_reverted",
    Mined.NO_EFFECT: "token_moved_nothing",
    Mined.UNCERTAIN: "mined_without_proof",
    Mined.FOREIGN: FOREIGN_CODE,
}
