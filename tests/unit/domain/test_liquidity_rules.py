"""Vesting, caps, the pool's limit and its queue, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.exchange import funding, liquidity, vesting
from domain.exchange.funding import Ask, Round
from domain.exchange.liquidity import Payout, Pool, Position, Waiting
from domain.exchange.vesting import Grant, LpPolicy, Standing, Step
from domain.shared.errors import Rejected

USDC = 10**6
T0 = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
POLICY = LpPolicy()
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("days", "percent"),
    [(0, 0), (6, 0), (7, 25), (29, 25), (30, 50), (89, 50), (90, 75), (179, 75), (180, 100), (999, 100)],
)
def test_a_contribution_vests_by_its_age(days: int, percent: int) -> None:
    assert vesting.vested(POLICY.steps, [Grant(400 * USDC, T0)], T0 + days * DAY) == 4 * percent * USDC


def test_a_step_counts_from_its_first_moment_and_rounds_down() -> None:
    grants = [Grant(7, T0)]
    assert vesting.vested(POLICY.steps, grants, T0 + 7 * DAY - timedelta(microseconds=1)) == 0
    assert vesting.vested(POLICY.steps, grants, T0 + 7 * DAY) == 1


def test_d6_each_contribution_vests_by_itself() -> None:
    """D6: an old cent does not make a fresh fortune vest."""
    grants = [Grant(USDC, T0), Grant(10_000 * USDC, T0 + 180 * DAY)]
    assert vesting.vested(POLICY.steps, grants, T0 + 180 * DAY) == USDC
    coming = vesting.next_vesting(POLICY.steps, grants, T0 + 180 * DAY)
    assert coming == (T0 + 187 * DAY, 2_500 * USDC)
    assert vesting.next_vesting(POLICY.steps, grants, T0 + 360 * DAY) is None


def test_d4_d5_pending_and_instant_withdrawals_count() -> None:
    """D4, D5."""
    assert Standing(vested=1_000, withdrawn=300, pending=650).queueable == 50
    assert Standing(vested=1_000, withdrawn=900, pending=650).queueable == 0
    assert Standing(vested=1_000).instant_available(2_500) == 250
    assert Standing(vested=1_000, withdrawn=200, instant=200).instant_available(2_500) == 50
    assert Standing(vested=1_000, withdrawn=300, instant=300).instant_available(2_500) == 0
    assert Standing(vested=1_000, withdrawn=900).instant_available(2_500) == 100


def test_beyond_vested_names_the_next_date() -> None:
    found = vesting.standing(POLICY, [Grant(1_000 * USDC, T0)], T0 + 8 * DAY, withdrawn=0, instant=0, pending=0)
    vesting.check_vested(found, 250 * USDC)
    with pytest.raises(Rejected) as refused:
        vesting.check_vested(found, 250 * USDC + 1)
    assert refused.value.code == "not_vested"
    assert refused.value.data == {
        "available_usdc": "250",
        "next_vesting_at": "2026-12-21T04:00:00Z",
        "next_vesting_usdc": "250",
    }


@pytest.mark.parametrize("text", ["", "7", "7:0", "7:2500,7:5000", "7:5000,30:2500", "7:2500,30:10001", "-1:5"])
def test_a_vesting_table_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        vesting.parse_steps(text)


def test_the_default_table_is_the_settings_own() -> None:
    assert vesting.parse_steps("7:2500,30:5000,90:7500,180:10000") == POLICY.steps
    assert vesting.parse_steps("0:10000") == (Step(0, 10_000),)


def open_round(raised: int = 0) -> Round:
    return Round("funding", raised, 100, 250, T0)


@pytest.mark.parametrize(
    ("found", "amount", "code"),
    [
        (open_round(), 250, None),
        (open_round(), 251, "hard_cap_exceeded"),
        (open_round(99), 152, "hard_cap_exceeded"),
        (open_round()._replace(status="active"), 1, "funding_closed"),
        (open_round()._replace(status="cancelled"), 1, "funding_closed"),
        (open_round(), 10**9, "hard_cap_exceeded"),
    ],
)
def test_contributions_are_refused_whole(found: Round, amount: int, code: str | None) -> None:
    assert funding.refusal(found, amount, 10**9, T0 - DAY) == code


def test_the_deadline_itself_is_too_late() -> None:
    moment = timedelta(microseconds=1)
    assert funding.refusal(open_round(), 1, 9, T0 - moment) is None
    assert funding.refusal(open_round(), 1, 9, T0) == "funding_closed"
    assert (funding.has_failed(open_round(), T0 - moment), funding.has_failed(open_round(), T0)) == (False, True)
    assert not funding.has_failed(open_round()._replace(status="active"), T0 + DAY)


def test_a_batch_is_decided_in_order_and_stops_at_the_soft_cap() -> None:
    asks = [Ask("1", "a", 60), Ask("2", "a", 30), Ask("3", "b", 300), Ask("4", "b", 40), Ask("5", "b", 1)]
    done = funding.admit(open_round(), asks, {"a": 80, "b": 400}, T0 - DAY)
    codes = [verdict.code for verdict in done.verdicts]
    assert codes == [None, "insufficient_funds", "hard_cap_exceeded", None, "funding_closed"]
    assert (done.round.status, done.round.raised) == ("active", 100)


def test_headroom_is_a_tenth_of_the_principal_at_the_start_of_the_window() -> None:
    pool = Pool(1_000 * USDC, (), 1_000)
    assert liquidity.headroom(pool, T0) == 100 * USDC
    after = Pool(960 * USDC, (Payout(T0, 40 * USDC),), 1_000)
    assert liquidity.headroom(after, T0 + timedelta(hours=23)) == 60 * USDC
    assert liquidity.headroom(after, T0 + DAY) == 96 * USDC
    spent = Pool(900 * USDC, (Payout(T0, 100 * USDC),), 1_000)
    assert liquidity.headroom(spent, T0 + timedelta(hours=1)) == 0
    assert liquidity.returns_at(spent, T0 + timedelta(hours=1)) == T0 + DAY


def test_the_last_of_a_pool_can_leave() -> None:
    assert liquidity.headroom(Pool(50_000, (), 1_000), T0) == 10_000
    assert liquidity.headroom(Pool(9, (), 1_000), T0) == 9


def test_the_queue_is_paid_in_order_and_nobody_overtakes() -> None:
    queue = [Waiting("a", 80 * USDC, T0), Waiting("b", 50 * USDC, T0), Waiting("c", 1, T0)]
    found = liquidity.plan(Pool(1_000 * USDC, (), 1_000), queue, T0)
    assert found.payments == (("a", 80 * USDC), ("b", 20 * USDC))
    assert found.look_at == T0 + DAY
    later = [Waiting("a", 1, T0 + DAY), Waiting("b", 1, T0)]
    assert liquidity.plan(Pool(1_000 * USDC, (), 1_000), later, T0) == ((), T0 + DAY)
    assert liquidity.plan(Pool(1_000 * USDC, (), 1_000), queue[2:], T0) == ((("c", 1),), None)


def test_an_instant_payment_leaves_the_headroom_to_those_whose_time_has_come() -> None:
    pool = Pool(1_000 * USDC, (), 1_000)
    assert liquidity.instant_part(pool, 70 * USDC, 60 * USDC, T0) == 60 * USDC
    assert liquidity.instant_part(pool, 700 * USDC, 600 * USDC, T0) == 100 * USDC
    assert liquidity.instant_part(pool, 70 * USDC, 60 * USDC, T0, due=90 * USDC) == 10 * USDC
    assert liquidity.instant_part(pool, 1, 1, T0, due=101 * USDC) == 0


def test_fees_are_settled_before_shares_change() -> None:
    index = 10**17  # a tenth of a micro per share micro
    found = liquidity.paid_out(Position(shares=100, contributed=100), index, 40, instant=True)
    assert (found.shares, found.owed, found.withdrawn, found.instant) == (60, 10, 40, 40)
    found, owed = liquidity.claimed(found, 2 * index)
    assert (owed, found.owed, found.claimed) == (16, 0, 16)
    assert liquidity.claimed(found, 2 * index)[1] == 0
