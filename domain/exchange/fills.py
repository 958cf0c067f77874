"""What a fill means to the books and to listeners: its ledger lines and its event.

Source: EX-036, EX-050, CG-003, CG-016.
"""

from __future__ import annotations

from domain.exchange.batch import Verdict
from domain.exchange.curve import SHARE, SHARE_DECIMALS
from domain.exchange.trading import Fill, Side
from domain.shared.ledger import PLATFORM_FEES, WORLD, Line, available, lp_fees, reserve
from domain.shared.money import USDC, format_amount, format_usdc

KIND = "trade"


def transfer_key(trade_id: str) -> str:
    """The idempotency of a fill's transfer."""
    return f"trade:{trade_id}"


def lines(asset_id: str, account_id: str, side: Side, fill: Fill) -> tuple[Line, ...]:
    """The transfer of a fill: money between trader, reserve and fee takers, shares between trader and world.

    Six lines; without the line of a fee part that rounds to nothing.
    """
    sign = 1 if side == "buy" else -1
    trader, platform_fee = available(account_id), fill.fee - fill.lp_fee
    found: list[Line] = [
        (trader, USDC, -sign * fill.amount),
        (reserve(asset_id), USDC, sign * fill.pool),
        (trader, asset_id, sign * fill.shares),
        (WORLD, asset_id, -sign * fill.shares),
    ]
    if fill.lp_fee:
        found.append((lp_fees(asset_id), USDC, fill.lp_fee))
    if platform_fee:
        found.append((PLATFORM_FEES, USDC, platform_fee))
    return tuple(found)


def average_price(fill: Fill) -> int:
    """Micros per share between account and curve, without fee, rounded down."""
    return fill.pool * SHARE // fill.shares


def event(verdict: Verdict, fill: Fill, timestamp_ms: int) -> dict[str, str | int | bool | None]:
    """The trade event: `price` is the average net price, decimals are strings."""
    (trade_id, asset_id, account_id, order), buys = verdict.order, verdict.order.order.side == "buy"
    return {
        "asset_id": asset_id,
        "trade_id": trade_id,
        "verdict": verdict.number,
        "side": order.side,
        "trader_id": account_id,
        "buyer_id": account_id if buys else None,
        "seller_id": None if buys else account_id,
        "price": format_usdc(average_price(fill)),
        "quantity": format_amount(fill.shares, SHARE_DECIMALS),
        "amount_usdc": format_usdc(fill.amount),
        "fee_usdc": format_usdc(fill.fee),
        "spot_after": format_usdc(fill.spot_after),
        "volume5m": format_usdc(verdict.volume),
        "timestamp": timestamp_ms,
    }


def refusal(verdict: Verdict, timestamp_ms: int) -> dict[str, str | int | bool | None]:
    """The event of an order that was rejected: for its trader."""
    return {
        "asset_id": verdict.order.asset_id,
        "trade_id": verdict.order.id,
        "verdict": verdict.number,
        "side": verdict.order.order.side,
        "trader_id": verdict.order.account_id,
        "reject_code": verdict.reject,
        "timestamp": timestamp_ms,
    }
