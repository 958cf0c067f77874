"""What a portfolio may lose and how much of it may be at risk. Reductions are exempt; nothing is trimmed to fit.

Losses are of profit, not of equity: money put in or taken out is neither (CT-210). A limit is a share of the equity the
window began with, for the drawdown of the equity at the peak.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.copytrade.decisions import Before, Guard
from domain.copytrade.entries import Scope
from domain.copytrade.portfolio import Base, Portfolio, exposure, exposure_for
from domain.copytrade.reasons import Reason
from domain.copytrade.view import View
from domain.shared.money import mul_div_floor

BPS: Final = 10_000
WEEK: Final = timedelta(days=7)


def day_start(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def loss_since(base: Base | None, pnl: int) -> int:
    return max(0, (0 if base is None else base.pnl) - pnl)


def reached(loss: int, equity: int, limit_bps: int) -> bool:
    """A loss that reaches its limit trips the breaker."""
    return loss > 0 and loss * BPS >= equity * limit_bps


def drawdown(portfolio: Portfolio, pnl: int) -> tuple[int, int, int]:
    """Highest profit so far, how far below it we are, and the equity at that peak, contributions as they are now."""
    peak = max(portfolio.peak_pnl, pnl)
    return peak, peak - pnl, portfolio.contributed + peak


def before(seen: View) -> Before:
    portfolio = seen.portfolio
    pnl = seen.equity - portfolio.contributed
    peak, down, _ = drawdown(portfolio, pnl)
    return Before(
        cash=portfolio.cash,
        equity=seen.equity,
        contributed=portfolio.contributed,
        realised=portfolio.realised,
        pnl=pnl,
        exposure=exposure(portfolio, seen.marks),
        peak_pnl=peak,
        day_loss=loss_since(portfolio.day, pnl),
        week_loss=loss_since(portfolio.week, pnl),
        drawdown=down,
        unpriced=sum(held.shares != 0 and token not in seen.marks for token, held in portfolio.holdings.items()),
    )


def latched(seen: View, stood: Before) -> bool:
    """The drawdown breaker, once tripped, stays so until an operator resets it (CG-046)."""
    limit = seen.caps.max_drawdown_limit_bps
    return seen.portfolio.latched or reached(stood.drawdown, stood.contributed + stood.peak_pnl, limit)


def breakers(seen: View, stood: Before) -> list[Guard]:
    """UTC day, seven days, drawdown. Day and week lift themselves as their windows move on."""
    caps, portfolio = seen.caps, seen.portfolio
    found = []
    for name, base, loss, bps in (
        ("daily_loss", portfolio.day, stood.day_loss, caps.daily_loss_limit_bps),
        ("weekly_loss", portfolio.week, stood.week_loss, caps.weekly_loss_limit_bps),
    ):
        equity = stood.contributed if base is None else base.equity
        limit = mul_div_floor(equity, bps, BPS)
        tripped = reached(loss, equity, bps)
        found.append(Guard(name, Reason.CIRCUIT_BREAKER_TRIPPED, not (seen.opening and tripped), limit, loss))
    limit = mul_div_floor(stood.contributed + stood.peak_pnl, caps.max_drawdown_limit_bps, BPS)
    tripped = latched(seen, stood)
    found.append(
        Guard("drawdown", Reason.CIRCUIT_BREAKER_TRIPPED, not (seen.opening and tripped), limit, stood.drawdown)
    )
    return found


def exposure_caps(seen: View, added: int) -> list[Guard]:
    """With what would be added: in all, in the market, in a neg-risk event; in EXEC_GLOBAL for the leader (CG-045)."""
    caps, market = seen.caps, seen.inputs.market
    everywhere = exposure(seen.portfolio, seen.marks)
    found = [
        _cap(seen, "exposure_total", caps.max_total_exposure_bps, everywhere + added),
        _cap(seen, "exposure_market", caps.max_exposure_per_market_bps, _in_market(seen) + added),
    ]
    if market.neg_risk and market.event_id:
        found.append(_cap(seen, "exposure_event", caps.max_exposure_per_event_bps, _in_event(seen) + added))
    if seen.scope is Scope.EXEC_GLOBAL:
        his = exposure_for(seen.portfolio, seen.group.followed_user_id, seen.marks)
        found.append(_cap(seen, "exposure_leader", caps.max_exposure_per_user_bps, his + added))
    return found


def _cap(seen: View, name: str, bps: int, after: int) -> Guard:
    code = Reason.RISK_CAP_GLOBAL if seen.scope is Scope.EXEC_GLOBAL else Reason.RISK_CAP_USER
    limit = max(0, mul_div_floor(seen.equity, bps, BPS))
    return Guard(name, code, not seen.opening or after <= limit, limit, after)


def _in_market(seen: View) -> int:
    """Both outcomes count. The market of a token may have become known only after it was bought."""
    market = seen.inputs.market
    found = [
        token
        for token, held in seen.portfolio.holdings.items()
        if token in market.legs or _place(seen, token, held.condition_id)[0] == market.condition_id
    ]
    return exposure(seen.portfolio, seen.marks, found)


def _in_event(seen: View) -> int:
    """The outcomes of a neg-risk event exclude each other, so its markets are one bet."""
    market = seen.inputs.market
    found = [
        token
        for token, held in seen.portfolio.holdings.items()
        if token in market.legs or _place(seen, token, held.condition_id)[1] == market.event_id
    ]
    return exposure(seen.portfolio, seen.marks, found)


def _place(seen: View, token_id: str, condition_id: str) -> tuple[str, str]:
    return seen.inputs.markets.get(token_id, (condition_id, ""))
