"""Executing orders against the curve: one order is a function of the market, its holder and the clock.

The engine folds `execute` over a batch and writes what it returns; a quote is the same function on a copy; a replay of
the stored orders gives every fill and rejection again, bit for bit. Verdicts are values: nothing here raises.

Named tuples and not models: this runs ten thousand times a second on values the engine read from the books.
Units: USDC micros, shares atto. Source: exchange.md 9 to 13, EX-030…043, CG-002, CG-003, CG-005, CG-017.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from domain.exchange import curve as maths
from domain.exchange import prices
from domain.exchange.curve import Curve
from domain.exchange.prices import BPS, Window
from domain.shared.money import MICROS_MAX, mul_div_ceil, mul_div_floor

Side = Literal["buy", "sell"]
Status = Literal["funding", "active", "halted", "cancelled"]
RejectCode = Literal[
    "insufficient_funds",
    "asset_not_active",
    "slippage_exceeded",
    "circuit_breaker",
    "asset_halted",
    "amount_too_small",
    "trading_disabled",
]

INDEX_SCALE: Final = 10**18
"""The fee index counts 10^-18 micros per LP share micro."""


class Market(NamedTuple):
    """One asset as an order finds it.

    `lp_part_bps` of the fee go to LPs; the platform takes the rest and the odd micro, and all without LPs (CG-005);
    `supply` atto-shares outstanding; `lp_shares` micros of principal that earn fees; `fee_index` what one of them
    earned so far, `fee_carry` what the index could not express yet; `fills` and `verdicts` count since the asset
    exists; `window` spot prices of the last minute, without those before the first fill, which never trips (EX-081).
    """

    curve: Curve
    fee_bps: int
    lp_part_bps: int
    breaker_bps: int
    status: Status
    supply: int = 0
    lp_shares: int = 0
    fee_index: int = 0
    fee_carry: int = 0
    fills: int = 0
    verdicts: int = 0
    window: Window = Window()


class Holder(NamedTuple):
    """One account in one asset: what it may spend, what it holds, what that cost, what sales have brought beyond it."""

    usdc: int
    shares: int
    cost: int = 0
    realised: int = 0


class Order(NamedTuple):
    """`asked`: micros to spend on a buy, fee included; atto-shares to give on a sell. `min_out`: least acceptable
    atto-shares or micros, 0 for any."""

    side: Side
    asked: int
    min_out: int = 0


class Fill(NamedTuple):
    """What an order did. `amount` is what moved on the account: paid with fee on a buy, received after fee on a sell.

    `pool` is what moved in the reserve: in on a buy, out on a sell. amount = pool + fee on a buy, pool − fee on a sell.
    `realised` is the change of realised profit, 0 on a buy.
    """

    shares: int
    amount: int
    pool: int
    fee: int
    lp_fee: int
    spot_before: int
    spot_after: int
    realised: int = 0


class Outcome(NamedTuple):
    """Exactly one of `fill` and `reject` is set; market and holder are those after the order."""

    market: Market
    holder: Holder
    fill: Fill | None = None
    reject: RejectCode | None = None


def execute(market: Market, holder: Holder, order: Order, second: int, *, enabled: bool = True) -> Outcome:
    """Carry out one order, whole or not at all.

    Args:  second   Unix time of the batch, whole seconds: what the breaker's window is counted in.
           enabled  the kill switch `exchange.trading`.
    """
    market = market._replace(verdicts=market.verdicts + 1)
    closed = _closed(market, enabled)
    if closed:
        return Outcome(market, holder, reject=closed)
    fill = _bought(market, holder, order) if order.side == "buy" else _sold(market, holder, order)
    if isinstance(fill, str):
        return Outcome(market, holder, reject=fill)
    got = fill.shares if order.side == "buy" else fill.amount
    if got < order.min_out:
        return Outcome(market, holder, reject="slippage_exceeded")
    window = prices.at_second(market.window, second)
    if market.fills and prices.breaches(window, fill.spot_before, fill.spot_after, market.breaker_bps):
        return Outcome(market, holder, reject="circuit_breaker")
    window = prices.with_price(window, second, fill.spot_after)
    return Outcome(_moved(market, order.side, fill, window), _settled(holder, order.side, fill), fill)


def _closed(market: Market, enabled: bool) -> RejectCode | None:
    if not enabled:
        return "trading_disabled"
    if market.status == "halted":
        return "asset_halted"
    return None if market.status == "active" else "asset_not_active"


def _fees(market: Market, amount: int) -> tuple[int, int]:
    """Fee, rounded up, and the LPs' part of it, rounded down."""
    fee = mul_div_ceil(amount, market.fee_bps, BPS)
    return fee, mul_div_floor(fee, market.lp_part_bps, BPS) if market.lp_shares else 0


def _bought(market: Market, holder: Holder, order: Order) -> Fill | RejectCode:
    """ΔS is solved from the amount net of fee, so that the reserve stays the integral (CG-002)."""
    fee, lp_fee = _fees(market, order.asked)
    net = order.asked - fee
    shares = maths.shares_for(market.curve, market.supply, net) if net > 0 else 0
    if shares <= 0:
        return "amount_too_small"
    if order.asked > holder.usdc:
        return "insufficient_funds"
    before, after = maths.spot(market.curve, market.supply), maths.spot(market.curve, market.supply + shares)
    return Fill(shares, order.asked, net, fee, lp_fee, before, after)


def _sold(market: Market, holder: Holder, order: Order) -> Fill | RejectCode:
    if order.asked > holder.shares:
        return "insufficient_funds"
    gross = maths.sell_revenue(market.curve, market.supply, order.asked)
    fee, lp_fee = _fees(market, gross)
    if gross - fee <= 0:
        return "amount_too_small"
    before, after = maths.spot(market.curve, market.supply), maths.spot(market.curve, market.supply - order.asked)
    realised = gross - fee - cost_of(holder, order.asked)
    return Fill(order.asked, gross - fee, gross, fee, lp_fee, before, after, realised)


def cost_of(holder: Holder, shares: int) -> int:
    """The part of the holder's cost that leaves with `shares`: average cost, rounded down, all with the last share."""
    return mul_div_floor(holder.cost, shares, holder.shares)


def _moved(market: Market, side: Side, fill: Fill, window: Window) -> Market:
    supply = market.supply + (fill.shares if side == "buy" else -fill.shares)
    index, carry = market.fee_index, market.fee_carry
    if fill.lp_fee:
        grown, carry = divmod(fill.lp_fee * INDEX_SCALE + carry, market.lp_shares)
        index += grown
    return market._replace(supply=supply, fee_index=index, fee_carry=carry, fills=market.fills + 1, window=window)


def _settled(holder: Holder, side: Side, fill: Fill) -> Holder:
    if side == "buy":
        return Holder(
            holder.usdc - fill.amount, holder.shares + fill.shares, holder.cost + fill.amount, holder.realised
        )
    cost = holder.cost - cost_of(holder, fill.shares)
    return Holder(holder.usdc + fill.amount, holder.shares - fill.shares, cost, holder.realised + fill.realised)


def quote(market: Market, order: Order) -> Fill | RejectCode:
    """What the order would do now for someone who can pay for it; the same function as the trade.

    The breaker is left to the trade: it depends on the minute in which the order is carried out.
    """
    rich = Holder(usdc=MICROS_MAX, shares=market.supply)
    closed = _closed(market, enabled=True)
    if closed:
        return closed
    return _bought(market, rich, order) if order.side == "buy" else _sold(market, rich, order)


def fees_earned(shares: int, index_paid: int, index: int) -> int:
    """Micros that `shares` of principal earned between two readings of the index, rounded down."""
    return mul_div_floor(shares, index - index_paid, INDEX_SCALE)
