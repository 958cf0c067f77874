"""The venue itself, without a network: markets, wallets, and what every trade, split, merge and redemption does.

Everything is a function of the seed and of what it is told, so the same calls make the same world. Positions are exact
to the micro; `/v2/positions` is served from them. Bad input raises ValueError and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from localnet.polymarket import names
from localnet.polymarket.feed import UNLABELLED, Feed, Row
from localnet.polymarket.markets import FEES, NEXT, Event, Market, Stage, Token
from localnet.polymarket.numbers import ONE
from localnet.polymarket.wallets import Wallet

FIRST_BLOCK, FIRST_BLOCK_AT = 84_902_320, 1_777_374_000
BLOCK_SECONDS = 2
HOUSE = "the-house"
"""Who stands on the other side of the leaders. It has whatever it sells."""


class When(NamedTuple):
    """The block a change stands in. `sequence` counts within the venue, so no two rows share a place."""

    timestamp: int
    block: int
    tx_hash: str


class Venue:
    """See the module. `sell_usdc`: whether usdc_size of a SELL is what the wallet got (net) or before the fee."""

    def __init__(self, seed: int = 1, now_ms: Callable[[], int] | None = None) -> None:
        self.seed = seed
        self.now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self.events: dict[str, Event] = {}
        self.markets: dict[str, Market] = {}
        self.tokens: dict[str, tuple[Market, Token]] = {}
        self.wallets: dict[str, Wallet] = {}
        self.feed = Feed()
        self.sell_usdc = "net"
        self.index_delay_ms = 0
        self.late: list[int] = []
        self._txs = 0
        self._made = 0
        self._rows = 0

    # The world.

    def add_event(self, slug: str, title: str, category: str, *, neg_risk: bool = False) -> Event:
        if slug in self.events or category not in FEES:
            raise ValueError(f"event {slug} is there already" if slug in self.events else f"category {category}?")
        self._made += 1
        event = Event(str(10_000 + self._made), slug, title, category, neg_risk)
        self.events[slug] = event
        return event

    def add_market(
        self,
        event: Event,
        slug: str,
        question: str,
        *,
        labels: tuple[str, str] = ("Yes", "No"),
        tick: int = 10_000,
        ends_at: int | None = None,
        version: str = "v1",
        seconds_delay: int = 0,
        starts_at: int | None = None,
    ) -> Market:
        condition = names.condition_id(self.seed, slug, version, event.neg_risk)
        if condition in self.markets:
            raise ValueError(f"market {slug} is there already")
        ids = (names.token_id(condition, 0, version), names.token_id(condition, 1, version))
        tokens = (Token(ids[0], 0, labels[0]), Token(ids[1], 1, labels[1]))
        self._made += 1
        begins = self.now_ms() // 1000 if starts_at is None else starts_at
        market = Market(
            condition, str(500_000 + self._made), slug, question, tokens, event, event.category, FEES[event.category],
            tick=tick, ends_at=ends_at, version=version, neg_risk=event.neg_risk, seconds_delay=seconds_delay,
            starts_at=begins, changed_at=begins,
        )  # fmt: skip
        self.markets[condition] = market
        event.markets.append(market)
        for token in tokens:
            self.tokens[token.id] = market, token
        return market

    def forget_market(self, market: Market) -> None:
        """Lets go of an old market that nobody holds."""
        del self.markets[market.condition_id]
        market.event.markets.remove(market)
        if not market.event.markets:
            self.events.pop(market.event.slug, None)
        for token in market.tokens:
            del self.tokens[token.id]

    def wallet(self, name: str) -> Wallet:
        """The wallet of a name or address; a new name gets a wallet of its own."""
        given = name.lower()
        found = self.wallets.get(given) or next((one for one in self.wallets.values() if one.name == name), None)
        if found is None:
            if given.startswith("0x") and len(given) == 42:
                found = Wallet(given, "", "Quiet-Stranger")
            else:
                found = Wallet(names.address(self.seed, name), name, pseudonym(self.seed, name))
            self.wallets[found.address] = found
        return found

    def market(self, key: str) -> Market:
        """By condition id (either form of a v2 one), slug, Gamma id or token id. Raises ValueError."""
        found = self.markets.get(key) or self.markets.get(f"{key}00")
        if found is None and key in self.tokens:
            found = self.tokens[key][0]
        if found is None:
            found = next((one for one in self.markets.values() if key in (one.slug, one.gamma_id)), None)
        if found is None:
            raise ValueError(f"no market {key}")
        return found

    def token(self, key: str) -> tuple[Market, Token]:
        """By token id, or `slug:place` as in "rain-in-paris:0". Raises ValueError."""
        slug, _, place = key.rpartition(":")
        if slug and place in ("0", "1"):
            market = self.market(slug)
            return market, market.tokens[int(place)]
        if key not in self.tokens:
            raise ValueError(f"no token {key}")
        return self.tokens[key]

    # Rows.

    def when(self, at: int | None = None, tx_hash: str = "", block: int | None = None) -> When:
        """A block at `at` (seconds, default now) and a transaction in it, new unless given."""
        timestamp = self.now_ms() // 1000 if at is None else at
        if not tx_hash:
            self._txs += 1
            tx_hash = names.tx_hash(self.seed, self._txs)
        if block is None:
            block = FIRST_BLOCK + max(0, timestamp - FIRST_BLOCK_AT) // BLOCK_SECONDS
        return When(timestamp, block, tx_hash)

    def skip_transactions(self, count: int) -> None:
        """New transactions get hashes that the replayed ones cannot have."""
        self._txs += count

    def record(self, row: Row, block: int) -> Row:
        """Gives a row its place in the order and its moment of being indexed, which `late` may put off."""
        self._rows += 1
        delay = self.late.pop(0) if self.late and row.role != "house" else self.index_delay_ms
        row = replace(row, sequence=block * 10**10 + self._rows, seen_ms=self.now_ms() + delay if delay else 0)
        self.feed.add(row)
        return row

    def describe(self, market: Market, token: Token | None) -> dict[str, Any]:
        """What a row says of its market. The event slug is often missing, as at the real one."""
        return {
            "condition_id": market.condition_id,
            "token_id": token.id if token else "",
            "outcome_index": token.place if token else UNLABELLED,
            "outcome": token.label if token else "",
            "title": market.question,
            "slug": market.slug,
            "event_slug": market.event.slug,
        }

    # The life of a market.

    def move(
        self,
        market: Market,
        stage: Stage,
        payouts: tuple[int, int] | None = None,
        at: int | None = None,
        block: int | None = None,
    ) -> None:
        """Brings a market to another stage. Payouts in micros per share: (ONE, 0), (500_000, 500_000), …"""
        check_move(market, stage, payouts)
        when = self.when(at, "0x", block)
        market.stage, market.payouts, market.changed_at = stage, payouts, when.timestamp
        market.was_disputed = market.was_disputed or stage is Stage.DISPUTED
        if market.closed and market.closed_at is None:
            market.closed_at = when.timestamp
        if stage is Stage.RESOLVED:
            market.resolved_block = when.block


def check_move(market: Market, stage: Stage, payouts: tuple[int, int] | None) -> None:
    """Raises ValueError for a stage that cannot follow, or payouts that are none."""
    if stage not in NEXT[market.stage]:
        raise ValueError(f"{market.slug} is {market.stage}, it cannot become {stage}")
    if (stage is Stage.RESOLVED) != (payouts is not None):
        raise ValueError("payouts belong to a resolved market")
    if payouts is not None and (sum(payouts) != ONE or min(payouts) < 0):
        raise ValueError("payouts add up to 1")


_MOODS = ("Quiet", "Bold", "Scary", "Colossal", "Gentle", "Rapid", "Frozen", "Humble")
_THINGS = ("Barrel", "Measurement", "Lantern", "Harbor", "Pebble", "Comet", "Orchard", "Anvil")


def pseudonym(seed: int, name: str) -> str:
    """The handle the venue invents for everybody."""
    number = names.draw(seed, "pseudonym", name)
    return f"{_MOODS[number % 8]}-{_THINGS[number // 8 % 8]}"
