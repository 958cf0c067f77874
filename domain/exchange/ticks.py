"""One tick of the price engine, as a function of what it knew, what was traded since, and the signals that wait.

Amounts in USDC micros, F in pico-USDC. Source: EX-060…065, EX-080, EX-081, exchange.md 10 and 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from domain.exchange import curve, prices, pricing
from domain.exchange.curve import Curve
from domain.exchange.prices import Bucket, Window
from domain.exchange.pricing import Breach, Policy

Cause = Literal["trade", "oracle", "heartbeat"]
MILLISECOND: Final = timedelta(milliseconds=1)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Known(NamedTuple):
    """What the last tick left behind; `now` is the time of the next one, never before the last.

    `guarded_from`: ticks from here on count for the breaker; None before the first fill, which never trips (EX-081).
    """

    fundamental_pico: int
    display_micros: int
    market_micros: int
    volume_5m_micros: int
    degraded_until: datetime | None
    verdict: int
    guarded_from: datetime | None
    ticked_at: datetime | None
    now: datetime

    @property
    def horizon(self) -> datetime:
        """What was traded until then is too old to count."""
        return self.now - timedelta(seconds=pricing.VOLUME_S)

    @property
    def horizon_before(self) -> datetime:
        return (self.ticked_at or _NEVER) - timedelta(seconds=pricing.VOLUME_S if self.ticked_at else 0)

    @property
    def window_from(self) -> datetime | None:
        """The first tick whose price the next one is compared with."""
        minute = self.now - timedelta(seconds=prices.WINDOW_S + 1)
        return None if self.guarded_from is None else max(self.guarded_from, minute)

    @property
    def age(self) -> timedelta:
        """Since the last tick."""
        return self.now - (self.ticked_at or _NEVER)


class Market(NamedTuple):
    """The asset as committed, and what was traded since the last tick: `trades` fills, from `low` to `high`.

    `recent` is what of `volume` is younger than five minutes; `left_behind` what of the volume known has grown too old.
    """

    symbol: str
    status: str
    p0_micros: int
    k_atto: int
    supply_atto: int
    verdicts: int
    breaker_bps: int
    trades: int
    volume: int
    recent: int
    low: int | None
    high: int | None
    left_behind: int


class Signal(NamedTuple):
    """An accepted signal: its move, not bounded yet."""

    id: str
    delta_bps: int


class Applied(NamedTuple):
    """What a signal did to F."""

    id: str
    applied_bps: int
    before_pico: int
    after_pico: int


class Tick(NamedTuple):
    """A tick to be written. `cleared`: a valid signal ends the degradation (CG-009)."""

    cause: Cause
    display_micros: int
    market_micros: int
    market_low_micros: int
    market_high_micros: int
    volume_micros: int
    fundamental_pico: int
    weight_bps: int
    volume_5m_micros: int
    verdict: int
    guarded_from: datetime | None
    cleared: bool
    ticked_at: datetime


def due_in_ms(known: Known, heartbeat_s: int) -> int:
    """Until a tick is due without news; 0 or less: now."""
    return heartbeat_s * 1000 - known.age // MILLISECOND


def cause_of(known: Known, market: Market, signals: Sequence[Signal], heartbeat_s: int) -> Cause | None:
    """Why a tick is written now; None: there is nothing to tell."""
    if signals:
        return "oracle"
    if market.trades:
        return "trade"
    return "heartbeat" if due_in_ms(known, heartbeat_s) <= 0 else None


def applied(known: Known, signals: Sequence[Signal], policy: Policy) -> list[Applied]:
    """Every signal that waits, one after the other."""
    done: list[Applied] = []
    fundamental = known.fundamental_pico
    for signal in signals:
        delta = pricing.bounded(signal.delta_bps, policy)
        after = pricing.moved(fundamental, delta, policy)
        done.append(Applied(signal.id, delta, fundamental, after))
        fundamental = after
    return done


def tick_of(known: Known, market: Market, moves: Sequence[Applied], cause: Cause, policy: Policy) -> Tick:
    """The tick's numbers: M from the curve, V of five minutes, F after the signals, w, D."""
    spot = curve.spot(Curve(market.p0_micros, market.k_atto), market.supply_atto)
    fundamental = moves[-1].after_pico if moves else known.fundamental_pico
    fundamental = _decayed(known, fundamental, spot, policy)
    volume = known.volume_5m_micros + market.recent - market.left_behind
    weight = pricing.weight_bps(volume, policy, degraded=_degraded(known, moves))
    first_fill = known.guarded_from is None and market.trades > 0
    return Tick(
        cause=cause,
        display_micros=pricing.display(spot, fundamental, weight),
        market_micros=spot,
        market_low_micros=spot if market.low is None else market.low,
        market_high_micros=spot if market.high is None else market.high,
        volume_micros=market.volume,
        fundamental_pico=fundamental,
        weight_bps=weight,
        volume_5m_micros=volume,
        verdict=market.verdicts,
        guarded_from=known.now if first_fill else known.guarded_from,
        cleared=bool(moves),
        ticked_at=known.now,
    )


def quiet_price(known: Known, market: Market, moves: Sequence[Applied], policy: Policy) -> int:
    """What would be shown now without any news: older volume, and the degradation as it stands."""
    fundamental = _decayed(known, known.fundamental_pico, known.market_micros, policy)
    volume = known.volume_5m_micros - market.left_behind
    weight = pricing.weight_bps(volume, policy, degraded=_degraded(known, moves))
    return pricing.display(known.market_micros, fundamental, weight)


def guarded(
    known: Known, market: Market, buckets: Sequence[Bucket], quiet: int, tick: Tick
) -> tuple[Tick, Breach | None]:
    """Whether the news in a tick jump too far from the last minute's display prices; and from when ticks count next.

    Time alone halts nothing: when already the quiet price is too far from that minute (a burst of volume has grown old,
    the oracle fell silent or came back), the news are compared with the quiet price only, and the minute begins anew.
    """
    if known.guarded_from is None:
        return tick, None
    window = prices.at_second(prices.window_of(tuple(buckets)), int(known.now.timestamp()))
    standing = known.display_micros
    if pricing.breach(window, standing, quiet, market.breaker_bps) is not None:
        window, standing = Window(), quiet
        tick = tick._replace(guarded_from=known.now)
    if market.status != "active":
        return tick, None
    breach = pricing.breach(window, standing, tick.display_micros, market.breaker_bps)
    return (tick, None) if breach is None else (tick._replace(guarded_from=known.now), breach)


def _decayed(known: Known, fundamental: int, spot: int, policy: Policy) -> int:
    if known.ticked_at is None:
        return fundamental
    return pricing.decayed(fundamental, spot, known.age // MILLISECOND, policy)


def _degraded(known: Known, moves: Sequence[Applied]) -> bool:
    return not moves and known.degraded_until is not None and known.degraded_until > known.now
