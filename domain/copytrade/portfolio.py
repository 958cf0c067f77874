"""What a paper portfolio holds, at average cost: the one arithmetic of shadow, executables, rebuild and Test config.

Two identities hold after every entry, to the micro:
    cash + Σ cost   = contributed + Σ realised
    equity − contributed = realised + unrealised          (unrealised = value at marks − cost)
Fees are realised losses. Money put in or taken out, and shares a leader held before he was followed, are contributions
and never profit (CT-210).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.venue import ONE
from domain.shared.money import mul_div_floor


class Holding(NamedTuple):
    """One token. `shares` < 0: sold without having been bought (see `book`). `settled`: how often it was settled."""

    shares: int = 0
    cost: int = 0
    realised: int = 0
    condition_id: str = ""
    settled: int = 0


class Booked(NamedTuple):
    """What an entry did to its token. Its contribution is `cash + cost_delta − realised`: 0 but for a DEPOSIT."""

    holding: Holding
    cost_delta: int
    realised: int


class Base(NamedTuple):
    """A portfolio when a loss window began."""

    equity: int
    pnl: int


class Portfolio(NamedTuple):
    """A portfolio as a decision sees it. `fees`: what of `realised` went to the venue, as a positive number.

    `day`, `week`: where UTC midnight and the moment seven days ago found it; None when it is younger, then nothing was
    lost before. `slices`: in EXEC_GLOBAL, shares by leader and token, whose trades they copy.
    """

    cash: int = 0
    contributed: int = 0
    realised: int = 0
    fees: int = 0
    holdings: Mapping[str, Holding] = {}
    peak_pnl: int = 0
    latched: bool = False
    day: Base | None = None
    week: Base | None = None
    slices: Mapping[str, Mapping[str, int]] = {}

    def shares_of(self, token_id: str) -> int:
        held = self.holdings.get(token_id)
        return held.shares if held is not None else 0


def value_at(shares: int, price: int) -> int:
    """Shares at a price, rounded down: a long one is never worth more than it is, a short one never owes less."""
    return mul_div_floor(shares, price, ONE)


def book(holding: Holding, entry: Entry) -> Booked:
    """An entry at average cost. `cash + cost_delta = realised` for all but a DEPOSIT, so no micro is made or lost.

    Buying adds what was paid to the cost. Selling takes the cost of those shares along, rounded down, all of it with
    the last share; what it brought beyond that is realised. A line without shares (a fee, a reward) is realised.

    A shadow may sell what it was never seen to buy: then it is short. Cost is then what the sale brought, negative;
    buying back realises the difference; a trade that crosses zero is two, its cash divided by shares.

    A DEPOSIT of shares counts as bought at its price with money contributed.
    """
    deposit = entry.kind is EntryType.DEPOSIT
    cash = -value_at(entry.shares, entry.price or 0) if deposit and entry.shares else entry.cash
    if entry.shares == 0:
        cost_delta, realised = 0, 0 if deposit else cash
    else:
        cost_delta, realised = _averaged(holding, entry.shares, cash)
    booked = holding._replace(
        shares=holding.shares + entry.shares,
        cost=holding.cost + cost_delta,
        realised=holding.realised + realised,
        condition_id=holding.condition_id or entry.condition_id,
        settled=holding.settled + (entry.kind is EntryType.SETTLEMENT),
    )
    return Booked(booked, cost_delta, realised)


def _averaged(holding: Holding, shares: int, cash: int) -> tuple[int, int]:
    held, cost = holding.shares, holding.cost
    if held == 0 or (held > 0) == (shares > 0):
        return -cash, 0
    if abs(shares) <= abs(held):
        leaving = mul_div_floor(cost, abs(shares), abs(held))
        return -leaving, cash - leaving
    closing = mul_div_floor(cash, abs(held), abs(shares))
    return -cost - (cash - closing), closing - cost


def post(portfolio: Portfolio, entries: Iterable[Entry], leader: str = "") -> tuple[Portfolio, tuple[Booked, ...]]:
    """The portfolio after these entries, in order, and what each did. `leader`: whose trade they copy (EXEC_GLOBAL).

    An entry of nobody that takes shares (SETTLEMENT, CLOSE) takes all of its token, so every leader's slice ends.
    """
    holdings, slices = dict(portfolio.holdings), {who: dict(held) for who, held in portfolio.slices.items()}
    cash, contributed, realised, fees = portfolio.cash, portfolio.contributed, portfolio.realised, portfolio.fees
    done: list[Booked] = []
    for entry in entries:
        booked = book(holdings.get(entry.token_id, Holding()), entry)
        done.append(booked)
        cash += entry.cash
        contributed += entry.cash + booked.cost_delta - booked.realised
        realised += booked.realised
        fees -= entry.cash if entry.kind is EntryType.FEE else 0
        if entry.token_id:
            holdings[entry.token_id] = booked.holding
            _slice(slices, leader, entry)
    after = portfolio._replace(
        cash=cash, contributed=contributed, realised=realised, fees=fees, holdings=holdings, slices=slices
    )
    return after, tuple(done)


def _slice(slices: dict[str, dict[str, int]], leader: str, entry: Entry) -> None:
    if leader:
        own = slices.setdefault(leader, {})
        own[entry.token_id] = own.get(entry.token_id, 0) + entry.shares
    elif entry.shares < 0:
        for own in slices.values():
            own.pop(entry.token_id, None)


# At marks. A token without one counts at its cost: unpriced, never 0.50.

Marks = Mapping[str, int]


def worth(portfolio: Portfolio, token_id: str, marks: Marks) -> int:
    """The position of a token at its mark."""
    held = portfolio.holdings.get(token_id)
    if held is None:
        return 0
    mark = marks.get(token_id)
    return held.cost if mark is None else value_at(held.shares, mark)


def equity(portfolio: Portfolio, marks: Marks) -> int:
    """cash + Σ shares × mark (CT-122)."""
    return portfolio.cash + sum(worth(portfolio, token, marks) for token in portfolio.holdings)


def pnl(portfolio: Portfolio, marks: Marks) -> int:
    return equity(portfolio, marks) - portfolio.contributed


def unrealised(portfolio: Portfolio, marks: Marks) -> int:
    return sum(worth(portfolio, token, marks) - held.cost for token, held in portfolio.holdings.items())


def exposure(portfolio: Portfolio, marks: Marks, tokens: Iterable[str] | None = None) -> int:
    """Σ value of long positions, of all tokens or of these (CG-045). A short is a gap in the history, not a bet."""
    among = portfolio.holdings if tokens is None else tokens
    return sum(max(0, worth(portfolio, token, marks)) for token in among)


def exposure_for(portfolio: Portfolio, leader: str, marks: Marks) -> int:
    """Value of what was bought for one leader: his share of each position."""
    total = 0
    for token, shares in portfolio.slices.get(leader, {}).items():
        held = portfolio.shares_of(token)
        own = min(shares, held)
        if own > 0:
            total += mul_div_floor(worth(portfolio, token, marks), own, held)
    return total


def held_for(portfolio: Portfolio, leader: str, token_id: str) -> int:
    """Shares of a token that copy one leader: another leader's sale never sells them."""
    return max(0, min(portfolio.slices.get(leader, {}).get(token_id, 0), portfolio.shares_of(token_id)))
