"""The price formula (CG-007, EX-060…065) and the breaker on the display price (EX-080, EX-081)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange.prices import Bucket, Window, window_of
from domain.exchange.pricing import PICO, Breach, Policy, bounded, breach, decayed, display, moved, weight_bps
from domain.exchange.ticks import (
    Applied,
    Known,
    Market,
    Signal,
    Tick,
    applied,
    cause_of,
    due_in_ms,
    guarded,
    quiet_price,
    tick_of,
)
from domain.shared.money import USDC_ONE

V0 = 1_000 * USDC_ONE
POLICY = Policy(beta_millionths=200_000, volume_scale=V0, delta_cap_bps=500)
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
PRICES = st.integers(1, 10**15)


@pytest.mark.parametrize(
    ("volume", "weight"),
    [(0, 5_000), (V0, 7_500), (3 * V0, 8_750), (9 * V0, 9_500), (9 * V0 - 1, 9_499), (19 * V0, 9_500), (10**18, 9_500)],
)
def test_weight_grows_with_volume_from_a_half_to_the_most(volume: int, weight: int) -> None:
    assert weight_bps(volume, POLICY) == weight


def test_weight_when_degraded_is_95_percent_whatever_the_volume() -> None:
    assert {weight_bps(volume, POLICY, degraded=True) for volume in (0, V0, 10**18)} == {9_500}


@given(st.integers(0, 10**18), st.integers(1, 10**15))
def test_weight_stays_between_its_bounds(volume: int, scale: int) -> None:
    assert 2_000 <= weight_bps(volume, POLICY._replace(volume_scale=scale)) <= 9_500


def test_display_is_the_weighed_mean_rounded_down() -> None:
    assert display(2_000_000, 1_000_000 * PICO, 7_500) == 1_750_000
    assert display(1, 2 * PICO, 5_000) == 1
    assert display(3_000_001, 3_000_000 * PICO, 5_000) == 3_000_000


@given(PRICES, PRICES, st.integers(2_000, 9_500))
def test_display_lies_between_market_and_fundamental(market: int, fundamental: int, weight: int) -> None:
    shown = display(market, fundamental * PICO, weight)
    assert min(market, fundamental) <= shown <= max(market, fundamental)


@given(PRICES, st.integers(2_000, 9_500))
def test_display_of_equal_prices_is_that_price(price: int, weight: int) -> None:
    assert display(price, price * PICO, weight) == price


def test_one_signal_moves_the_fundamental_by_beta_of_its_delta() -> None:
    assert moved(1_000_000 * PICO, 500, POLICY) == 1_010_000 * PICO
    assert moved(1_000_000 * PICO, -500, POLICY) == 990_000 * PICO
    assert moved(1_000_000 * PICO, 0, POLICY) == 1_000_000 * PICO


def test_a_move_smaller_than_a_micro_is_kept() -> None:
    """A price of one micro moved by one basis point, times β."""
    assert moved(1 * PICO, 1, POLICY) == PICO + 20


@given(st.integers(1, 10**22), st.integers(-3_000, 3_000))
def test_the_fundamental_never_falls_to_nothing(fundamental: int, delta: int) -> None:
    assert moved(fundamental, delta, POLICY) >= 1


@pytest.mark.parametrize(
    ("asked", "cap", "allowed"),
    [(499, 500, 499), (501, 500, 500), (-900, 500, -500), (3_500, 9_999, 3_000), (-3_500, 9_999, -3_000)],
)
def test_a_signal_is_bounded_by_the_cap_and_by_30_percent_at_most(asked: int, cap: int, allowed: int) -> None:
    assert bounded(asked, POLICY._replace(delta_cap_bps=cap)) == allowed


def test_decay_is_off_by_default_and_goes_towards_the_market_when_on() -> None:
    start = 1_000_000 * PICO
    assert decayed(start, 2_000_000, 3_600_000, POLICY) == start
    half = POLICY._replace(decay_bps=5_000)
    assert decayed(start, 2_000_000, 3_600_000, half) == 1_500_000 * PICO
    assert decayed(start, 2_000_000, 360_000, half) == 1_050_000 * PICO
    assert decayed(start, 2_000_000, 86_400_000, half) == 2_000_000 * PICO
    assert decayed(3_000_000 * PICO, 2_000_000, 3_600_000, half) == 2_500_000 * PICO


@given(PRICES, PRICES, st.integers(0, 10**9), st.integers(0, 10_000))
def test_decay_never_passes_the_market(fundamental: int, market: int, elapsed: int, rate: int) -> None:
    there = decayed(fundamental * PICO, market, elapsed, POLICY._replace(decay_bps=rate))
    assert min(fundamental, market) * PICO <= there <= max(fundamental, market) * PICO


# --- the breaker on the display price ---------------------------------------------------------------------------------


def test_ex_080_a_change_beyond_the_limit_trips_and_one_at_it_does_not() -> None:
    standing = 1_000_000
    assert breach(Window(), standing, 1_150_000, 1_500) is None
    assert breach(Window(), standing, 1_150_001, 1_500) == Breach(standing, 1_150_001, 1_500)
    assert breach(Window(), standing, 849_999, 1_500) == Breach(standing, 849_999, -1_501)
    assert breach(Window(), standing, 10_000_000, 0) is None


def test_cg_006_small_steps_do_not_add_up_unseen() -> None:
    """Five steps of −14 % took 100 to 47 where only the last tick was compared."""
    buckets = (Bucket(0, 100_000_000, 100_000_000), Bucket(10, 86_000_000, 86_000_000))
    assert breach(window_of(buckets), 86_000_000, 74_000_000, 1_500) == Breach(100_000_000, 74_000_000, -2_600)


def test_a_breach_tells_the_price_it_jumped_furthest_from() -> None:
    window = window_of((Bucket(0, 80, 90), Bucket(5, 95, 100)))
    assert breach(window, 100, 130, 1_500) == Breach(80, 130, 6_250)
    assert breach(window, 80, 60, 1_500) == Breach(100, 60, -4_000)


# --- a tick -----------------------------------------------------------------------------------------------------------

KNOWN = Known(
    fundamental_pico=1_000_000 * PICO,
    display_micros=1_000_000,
    market_micros=1_000_000,
    volume_5m_micros=0,
    degraded_until=None,
    verdict=0,
    guarded_from=None,
    ticked_at=NOW - timedelta(seconds=10),
    now=NOW,
)
"""Ten seconds after a tick of an asset at P0 = 1."""
QUIET = Market(
    symbol="T", status="active", p0_micros=1_000_000, k_atto=10**16, supply_atto=0, verdicts=0, breaker_bps=1_500,
    trades=0, volume=0, recent=0, low=None, high=None, left_behind=0,
)  # fmt: skip
BOUGHT = QUIET._replace(
    supply_atto=100 * 10**18, verdicts=1, trades=1, volume=V0, recent=V0, low=2_000_000, high=2_000_000
)


def test_nothing_new_and_a_young_tick_is_no_reason_to_tick() -> None:
    assert cause_of(KNOWN, QUIET, [], 60) is None
    assert due_in_ms(KNOWN, 60) == 50_000


def test_causes_in_order_of_weight() -> None:
    assert cause_of(KNOWN, QUIET, [Signal("s", 100)], 60) == "oracle"
    assert cause_of(KNOWN, BOUGHT, [Signal("s", 100)], 60) == "oracle"
    assert cause_of(KNOWN, BOUGHT, [], 60) == "trade"
    assert cause_of(KNOWN, QUIET, [], 10) == "heartbeat"
    assert cause_of(KNOWN._replace(ticked_at=None), QUIET, [], 60) == "heartbeat"


def test_ex_064_without_signals_the_fundamental_stays_and_prices_go_on() -> None:
    tick = tick_of(KNOWN, BOUGHT, [], "trade", POLICY)
    assert (tick.fundamental_pico, tick.market_micros) == (KNOWN.fundamental_pico, 2_000_000)
    assert (tick.weight_bps, tick.display_micros) == (7_500, 1_750_000)
    assert (tick.volume_micros, tick.volume_5m_micros) == (V0, V0)


def test_volume_that_grew_old_weighs_no_more() -> None:
    known = KNOWN._replace(volume_5m_micros=5 * V0)
    tick = tick_of(known, QUIET._replace(left_behind=4 * V0), [], "heartbeat", POLICY)
    assert (tick.volume_5m_micros, tick.weight_bps) == (V0, 7_500)


def test_ex_065_degraded_means_95_percent_until_it_expires_or_a_signal_comes() -> None:
    known = KNOWN._replace(degraded_until=NOW + timedelta(seconds=1))
    assert tick_of(known, QUIET, [], "heartbeat", POLICY).weight_bps == 9_500
    assert tick_of(known._replace(degraded_until=NOW), QUIET, [], "heartbeat", POLICY).weight_bps == 5_000
    tick = tick_of(known, QUIET, applied(known, [Signal("s", 100)], POLICY), "oracle", POLICY)
    assert (tick.weight_bps, tick.cleared) == (5_000, True)


def test_d21_signals_are_applied_one_after_the_other_none_is_lost() -> None:
    """Two events that recompute from the same read lose one; here each starts from what the one before left."""
    moves = applied(KNOWN, [Signal("a", 500), Signal("b", 500), Signal("c", -9_999)], POLICY)
    start = KNOWN.fundamental_pico
    assert moves == [
        Applied("a", 500, start, start * 101 // 100),
        Applied("b", 500, start * 101 // 100, start * 10_201 // 10_000),
        Applied("c", -500, start * 10_201 // 10_000, start * 1_009_899 // 1_000_000),
    ]
    assert tick_of(KNOWN, QUIET, moves, "oracle", POLICY).fundamental_pico == moves[-1].after_pico


def checked(
    known: Known, market: Market, tick: Tick, *buckets: Bucket, moves: list[Applied] | None = None
) -> Breach | None:
    return guarded(known, market, buckets, quiet_price(known, market, moves or [], POLICY), tick)[1]


def test_ex_081_the_first_tick_with_a_fill_never_trips_and_arms_the_breaker() -> None:
    tick = tick_of(KNOWN, BOUGHT, [], "trade", POLICY)
    assert tick.display_micros == 1_750_000
    assert checked(KNOWN, BOUGHT, tick) is None
    assert tick.guarded_from == NOW
    assert KNOWN.window_from is None


def test_a_later_tick_is_compared_with_the_minute_before_it() -> None:
    known = KNOWN._replace(guarded_from=NOW - timedelta(seconds=300))
    tick = tick_of(known, BOUGHT, [], "trade", POLICY)
    assert checked(known, BOUGHT, tick) == Breach(1_000_000, 1_750_000, 7_500)
    assert known.window_from == NOW - timedelta(seconds=61)
    # as if 2.2 had been the market price of the last tick: then 1.6 is shown without news as well
    calm = known._replace(display_micros=1_600_000, market_micros=2_200_000)
    second = int(NOW.timestamp())
    assert checked(calm, BOUGHT, tick, Bucket(second - 61, 1_000_000, 1_000_000)) is None
    assert checked(calm, BOUGHT, tick, Bucket(second - 60, 1_500_000, 1_500_000)) == Breach(1_500_000, 1_750_000, 1_666)


def test_a_breach_starts_the_minute_anew() -> None:
    known = KNOWN._replace(guarded_from=NOW - timedelta(seconds=300))
    tick = tick_of(known, BOUGHT, [], "trade", POLICY)
    after, breach = guarded(known, BOUGHT, [], quiet_price(known, BOUGHT, [], POLICY), tick)
    assert breach is not None
    assert after.guarded_from == NOW


@pytest.mark.parametrize("status", ["halted", "funding", "cancelled"])
def test_what_does_not_trade_is_not_halted(status: str) -> None:
    known = KNOWN._replace(guarded_from=NOW - timedelta(seconds=300))
    market = BOUGHT._replace(status=status)
    assert checked(known, market, tick_of(known, market, [], "trade", POLICY)) is None


OLD_BURST = KNOWN._replace(
    guarded_from=NOW - timedelta(seconds=300), display_micros=9_550_000, market_micros=10_000_000,
    volume_5m_micros=9 * V0,
)  # fmt: skip
"""Market 10, fundamental 1, weight 0.95: all of the volume is about to grow old."""
GONE = QUIET._replace(supply_atto=900 * 10**18, left_behind=9 * V0)


def test_time_alone_halts_nothing_and_the_minute_begins_anew() -> None:
    """A burst of volume grows old: the weight falls, and the price by more than the breaker allows."""
    tick = tick_of(OLD_BURST, GONE, [], "heartbeat", POLICY)
    assert tick.display_micros == quiet_price(OLD_BURST, GONE, [], POLICY) == 5_500_000
    after, breach = guarded(OLD_BURST, GONE, [], 5_500_000, tick)
    assert (after.guarded_from, breach) == (NOW, None)


def test_a_trade_after_a_quiet_drop_is_compared_with_the_quiet_price() -> None:
    small = GONE._replace(trades=1, volume=V0 // 20, recent=V0 // 20, low=10_000_000, high=10_000_000, verdicts=1)
    tick = tick_of(OLD_BURST, small, [], "trade", POLICY)
    assert 5_500_000 < tick.display_micros < 6_000_000
    assert checked(OLD_BURST, small, tick) is None
    large = small._replace(volume=V0, recent=V0)
    tick = tick_of(OLD_BURST, large, [], "trade", POLICY)
    assert checked(OLD_BURST, large, tick) == Breach(5_500_000, 7_750_000, 4_090)


@pytest.mark.parametrize("silent", [True, False])
def test_an_oracle_that_falls_silent_or_comes_back_halts_nothing(silent: bool) -> None:
    until = NOW + timedelta(seconds=3_600) if silent else None
    known = KNOWN._replace(
        guarded_from=NOW - timedelta(seconds=300), degraded_until=until, market_micros=2_000_000,
        display_micros=1_500_000 if silent else 1_950_000,
    )  # fmt: skip
    market = QUIET._replace(supply_atto=100 * 10**18)
    moves = [] if silent else applied(known, [Signal("s", 500)], POLICY)
    tick = tick_of(known, market, moves, "heartbeat" if silent else "oracle", POLICY)
    assert tick.display_micros == (1_950_000 if silent else 1_505_000)
    assert checked(known, market, tick, moves=moves) is None


def test_the_worked_example_of_the_documentation() -> None:
    """docs/concepts/prices.md."""
    bought = BOUGHT._replace(volume=150 * USDC_ONE, recent=150 * USDC_ONE)
    first = tick_of(KNOWN, bought, [], "trade", POLICY)
    assert (first.market_micros, first.weight_bps, first.display_micros) == (2_000_000, 5_652, 1_565_200)
    known = KNOWN._replace(market_micros=2_000_000, display_micros=1_565_200, volume_5m_micros=150 * USDC_ONE)
    still = QUIET._replace(supply_atto=100 * 10**18)
    moves = applied(known, [Signal("s", 500)], POLICY)
    second = tick_of(known, still, moves, "oracle", POLICY)
    assert (second.fundamental_pico, second.display_micros) == (1_010_000 * PICO, 1_569_548)
    known = known._replace(fundamental_pico=second.fundamental_pico)
    old = still._replace(left_behind=150 * USDC_ONE)
    assert tick_of(known, old, [], "heartbeat", POLICY).display_micros == 1_505_000
    known = known._replace(degraded_until=NOW + timedelta(seconds=3_600))
    assert tick_of(known, old, [], "heartbeat", POLICY).display_micros == 1_950_500
