"""Leaders' deeds drawn from a seed: the stream tests compare a shadow portfolio with, and what moves the local world.

    venue = Venue(seed); furnish(venue)
    for action in events(seed, 10_000):
        apply(venue, action)

The stream depends on the seed alone. It holds fills as taker and maker, equal fills in one transaction, prices that
are ratios, rows without a label, splits, merges (some of size zero), redemptions with and without token, conversions,
credits, combos, resolutions (one in ten 50/50), and new markets in place of the resolved ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from localnet.polymarket.facts import Action, apply
from localnet.polymarket.feed import Row
from localnet.polymarket.markets import Market, Stage, Token
from localnet.polymarket.numbers import ONE, micros, text
from localnet.polymarket.venue import Venue
from localnet.polymarket.wallets import Wallet
from localnet.polymarket.world import LEADERS, furnish, winners

START = 1_793_500_000
"""The first second of a generated stream."""


WEIGHTS = {
    "buy": 54, "sell": 16, "split": 7, "merge": 6, "redeem": 6, "convert": 3, "credit": 4, "combo": 1, "resolve": 3,
}  # fmt: skip
LIVE = {"buy": 60, "sell": 24, "split": 5, "merge": 4, "redeem": 5, "convert": 1, "credit": 1}
"""What leaders of a running venue do: markets end by themselves there."""
KINDS = ("MAKER_REBATE", "REWARD", "YIELD", "TAKER_REBATE")


class Chooser:
    """What the next leader does. `drawn=False` leaves price and block time to the venue, as for deeds of now."""

    def __init__(self, venue: Venue, rng: random.Random, leaders: Sequence[str], *, drawn: bool = True) -> None:
        self.venue, self.rng, self.leaders, self.drawn = venue, rng, leaders, drawn
        self.at = START
        self._made = 0
        self._last: tuple[str, int, str] = ("", 0, "")

    def next(self) -> list[Action]:
        """One deed of one leader, or a resolution: mostly one action, several where a whole event is resolved."""
        wallet = self.venue.wallet(self.rng.choice(list(self.leaders)))
        weights = WEIGHTS if self.drawn else LIVE
        wanted = self.rng.choices(list(weights), list(weights.values()))[0]
        self.at += self.rng.choice((0, 0, 1, 2, 5))
        found: list[Action] | None = getattr(self, f"_{wanted}")(wallet)
        return found if found else self._buy(wallet)

    def told(self, verb: str, wallet: Wallet, **asked: Any) -> list[Action]:
        time = {"at": self.at} if self.drawn else {}
        return [Action(verb, {"wallet": wallet.name, **asked, **time})]

    def remember(self, wallet: str, row: Row) -> None:
        """The transaction a further order of this wallet may share."""
        self._last = wallet, row.timestamp, row.tx_hash

    # Deeds. None where the wallet cannot do it now.

    def _buy(self, wallet: Wallet) -> list[Action]:
        market = self.rng.choice([one for one in self.venue.markets.values() if one.accepts_orders])
        token = self.rng.choice(market.tokens)
        shares = self.rng.randrange(500, 400_000) * 10_000
        if self.drawn and self.rng.random() < 0.15:
            shares += self.rng.randrange(10_000)
        return self._order(wallet, market, token, "BUY", shares, most=1_000)

    def _sell(self, wallet: Wallet) -> list[Action] | None:
        held = [
            (self.venue.tokens[token], shares)
            for token, shares in wallet.positions().items()
            if token in self.venue.tokens and self.venue.tokens[token][0].accepts_orders
        ]
        if not held:
            return None
        (market, token), shares = self.rng.choice(held)
        if self.rng.random() < 0.6:
            shares = max(1, shares * self.rng.randrange(5, 95) // 100)
        if not self.drawn:
            shares = shares // 10_000 * 10_000 or shares
        return self._order(wallet, market, token, "SELL", shares, most=1)

    def _order(self, wallet: Wallet, market: Market, token: Token, side: str, shares: int, most: int) -> list[Action]:
        asked: dict[str, Any] = {"token": token.id, "side": side, "shares": text(shares)}
        if not self.drawn:
            return self.told("trade", wallet, **asked)
        ticks, chance = ONE // market.tick, self.rng.random()
        asked["price"] = text(self.rng.randrange(2, ticks - 1) * market.tick)
        if chance < 0.25:
            asked["role"] = "maker"
        elif chance < 0.33:
            price = micros(asked["price"])
            asked["usdc"] = text(min(shares, shares * price // ONE + self.rng.randrange(2_000)))
        elif chance < 0.38 and most > 1:
            asked["copies"] = self.rng.choice((2, 2, 3))
        elif chance < 0.43:
            asked["labelled"] = False
        elif chance < 0.53 and self._last[0] == wallet.name and self._last[1] == self.at:
            asked["tx_hash"] = self._last[2]
        return self.told("trade", wallet, **asked)

    def _split(self, wallet: Wallet) -> list[Action]:
        market = self.rng.choice([one for one in self.venue.markets.values() if one.accepts_orders])
        return self.told(
            "split", wallet, market=market.condition_id, pairs=text(self.rng.randrange(1, 50_000) * 10_000)
        )

    def _merge(self, wallet: Wallet) -> list[Action] | None:
        pairs = {
            one.condition_id: min(wallet.shares(token.id) for token in one.tokens)
            for one in self.venue.markets.values()
            if not one.closed
        }
        both = [condition for condition, least in pairs.items() if least]
        if not both:
            return None
        condition, part = self.rng.choice(both), self.rng.choice((0, 3, 5, 10))
        if part == 0 and not self.drawn:
            part = 10
        return self.told("merge", wallet, market=condition, pairs=text(pairs[condition] * part // 10))

    def _redeem(self, wallet: Wallet) -> list[Action] | None:
        found = [
            one
            for one in self.venue.markets.values()
            if one.payouts is not None and any(wallet.shares(token.id) for token in one.tokens)
        ]
        if not found:
            return None
        with_token = self.rng.random() < 0.3
        return self.told("redeem", wallet, market=self.rng.choice(found).condition_id, with_token=with_token)

    def _convert(self, wallet: Wallet) -> list[Action] | None:
        for event in self.venue.events.values():
            held = [one for one in event.markets if not one.closed and wallet.shares(one.tokens[1].id)]
            still = [one for one in event.markets if not one.closed]
            if not event.neg_risk or not held or len(still) != len(event.markets):
                continue
            chosen = self.rng.sample(held, self.rng.randrange(1, len(held) + 1))
            amount = min(wallet.shares(one.tokens[1].id) for one in chosen)
            markets = [one.condition_id for one in chosen]
            return self.told("convert", wallet, markets=markets, amount=text(amount))
        return None

    def _credit(self, wallet: Wallet) -> list[Action]:
        amount = text(self.rng.randrange(1, 5_000_000))
        return self.told("credit", wallet, kind=self.rng.choice(KINDS), amount=amount)

    def _combo(self, wallet: Wallet) -> list[Action]:
        price = text(self.rng.randrange(5, 60) * 10_000)
        return self.told("combo", wallet, shares=text(self.rng.randrange(1, 10_000) * 10_000), price=price)

    def _resolve(self, wallet: Wallet) -> list[Action] | None:
        """A market or a whole neg-risk event ends, and another takes its place."""
        still = [one for one in self.venue.markets.values() if one.stage is not Stage.RESOLVED]
        market = self.rng.choice(still)
        self._made += 1
        if not market.neg_risk and self.rng.random() < 0.1:
            ended = [(market, (ONE // 2, ONE // 2))]
        else:
            ended = winners(self.venue, market, self.rng.random() < 0.5)
        found = []
        for number, (one, payouts) in enumerate(ended):
            asked = {"market": one.condition_id, "payouts": [text(part) for part in payouts], "at": self.at}
            found.append(Action("resolve", asked))
            fresh: dict[str, Any] = {
                "slug": f"question-{self._made}-{number}", "category": one.category, "neg_risk": one.neg_risk,
                "event": f"subject-{self._made}", "tick": text(one.tick), "version": one.version,
            }  # fmt: skip
            found.append(Action("market", fresh))
        return found


def events(seed: int, count: int, leaders: Sequence[str] = LEADERS) -> Iterator[Action]:
    """`count` actions for a venue of this seed that was furnished and told nothing else."""
    venue = Venue(seed, now_ms=lambda: START * 1000)
    furnish(venue)
    chooser, given = Chooser(venue, random.Random(seed), leaders), 0
    while given < count:
        for action in chooser.next():
            if given == count:
                return
            made = apply(venue, action)
            if made and action.verb == "trade":
                chooser.remember(str(action.asked["wallet"]), made[-1])
            given += 1
            yield action
