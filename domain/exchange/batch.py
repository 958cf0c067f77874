"""A batch of orders as one function: markets and holders as they stand → verdicts, and markets and holders afterwards.

The engine folds this over what it locked and writes what comes out; nothing here knows of a database. Orders are taken
in the order in which they were accepted; one account's money is shared by all assets of the batch.
Source: architecture.md 4 (Trade), exchange.md 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.exchange.trading import Fill, Holder, Market, Order, RejectCode, execute
from domain.exchange.volume import Volume, with_amount


class Pending(NamedTuple):
    """An accepted order without a verdict."""

    id: str
    asset_id: str
    account_id: str
    order: Order


class Position(NamedTuple):
    """What one account holds of one asset: free shares, what all of them have cost, what sales brought beyond it."""

    shares: int = 0
    cost: int = 0
    realised: int = 0


class Desk(NamedTuple):
    """What a batch finds: everything it may read or change. `volumes` are of the last five minutes."""

    markets: Mapping[str, Market]
    volumes: Mapping[str, Volume]
    usdc: Mapping[str, int]
    positions: Mapping[tuple[str, str], Position]


class Verdict(NamedTuple):
    """`number` counts the verdicts of the asset. `usdc` and `lp_shares` are what the rules saw: a replay needs them,
    because deposits and payouts come from elsewhere (domain/exchange/replay.py). `volume` after the order."""

    order: Pending
    number: int
    usdc: int
    lp_shares: int
    volume: int
    fill: Fill | None
    reject: RejectCode | None


class Settled(NamedTuple):
    """The verdicts in order, and the desk afterwards: only what the batch touched."""

    verdicts: tuple[Verdict, ...]
    markets: Mapping[str, Market]
    volumes: Mapping[str, Volume]
    positions: Mapping[tuple[str, str], Position]


NOTHING = Position()


def settle(desk: Desk, orders: Iterable[Pending], second: int, *, enabled: bool) -> Settled:
    """Give every order its verdict.

    Args:  second   Unix time of the batch, whole seconds, not before the newest price in any window.
           enabled  the kill switch `exchange.trading`.
    """
    markets, volumes, usdc = dict(desk.markets), dict(desk.volumes), dict(desk.usdc)
    positions: dict[tuple[str, str], Position] = {}
    verdicts = []
    for pending in orders:
        asset, account = pending.asset_id, pending.account_id
        key = (account, asset)
        position = positions.get(key) or desk.positions.get(key, NOTHING)
        market, cash = markets[asset], usdc.get(account, 0)
        after, holder, fill, reject = execute(market, Holder(cash, *position), pending.order, second, enabled=enabled)
        markets[asset] = after
        if fill is not None:
            usdc[account] = holder.usdc
            positions[key] = Position(holder.shares, holder.cost, holder.realised)
            volumes[asset] = with_amount(volumes[asset], second, fill.pool)
        traded = volumes[asset].micros
        verdicts.append(Verdict(pending, after.verdicts, cash, market.lp_shares, traded, fill, reject))
    return Settled(tuple(verdicts), markets, volumes, positions)
