"""What the local Polygon is told of a deed. The encoders are imported late: without a chain the venue stays small."""

from __future__ import annotations

from typing import Any

from localnet.polymarket.markets import Market
from localnet.polymarket.numbers import ONE
from localnet.polymarket.wallets import Wallet

OTHER_SIDE = "0x" + "5" * 40
"""Who trades with the leaders, on the chain."""


def matched(market: Market, order: tuple[str, str, str, int, int, int], role: str, copies: int) -> list[Any]:
    """The fill and the house's order against it; protocol v2 markets settle on ExchangeV3."""
    from localnet.polymarket import chain_calls

    wallet, side, token_id, shares, usdc, fee = order
    mine = chain_calls.Order(wallet, side, token_id, shares, usdc, fee)
    theirs = chain_calls.Order(OTHER_SIDE, "SELL" if side == "BUY" else "BUY", token_id, shares, usdc, 0)
    exchange = "v3" if market.version == "v2" else "v2-neg-risk" if market.neg_risk else "v2"
    pair = (mine, [theirs]) if role == "taker" else (theirs, [mine])
    return [chain_calls.match(*pair, exchange) for _ in range(copies)]


def pairs(what: str, wallet: Wallet, market: Market, count: int) -> list[Any]:
    from localnet.polymarket import chain_calls

    make = chain_calls.split if what == "split" else chain_calls.merge
    return make(wallet.address, market.condition_id, count, market.version, neg_risk=market.neg_risk)


def redeemed(wallet: Wallet, market: Market) -> list[Any]:
    from localnet.polymarket import chain_calls

    held = (wallet.shares(market.tokens[0].id), wallet.shares(market.tokens[1].id))
    payouts = market.payouts or (0, 0)
    payout = sum(shares * paid // ONE for shares, paid in zip(held, payouts, strict=True))
    tokens = (market.tokens[0].id, market.tokens[1].id)
    return chain_calls.redeem(
        wallet.address, market.condition_id, held, payout, tokens, market.version, neg_risk=market.neg_risk
    )


def converted(wallet: Wallet, markets: list[Market], amount: int, fee_bps: int) -> list[Any]:
    from localnet.polymarket import chain_calls

    event = markets[0].event
    index_set = sum(1 << place for place, one in enumerate(event.markets) if one in markets)
    gone = [one.tokens[1].id for one in markets]
    come = [one.tokens[0].id for one in event.markets if one not in markets]
    return chain_calls.convert(wallet.address, event.neg_risk_market_id, index_set, amount, gone, come, fee_bps=fee_bps)


def resolved(market: Market, payouts: tuple[int, int]) -> Any:
    from localnet.polymarket import chain_calls

    return chain_calls.resolve(market.condition_id, payouts, market.version)
