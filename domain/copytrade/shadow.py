"""What a leader's own portfolio becomes by canonical events, in their order: the shadow, applied exactly as reported.

A fill is one line and, when a fee was charged, a second one for it. Splits, merges, redemptions and conversions are a
line per leg. What the facts at hand do not decide is kept waiting, and so is every redemption after it in that market.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from domain.copytrade import legs
from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.legs import Applied, Outcome, Redeemed, Waits
from domain.copytrade.normalise import Move, Trade
from domain.copytrade.portfolio import Booked, Holding, book
from domain.copytrade.venue import Kind, Side
from domain.shared.money import mul_div_floor


class Moved(NamedTuple):
    """Legs and cash of all conversions of a wallet in one transaction, as its receipt tells them."""

    legs: tuple[tuple[str, int], ...]
    usdc: int


NOTHING_LEFT: Final = Moved((), 0)
"""Of a second conversion in a transaction: the first has brought the legs of both."""


class Seen(NamedTuple):
    """A canonical event of one leader. `moved`: of a conversion, once its receipt has been read."""

    event_id: str
    condition_id: str
    token_id: str
    event_time: datetime
    what: Trade | Move
    moved: Moved | None = None


class MarketLegs(NamedTuple):
    """Tokens of a market by place, what each pays once it is resolved, and the event it belongs to."""

    tokens: tuple[str, ...]
    payouts: tuple[int, ...] | None = None
    event_id: str = ""


class Known(NamedTuple):
    """Facts for folding one leader's events. `settled`: shares by token that a settlement took and no redemption has
    claimed; `waiting`: conditions, and events of conversions, in which something earlier waits; `conditions`: of
    tokens that conversions moved."""

    markets: Mapping[str, MarketLegs]
    settled: Mapping[str, int] = {}
    waiting: frozenset[str] = frozenset()
    conditions: Mapping[str, str] = {}


class Line(NamedTuple):
    """One entry of the ledger and what it did to its token."""

    entry: Entry
    booked: Booked


class Shadow:
    """One leader's holdings while events are folded in."""

    def __init__(self, holdings: Mapping[str, Holding], known: Known) -> None:
        self.holdings, self.known = dict(holdings), known
        self.settled, self.waiting = dict(known.settled), set(known.waiting)
        self.lines: list[Line] = []
        self.outcomes: dict[str, Outcome] = {}

    def apply(self, seen: Seen) -> None:
        """Book one event, or note why not."""
        if isinstance(seen.what, Trade):
            for entry in fill(seen, seen.what):
                self._book(entry)
            return
        outcome = self._outcome(seen, seen.what)
        self.outcomes[seen.event_id] = outcome
        if isinstance(outcome, Waits):
            self._wait(seen, seen.what)
        if isinstance(outcome, Applied):
            for token, shares in outcome.settled:
                self.settled[token] = self.settled.get(token, 0) - shares
            for leg in outcome.legs:
                place = (self.known.conditions.get(leg.token_id, seen.condition_id), leg.token_id)
                kind = EntryType(seen.what.kind)
                self._book(Entry(kind, seen.event_id, *place, leg.shares, leg.cash, leg.price, seen.event_time))

    def _wait(self, seen: Seen, move: Move) -> None:
        """A conversion touches every market of its event."""
        market = self.known.markets.get(seen.condition_id)
        self.waiting.add(seen.condition_id)
        if move.kind is Kind.CONVERSION and market is not None and market.event_id:
            self.waiting.add(market.event_id)

    def _outcome(self, seen: Seen, move: Move) -> Outcome:
        market = self.known.markets.get(seen.condition_id, MarketLegs(()))
        if move.kind is Kind.CONVERSION:
            return Waits("its receipt has not been read") if seen.moved is None else self._converted(seen.moved)
        if move.kind is not Kind.REDEEM:
            return legs.pairs(move.kind, market.tokens, move.shares)
        if seen.condition_id in self.waiting or (market.event_id and market.event_id in self.waiting):
            return Waits("an earlier event of this market waits")
        held = {token: holding.shares for token, holding in self.holdings.items()}
        known = Redeemed(market.payouts, held, self.settled)
        return legs.redemption(market.tokens, seen.token_id, move.shares, move.usdc, known)

    def _converted(self, moved: Moved) -> Outcome:
        if moved == NOTHING_LEFT:
            return Applied((), detail="booked with another row of its transaction")
        if unknown := [token for token, _ in moved.legs if token not in self.known.conditions]:
            return Waits(f"the market of token {unknown[0]} is not known")
        costs = {token: self._cost(token, -shares) for token, shares in moved.legs if shares < 0}
        return legs.conversion(moved.legs, moved.usdc, costs)

    def _cost(self, token: str, shares: int) -> int:
        """Average cost of shares that leave; of what is not held there is none."""
        held = self.holdings.get(token, Holding())
        return mul_div_floor(held.cost, min(shares, held.shares), held.shares) if held.shares > 0 else 0

    def _book(self, entry: Entry) -> None:
        booked = book(self.holdings.get(entry.token_id, Holding()), entry)
        self.holdings[entry.token_id] = booked.holding
        self.lines.append(Line(entry, booked))


def fill(seen: Seen, trade: Trade) -> list[Entry]:
    """The lines of one fill: shares against the notional, and the fee."""
    sign = 1 if trade.side is Side.BUY else -1
    place = (seen.event_id, seen.condition_id, seen.token_id)
    entries = [
        Entry(
            EntryType.TRADE_FILL, *place, sign * trade.shares, -sign * trade.notional, trade.price, seen.event_time
        )
    ]  # fmt: skip
    if trade.fee:
        entries.append(Entry(EntryType.FEE, *place, 0, -trade.fee, None, seen.event_time))
    return entries
