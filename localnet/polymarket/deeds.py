"""What a wallet does at the venue: fills, splits, merges, redemptions, conversions, credits. Each leaves rows.

All amounts are micros. `at` is the block time in seconds (default now); `tx_hash` puts a row into a transaction that
is there already, which is how one transaction gets several rows, even identical ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from localnet.polymarket import names
from localnet.polymarket.feed import Row
from localnet.polymarket.markets import Event, Market, Stage, Token
from localnet.polymarket.numbers import ONE, fee_micros, number
from localnet.polymarket.venue import HOUSE, Venue, When
from localnet.polymarket.wallets import Wallet

CREDITS = (
    "REWARD", "YIELD", "MAKER_REBATE", "TAKER_REBATE", "REFERRAL_REWARD", "MIGRATION", "DEPOSIT", "WITHDRAWAL", "TIP",
)  # fmt: skip


def fill(
    venue: Venue,
    wallet: Wallet,
    market: Market,
    token: Token,
    side: str,
    shares: int,
    price: int,
    *,
    role: str = "taker",
    usdc: int | None = None,
    fee: int | None = None,
    labelled: bool = True,
    when: When | None = None,
) -> Row:
    """One executed order of the wallet, and the house's row on the other side of it.

    `usdc` (before the fee) makes the price a ratio, as orders filled over several levels have; else shares · price.
    `fee` is reckoned at the price unless given, as it is for an order that took several levels.
    `labelled=False` serves outcome_index 999.
    """
    check_fill(market, side, role, shares, price, usdc)
    when = when or venue.when()
    notional = shares * price // ONE if usdc is None else usdc
    if fee is None:
        fee = taker_fee(market, shares, price) if role == "taker" else 0
    held = wallet.holding(token.id)
    if side == "BUY":
        held.gain(shares, notional, fee, when.timestamp)
        wallet.cash -= notional + fee
        shown = notional + fee
    else:
        held.lose(shares, notional - fee, when.timestamp)
        wallet.cash += notional - fee
        shown = notional - fee if venue.sell_usdc == "net" else notional
    market.volume += notional
    said = venue.describe(market, token)
    if not labelled:
        said["outcome_index"] = 999
    common: dict[str, Any] = {"timestamp": when.timestamp, "sequence": 0, "tx_hash": when.tx_hash, "size": shares}
    row = Row(
        wallet.address, "TRADE", side=side, usdc=shown, role=role,
        price=number(price) if usdc is None else notional / shares, **common, **said,
    )  # fmt: skip
    row = venue.record(row, when.block)
    _opposite(venue, row, notional, number(price), when)
    return row


def _opposite(venue: Venue, row: Row, notional: int, price: float, when: When) -> None:
    """The house's row of the same fill: it pays no fee."""
    side, role = "SELL" if row.side == "BUY" else "BUY", "house" if row.role == "taker" else "house-taker"
    house = venue.wallet(HOUSE).address
    venue.record(replace(row, wallet=house, side=side, usdc=notional, price=price, role=role), when.block)


def taker_fee(market: Market, shares: int, price: int) -> int:
    """What the taker pays for shares at one price."""
    return fee_micros(shares, price, market.fees.rate_ppm, market.fees.exponent)


def check_fill(market: Market, side: str, role: str, shares: int, price: int, usdc: int | None) -> None:
    """Raises ValueError for what cannot have happened."""
    if side not in ("BUY", "SELL") or role not in ("taker", "maker"):
        raise ValueError("side is BUY or SELL, role taker or maker")
    if market.closed or shares <= 0 or not 0 < price < ONE or (usdc is not None and not 0 <= usdc <= shares):
        raise ValueError(f"{market.slug} is {market.stage}, or shares, price or usdc are out of range")


def split(venue: Venue, wallet: Wallet, market: Market, pairs: int, when: When | None = None) -> Row:
    """Collateral becomes a pair of both outcomes; each leg costs half."""
    _positive(pairs)
    when = when or venue.when()
    for token in market.tokens:
        wallet.holding(token.id).gain(pairs, pairs // 2, 0, when.timestamp)
    wallet.cash -= pairs
    return _pairs(venue, "SPLIT", wallet, market, pairs, when)


def merge(venue: Venue, wallet: Wallet, market: Market, pairs: int, when: When | None = None) -> Row:
    """A pair becomes collateral. Zero pairs make a zero-size row, which the real feed has."""
    if pairs < 0 or any(wallet.shares(token.id) < pairs for token in market.tokens):
        raise ValueError("a merge takes as many of both outcomes")
    when = when or venue.when()
    if pairs:
        for token in market.tokens:
            wallet.holding(token.id).lose(pairs, pairs // 2, when.timestamp)
    wallet.cash += pairs
    return _pairs(venue, "MERGE", wallet, market, pairs, when)


def _pairs(venue: Venue, kind: str, wallet: Wallet, market: Market, pairs: int, when: When) -> Row:
    said = venue.describe(market, None)
    row = Row(
        wallet.address, kind, when.timestamp, 0, when.tx_hash, size=pairs, usdc=pairs, price=0.5 if pairs else 0, **said
    )
    return venue.record(row, when.block)


def redeem(
    venue: Venue, wallet: Wallet, market: Market, *, with_token: bool = False, when: When | None = None
) -> list[Row]:
    """Everything held of a resolved market becomes its payout: one row, or one per token if `with_token`.

    The row of a wallet that holds both outcomes says the winning shares as size, or with `with_token` each its own.
    """
    if market.payouts is None:
        raise ValueError(f"{market.slug} is not resolved")
    held = [(token, wallet.shares(token.id)) for token in market.tokens if wallet.shares(token.id)]
    if not held:
        raise ValueError(f"{wallet.name} holds nothing of {market.slug}")
    when = when or venue.when()
    parts: list[tuple[Token, int, int]] = []
    for token, shares in held:
        paid = shares * market.payouts[token.place] // ONE
        wallet.holding(token.id).lose(shares, paid, when.timestamp)
        wallet.cash += paid
        parts.append((token, shares, paid))
    common: dict[str, Any] = {"timestamp": when.timestamp, "sequence": 0, "tx_hash": when.tx_hash}
    if with_token:
        rows = [
            Row(wallet.address, "REDEEM", size=shares, usdc=paid, **common, **venue.describe(market, token))
            for token, shares, paid in parts
        ]
    else:
        paid = sum(part[2] for part in parts)
        size = max(shares for _, shares, _ in parts) if paid == 0 else paid
        rows = [Row(wallet.address, "REDEEM", size=size, usdc=paid, **common, **venue.describe(market, None))]
    return [venue.record(row, when.block) for row in rows]


def convert(
    venue: Venue, wallet: Wallet, markets: list[Market], amount: int, *, fee_bps: int = 0, when: When | None = None
) -> Row:
    """NO of k questions of a neg-risk event becomes YES of all others and (k-1) · amount of collateral."""
    event = check_conversion(wallet, markets, amount)
    when = when or venue.when()
    out = amount - amount * fee_bps // 10_000
    cash = (len(markets) - 1) * out
    for one in markets:
        wallet.holding(one.tokens[1].id).lose(amount, amount, when.timestamp)
    for one in event.markets:
        if one not in markets:
            wallet.holding(one.tokens[0].id).gain(out, 0, 0, when.timestamp)
    wallet.cash += cash
    said = venue.describe(markets[0], None)
    row = Row(wallet.address, "CONVERSION", when.timestamp, 0, when.tx_hash, size=amount, usdc=cash, **said)
    return venue.record(row, when.block)


def check_conversion(wallet: Wallet, markets: list[Market], amount: int) -> Event:
    """The event whose questions can be converted so. Raises ValueError."""
    _positive(amount)
    event = markets[0].event if markets else None
    if event is None or not event.neg_risk or any(one.event is not event for one in markets):
        raise ValueError("a conversion takes questions of one neg-risk event")
    if len({one.condition_id for one in markets}) != len(markets):
        raise ValueError("each question once")
    if any(wallet.shares(one.tokens[1].id) < amount for one in markets):
        raise ValueError("not so many NO shares are held")
    return event


def credit(venue: Venue, wallet: Wallet, kind: str, amount: int, *, side: str = "", when: When | None = None) -> Row:
    """Cash that comes without a position: rebates, rewards, deposits, tips (side IN or OUT)."""
    _positive(amount)
    if kind not in CREDITS:
        raise ValueError(f"kinds are {', '.join(CREDITS)}")
    when = when or venue.when()
    out = kind == "WITHDRAWAL" or side == "OUT"
    wallet.cash += -amount if out else amount
    row = Row(wallet.address, kind, when.timestamp, 0, when.tx_hash, side=side, size=amount, usdc=amount)
    return venue.record(row, when.block)


def combo(venue: Venue, wallet: Wallet, shares: int, price: int, when: When | None = None) -> Row:
    """A trade of a combined position: is_combo, a condition of 62 digits, no slug. Positions of markets do not move."""
    _positive(shares)
    when = when or venue.when()
    condition = "0x03" + names.digest(venue.seed, "combo", when.tx_hash)[:30].hex()
    wallet.cash -= shares * price // ONE
    row = Row(
        wallet.address, "TRADE", when.timestamp, 0, when.tx_hash, condition, str(int(condition, 16) << 8), "BUY",
        shares, shares * price // ONE, number(price), title="Will it rain? AND Will it snow?", role="taker",
        is_combo=True,
    )  # fmt: skip
    return venue.record(row, when.block)


def settle(venue: Venue, market: Market, winner: int | None, at: int | None = None) -> None:
    """Resolves at once: 0 or 1 wins, None is 50/50."""
    payouts = (ONE // 2, ONE // 2) if winner is None else ((ONE, 0), (0, ONE))[winner]
    venue.move(market, Stage.RESOLVED, payouts, at)


def _positive(amount: int) -> None:
    if amount <= 0:
        raise ValueError("an amount above zero")
