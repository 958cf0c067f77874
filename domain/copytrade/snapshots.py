"""A portfolio at a moment, folded from its ledger: the same arithmetic every minute and when everything is rebuilt.

Lines carry what they did to cost and profit (domain/copytrade/portfolio.py decided that when they were booked), so
folding is adding. Micros everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from domain.copytrade.portfolio import value_at
from domain.copytrade.risk import reached

MINUTE: Final = timedelta(minutes=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """One row of the ledger. `at`: by what it is put on the time line, when it was booked or when it happened."""

    id: int
    at: datetime
    epoch: int
    token_id: str
    shares: int
    cash: int
    cost: int
    realized: int


class Holding(NamedTuple):
    shares: int
    cost: int


class Standing(NamedTuple):
    """Sums of the lines of the newest epoch up to a moment. `ledger_id`: the newest line in them."""

    epoch: int
    ledger_id: int
    cash: int
    contributed: int
    holdings: Mapping[str, Holding]


EMPTY: Final = Standing(epoch=0, ledger_id=0, cash=0, contributed=0, holdings={})


class Snapshot(NamedTuple):
    """What a portfolio was worth. `unpriced`: positions without a mark, counted at their cost."""

    equity_micros: int
    cash_micros: int
    exposure_micros: int
    unrealized_pnl_micros: int
    realized_pnl_micros: int
    contributed_micros: int
    unpriced: int
    epoch: int
    ledger_id: int

    @property
    def pnl_micros(self) -> int:
        """Of a deposit nothing is profit (CT-210)."""
        return self.equity_micros - self.contributed_micros


def folded(standing: Standing, lines: Iterable[Line]) -> Standing:
    """The standing after further lines. A line of a later epoch begins anew: the portfolio was reset before it."""
    epoch, newest, cash, contributed, _ = standing
    held = dict(standing.holdings)
    for line in lines:
        if line.epoch > epoch:
            epoch, cash, contributed, held = line.epoch, 0, 0, {}
        newest = max(newest, line.id)
        if line.epoch < epoch:
            continue
        cash += line.cash
        contributed += line.cash + line.cost - line.realized  # 0 but for a DEPOSIT
        if line.token_id:
            shares, cost = held.get(line.token_id, Holding(0, 0))
            held[line.token_id] = Holding(shares + line.shares, cost + line.cost)
    return Standing(epoch, newest, cash, contributed, {t: h for t, h in held.items() if h != (0, 0)})


def unfolded(holdings: Mapping[str, Holding], lines: Iterable[Line]) -> dict[str, Holding]:
    """What was held before these lines, of what is held after them: so nobody adds up a whole ledger each minute."""
    held = dict(holdings)
    for line in lines:
        if line.token_id:
            shares, cost = held.get(line.token_id, Holding(0, 0))
            held[line.token_id] = Holding(shares - line.shares, cost - line.cost)
    return {token: holding for token, holding in held.items() if holding != (0, 0)}


def snapshot(standing: Standing, marks: Mapping[str, int]) -> Snapshot:
    """The standing at these marks. A token without one counts at cost and is counted in `unpriced` (never 0.50)."""
    value = exposure = cost = unpriced = 0
    for token, holding in standing.holdings.items():
        mark = marks.get(token)
        worth = holding.cost if mark is None else value_at(holding.shares, mark)
        unpriced += mark is None and holding.shares != 0
        value, cost, exposure = value + worth, cost + holding.cost, exposure + max(0, worth)
    return Snapshot(
        equity_micros=standing.cash + value,
        cash_micros=standing.cash,
        exposure_micros=exposure,
        unrealized_pnl_micros=value - cost,
        realized_pnl_micros=standing.cash + cost - standing.contributed,
        contributed_micros=standing.contributed,
        unpriced=unpriced,
        epoch=standing.epoch,
        ledger_id=standing.ledger_id,
    )


def losing(peak_pnl: int, found: Snapshot, limit_bps: int) -> bool:
    """Has what was lost since the highest profit reached this part of the equity at it? As a decision asks."""
    return reached(peak_pnl - found.pnl_micros, found.contributed_micros + peak_pnl, limit_bps)


def minute_after(moment: datetime) -> datetime:
    """The first full minute that is later: a bucket holds what was before it."""
    return EPOCH + ((moment - EPOCH) // MINUTE + 1) * MINUTE


def minute_of(moment: datetime) -> datetime:
    return EPOCH + (moment - EPOCH) // MINUTE * MINUTE


def is_hour(moment: datetime) -> bool:
    return moment.minute == 0 and moment.second == 0


def curve(standing: Standing, lines: list[Line], times: list[datetime]) -> list[Standing]:
    """The standing at each time, in order: it holds the lines before that time. `lines` are in order of their `at`."""
    found, place = [], 0
    for time in times:
        first = place
        while place < len(lines) and lines[place].at < time:
            place += 1
        if place > first:
            standing = folded(standing, lines[first:place])
        found.append(standing)
    return found
