"""The exchange as its requirements say it, in plain integers and fractions: what the stores are compared with.

Nothing of `domain/` is used: the curve is a rational, its inverse a search, the breaker a list of prices, vesting a
table, fees are owed as exact fractions. Money is one dictionary; every act says which lines of it move.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

ATTO = 10**18
DAY = timedelta(days=1)
FEES = ("platform:fees", "USDC")


class Said(NamedTuple):
    """A verdict. Of a rejection only `code` is set."""

    code: str | None
    shares: int = 0
    amount: int = 0
    pool: int = 0
    fee: int = 0
    lp_fee: int = 0
    before: int = 0
    after: int = 0
    realised: int = 0


@dataclass
class Request:
    """A withdrawal of liquidity."""

    id: str
    user: str
    unpaid: int
    due: datetime


@dataclass
class Held:
    shares: int = 0
    cost: int = 0
    realised: int = 0


@dataclass
class Asset:
    id: str
    p0: int
    k: int
    fee_bps: int
    lp_bps: int
    breaker_bps: int
    soft: int
    hard: int
    deadline: datetime
    status: str = "funding"
    supply: int = 0
    verdicts: int = 0
    prices: list[tuple[int, int]] = field(default_factory=list)
    grants: list[tuple[str, int, datetime, str]] = field(default_factory=list)
    refunded: set[str] = field(default_factory=set)
    payouts: list[tuple[datetime, str, int, bool]] = field(default_factory=list)
    queue: list[Request] = field(default_factory=list)
    earned: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    roundings: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[str, Held] = field(default_factory=lambda: defaultdict(Held))

    def account(self, bucket: str) -> tuple[str, str]:
        return f"assets:{self.id}:{bucket}", "USDC"

    # --- the curve --------------------------------------------------------------------------------------------------

    def spot(self, supply: int) -> int:
        return floor(self.p0 + Fraction(self.k * supply, ATTO * ATTO) * 10**6)

    def integral(self, supply: int) -> Fraction:
        s = Fraction(supply, ATTO)
        return self.p0 * s + Fraction(self.k, ATTO) * s * s / 2 * 10**6

    def most_shares(self, micros: int) -> int:
        """The most that `micros` pay for, found by halving."""
        start, low, high = self.integral(self.supply), 0, ATTO
        while self.integral(self.supply + high) - start <= micros:
            high *= 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.integral(self.supply + middle) - start <= micros else (low, middle)
        return low

    # --- providers --------------------------------------------------------------------------------------------------

    def principal_of(self, user: str) -> int:
        given = sum(micros for who, micros, _, name in self.grants if who == user and name not in self.refunded)
        return given - sum(micros for _, who, micros, _ in self.payouts if who == user)

    @property
    def providers(self) -> set[str]:
        return {who for who, *_ in self.grants}

    @property
    def principal(self) -> int:
        return sum(self.principal_of(user) for user in self.providers)

    def vested(self, user: str, at: datetime) -> int:
        return sum(floor(micros * vested_part(at - since)) for who, micros, since, _ in self.grants if who == user)

    def askable(self, user: str, at: datetime) -> int:
        paid = sum(micros for _, who, micros, _ in self.payouts if who == user)
        return max(0, self.vested(user, at) - paid - sum(r.unpaid for r in self.queue if r.user == user))

    def owes(self, user: str, micros: int) -> None:
        """All that was earned, less a micro at most for each time it was rounded; never more."""
        rest = self.earned[user] - micros
        assert -Fraction(1, 1_000) < rest < self.roundings[user] + 1, (user, micros, self.earned[user])

    def headroom(self, at: datetime) -> int:
        """A tenth of what there was a day ago, less what left since; a cent is always allowed."""
        gone = sum(micros for when, _, micros, _ in self.payouts if when > at - DAY)
        return max(0, min(max((self.principal + gone) // 10, 10_000) - gone, self.principal))


def vested_part(age: timedelta) -> Fraction:
    """7, 30, 90, 180 days: a quarter each."""
    return Fraction(sum(age >= timedelta(days=days) for days in (7, 30, 90, 180)), 4)


class Model:
    def __init__(self) -> None:
        self.money: dict[tuple[str, str], int] = defaultdict(int)
        self.assets: dict[str, Asset] = {}
        self.trading = True

    def move(self, micros: int, source: tuple[str, str], target: tuple[str, str]) -> None:
        self.money[source] -= micros
        self.money[target] += micros

    def has(self, user: str) -> int:
        return self.money[purse(user)]

    # --- funding ----------------------------------------------------------------------------------------------------

    def contribute(self, asset: Asset, user: str, name: str, micros: int, at: datetime) -> str | None:
        """The code of a refusal, or None."""
        if asset.status != "funding" or at >= asset.deadline:
            return "funding_closed"
        if asset.principal + micros > asset.hard:
            return "hard_cap_exceeded"
        if micros > self.has(user):
            return "insufficient_funds"
        self.move(micros, purse(user), asset.account("lp_principal"))
        asset.grants.append((user, micros, at, name))
        asset.roundings[user] += 1
        if asset.principal >= asset.soft:
            asset.status = "active"
        return None

    def refund(self, asset: Asset, name: str) -> None:
        [(user, micros)] = [(who, micros) for who, micros, _, grant in asset.grants if grant == name]
        assert name not in asset.refunded, "refunded twice"
        asset.refunded.add(name)
        self.move(micros, asset.account("lp_principal"), purse(user))

    # --- trading ----------------------------------------------------------------------------------------------------

    def trade(self, asset: Asset, user: str, side: str, asked: int, min_out: int, second: int) -> Said:
        asset.verdicts += 1
        code = self._closed(asset)
        if code:
            return Said(code)
        said = self._bought(asset, user, asked) if side == "buy" else self._sold(asset, user, asked)
        if said.code is None and (said.shares if side == "buy" else said.amount) < min_out:
            return Said("slippage_exceeded")
        if said.code is None and self._trips(asset, said, second):
            return Said("circuit_breaker")
        if said.code is None:
            self._keep(asset, user, side, said, second)
        return said

    def _closed(self, asset: Asset) -> str | None:
        if not self.trading:
            return "trading_disabled"
        return {"active": None, "halted": "asset_halted"}.get(asset.status, "asset_not_active")

    def _fee(self, asset: Asset, micros: int) -> tuple[int, int]:
        fee = ceil(Fraction(micros * asset.fee_bps, 10_000))
        return fee, floor(Fraction(fee * asset.lp_bps, 10_000)) if asset.principal else 0

    def _bought(self, asset: Asset, user: str, asked: int) -> Said:
        fee, lp_fee = self._fee(asset, asked)
        shares = asset.most_shares(asked - fee) if asked > fee else 0
        if shares == 0:
            return Said("amount_too_small")
        if asked > self.has(user):
            return Said("insufficient_funds")
        before, after = asset.spot(asset.supply), asset.spot(asset.supply + shares)
        return Said(None, shares, asked, asked - fee, fee, lp_fee, before, after)

    def _sold(self, asset: Asset, user: str, asked: int) -> Said:
        held = asset.held[user]
        if asked > held.shares:
            return Said("insufficient_funds")
        pool = floor(asset.integral(asset.supply) - asset.integral(asset.supply - asked))
        fee, lp_fee = self._fee(asset, pool)
        if pool <= fee:
            return Said("amount_too_small")
        before, after = asset.spot(asset.supply), asset.spot(asset.supply - asked)
        cost = floor(Fraction(held.cost * asked, held.shares))
        return Said(None, asked, pool - fee, pool, fee, lp_fee, before, after, pool - fee - cost)

    def _trips(self, asset: Asset, said: Said, second: int) -> bool:
        """Against every price of the last minute and the one that stands; the first fill never trips."""
        if not asset.prices or not asset.breaker_bps:
            return False
        known = [said.before, *(price for when, price in asset.prices if when >= second - 60)]
        return any(abs(said.after - price) > Fraction(asset.breaker_bps * price, 10_000) for price in known)

    def _keep(self, asset: Asset, user: str, side: str, said: Said, second: int) -> None:
        sign, held = (1, asset.held[user]) if side == "buy" else (-1, asset.held[user])
        if said.lp_fee:
            total = asset.principal
            for who in asset.providers:
                asset.earned[who] += Fraction(said.lp_fee * asset.principal_of(who), total)
        self.money[purse(user)] -= sign * said.amount
        self.money[asset.account("reserve")] += sign * said.pool
        self.money[asset.account("lp_fees")] += said.lp_fee
        self.money[FEES] += said.fee - said.lp_fee
        self.money[f"users:{user}:available", asset.id] += sign * said.shares
        self.money["world", asset.id] -= sign * said.shares
        asset.supply += sign * said.shares
        held.shares += sign * said.shares
        held.cost += said.amount if side == "buy" else said.realised - said.amount
        held.realised += said.realised
        asset.prices.append((second, said.after))

    # --- principal and fees leaving ---------------------------------------------------------------------------------

    def ask(self, asset: Asset, user: str, name: str, micros: int, at: datetime) -> tuple[str, int]:
        """`refused`, `paid` or `queued`, and what is paid at once."""
        if asset.status not in ("active", "halted") or micros > asset.askable(user, at):
            return "refused", 0
        at_once = sum(paid for _, who, paid, instant in asset.payouts if who == user and instant)
        free = max(0, asset.vested(user, at) // 4 - at_once)
        due = sum(r.unpaid for r in asset.queue if r.due <= at)
        now = max(0, min(micros, free, asset.headroom(at) - due))
        if now:
            self._pay(asset, user, now, at, instant=True)
        if now < micros:
            asset.queue.append(Request(name, user, micros - now, at + DAY))
        return "paid" if now == micros else "queued", now

    def pay_queue(self, asset: Asset, at: datetime) -> None:
        while asset.queue and asset.queue[0].due <= at:
            head = asset.queue[0]
            micros = min(head.unpaid, asset.headroom(at))
            if micros:
                self._pay(asset, head.user, micros, at, instant=False)
                head.unpaid -= micros
            if head.unpaid:
                return
            asset.queue.pop(0)

    def _pay(self, asset: Asset, user: str, micros: int, at: datetime, *, instant: bool) -> None:
        self.move(micros, asset.account("lp_principal"), purse(user))
        asset.payouts.append((at, user, micros, instant))
        asset.roundings[user] += 1

    def claim(self, asset: Asset, user: str, paid: int) -> None:
        asset.owes(user, paid)
        asset.earned[user] -= paid
        asset.roundings[user] += 1
        if paid:
            self.move(paid, asset.account("lp_fees"), purse(user))


def purse(user: str) -> tuple[str, str]:
    return f"users:{user}:available", "USDC"


def held_by(user: str) -> tuple[str, str]:
    return f"users:{user}:held", "USDC"
