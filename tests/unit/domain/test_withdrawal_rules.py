"""Limits, review, settlement, and when a hold may be given back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange import withdrawals as rules
from domain.exchange.messages import Mined
from domain.exchange.withdrawals import WithdrawalPolicy
from domain.shared.errors import Rejected
from domain.shared.ledger import PLATFORM_FEES, Phase, custody, held
from domain.shared.problems import PROBLEMS

USER = "0190a5c2-7f00-7000-8000-000000000001"
POLICY = WithdrawalPolicy(
    minimum_micros=1_000_000,
    fee_micros=0,
    account_daily_micros=5_000_000_000,
    platform_daily_micros=250_000_000_000,
    review_from_micros=1_000_000_000,
    new_address_cooldown_s=0,
)


def code(amount: int, account_used: int = 0, platform_used: int = 0) -> str | None:
    try:
        rules.check_request(amount, POLICY)
        rules.check_limits(amount, account_used, platform_used, POLICY)
    except Rejected as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("amount", "account_used", "platform_used", "refused"),
    [
        (999_999, 0, 0, "amount_below_minimum"),
        (1_000_000, 0, 0, None),
        (5_000_000_000, 0, 0, None),
        (5_000_000_001, 0, 0, "account_daily_limit"),
        (1_000_000, 4_999_000_000, 0, None),
        (1_000_001, 4_999_000_000, 0, "account_daily_limit"),
        (1_000_000, 6_000_000_000, 0, "account_daily_limit"),
        (1_000_000, 0, 249_999_000_000, None),
        (1_000_001, 0, 249_999_000_000, "platform_daily_limit"),
        (1_000_001, 4_999_000_000, 249_999_000_000, "account_daily_limit"),
    ],
)
def test_limits_are_inclusive(amount: int, account_used: int, platform_used: int, refused: str | None) -> None:
    assert code(amount, account_used, platform_used) == refused


def test_the_refusal_says_what_is_left_and_never_less_than_nothing() -> None:
    with pytest.raises(Rejected, match=r"1\.5 USDC are left"):
        rules.check_limits(2_000_000, 4_998_500_000, 0, POLICY)
    with pytest.raises(Rejected, match=r": 0 USDC are left"):
        rules.check_limits(2_000_000, 9_000_000_000, 0, POLICY)


@given(st.integers(1, 10**10), st.integers(0, 10**10), st.integers(0, 10**12))
def test_what_is_allowed_never_passes_a_limit(amount: int, account_used: int, platform_used: int) -> None:
    if code(amount, account_used, platform_used) is None:
        assert amount >= POLICY.minimum_micros
        assert account_used + amount <= POLICY.account_daily_micros
        assert platform_used + amount <= POLICY.platform_daily_micros


@pytest.mark.parametrize(("amount", "review"), [(999_999_999, False), (1_000_000_000, True), (1_000_000_001, True)])
def test_review_starts_at_the_threshold(amount: int, review: bool) -> None:
    assert rules.needs_review(amount, POLICY) is review


def test_a_settlement_spends_the_whole_hold() -> None:
    spent = rules.settlement("w", USER, 42161, amount=7_000_000, fee=0, tx_hash="0xaa")
    assert {p.account: p.amount for p in spent.postings} == {held(USER): -7_000_000, custody(42161, "hot"): 7_000_000}
    assert (spent.phase, spent.resolves, spent.ref) == (Phase.POST, rules.hold_key("w"), "0xaa")


@given(st.integers(1, 10**15), st.integers(0, 10**9))
def test_the_fee_is_the_platforms_and_the_hold_pays_both(amount: int, fee: int) -> None:
    spent = rules.settlement("w", USER, 1, amount, fee, "0xaa")
    lines = {p.account: p.amount for p in spent.postings}
    assert len(lines) == len(spent.postings), "one line per account: the books compare it with the hold"
    assert lines[held(USER)] == -(amount + fee)
    assert lines[custody(1, "hot")] == amount
    assert lines.get(PLATFORM_FEES, 0) == fee


def test_a_hold_is_given_back_only_when_nothing_can_move_any_more() -> None:
    assert {outcome for outcome in Mined if rules.releases(outcome)} == {Mined.REVERTED, Mined.NO_EFFECT}


def test_every_ending_but_success_and_the_open_ones_has_a_code() -> None:
    assert set(rules.FAILURE_CODES) == set(Mined) - {Mined.SUCCESS, Mined.STUCK, Mined.LOST}
    assert len(set(rules.FAILURE_CODES.values())) == len(rules.FAILURE_CODES)


def test_statuses_do_not_overlap() -> None:
    assert not set(rules.OPEN) & set(rules.ENDED)
    assert set(rules.CANCELLABLE) <= set(rules.OPEN)
    assert not {"signed", "broadcast", "confirming"} & set(rules.CANCELLABLE)


def test_refusals_are_known_problems() -> None:
    assert {"amount_below_minimum", "account_daily_limit", "platform_daily_limit"} <= set(PROBLEMS)
