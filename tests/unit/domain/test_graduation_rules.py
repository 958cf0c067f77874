"""Graduation, the mint's fee, vesting and the pool as rules: nothing appears and nothing is lost."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from domain.launchpad import constant_product, curves
from domain.launchpad.curves import Curve, Shape
from domain.launchpad.graduation import POOL_LEAST, graduation
from domain.launchpad.transfer_fee import NO_FEE, TransferFee, after_fee, before_fee
from domain.launchpad.vesting import vested

SOL = 10**9
PLAIN = Curve(Shape.LINEAR, 100 * SOL, 300 * SOL, 400_000_000 * 10**6, 6)
LIQUIDITY = 250_000_000 * 10**6
AMOUNTS = st.integers(0, 2**64 - 1)
FEES = st.builds(TransferFee, st.integers(0, 500), AMOUNTS)


@given(FEES, AMOUNTS)
def test_what_is_sent_for_an_amount_brings_exactly_that(fee: TransferFee, amount: int) -> None:
    sent = before_fee(fee, amount)
    assert after_fee(fee, sent) == amount
    if sent:
        assert after_fee(fee, sent - 1) < amount


@given(st.integers(0, PLAIN.supply), st.sampled_from(Shape), st.integers(0, 500))
def test_every_lamport_and_token_of_a_graduation_is_accounted_for(sold: int, shape: Shape, bps: int) -> None:
    curve, fee = PLAIN._replace(shape=shape), TransferFee(bps)
    plan = graduation(curve, sold, LIQUIDITY, fee)
    raised = curves.reserve(curve, sold)
    assert plan.pool_lamports + plan.unpooled + plan.vested_lamports == raised
    assert plan.sent + plan.burned == LIQUIDITY + curve.supply - sold
    assert (after_fee(fee, plan.sent), after_fee(fee, plan.arrived)) == (plan.arrived, plan.pool_tokens)
    assert plan.vested_lamports == raised - raised * 7 // 10
    if plan.pool_lamports:
        assert plan.unpooled == 0
        assert plan.pool_lamports * plan.pool_tokens >= POOL_LEAST
    else:
        assert plan.burned == LIQUIDITY + curve.supply - sold


@given(st.integers(10**6, PLAIN.supply), st.sampled_from(Shape))
def test_the_pool_opens_at_the_price_the_curve_ended_with(sold: int, shape: Shape) -> None:
    """Never below it; above it by less than one base unit's rounding."""
    curve = PLAIN._replace(shape=shape)
    plan = graduation(curve, sold, 2 * LIQUIDITY)
    assume(plan.pool_lamports)
    price, unit = curves.spot(curve, sold), 10 ** (9 + curve.decimals)
    assert Fraction(plan.pool_lamports * unit, plan.pool_tokens + 1) < price
    assert price <= Fraction(plan.pool_lamports * unit, plan.pool_tokens)


def test_terms_that_just_suffice_suffice_with_the_fee_too() -> None:
    """The least liquidity creation accepts is enough at every end of the sale."""
    fee = TransferFee(100)
    least = before_fee(fee, before_fee(fee, curves.pool_tokens(PLAIN, PLAIN.supply)))
    assert curves.can_graduate(PLAIN, PLAIN.supply, least, fee)
    assert not curves.can_graduate(PLAIN, PLAIN.supply, least - 1, fee)
    assert curves.can_graduate(PLAIN, PLAIN.supply, least - 1, NO_FEE)
    for sold in range(PLAIN.supply // 100, PLAIN.supply + 1, PLAIN.supply // 100):
        assert graduation(PLAIN, sold, least, fee).pool_tokens == curves.pool_tokens(PLAIN, sold)


@given(AMOUNTS, st.integers(0, 10**9), st.integers(0, 10**9), st.lists(st.integers(0, 2 * 10**9)))
def test_what_vests_only_grows(whole: int, cliff: int, more: int, times: list[int]) -> None:
    amounts = [vested(whole, elapsed, cliff, cliff + more) for elapsed in sorted(times)]
    assert amounts == sorted(amounts)
    assert all(0 <= amount <= whole for amount in amounts)
    assert vested(whole, cliff + more, cliff, cliff + more) == whole
    if more:
        assert vested(whole, cliff, cliff, cliff + more) == 0


@given(st.integers(1, 10**18), st.integers(1, 10**18), st.integers(1, 10**18))
def test_a_swap_never_lowers_the_product(amount: int, reserve_in: int, reserve_out: int) -> None:
    swap = constant_product.swap(amount, reserve_in, reserve_out)
    stays = amount - swap.protocol - swap.fund
    assert (reserve_in + stays) * (reserve_out - swap.out) >= reserve_in * reserve_out
    assert 0 <= swap.out < reserve_out


@given(st.integers(1, 10**15), st.integers(10**3, 10**18), st.integers(10**3, 10**18))
def test_there_and_back_never_gains(amount: int, reserve_in: int, reserve_out: int) -> None:
    there = constant_product.swap(amount, reserve_in, reserve_out)
    held = reserve_in + amount - there.protocol - there.fund
    assert constant_product.swap(there.out, reserve_out - there.out, held).out <= amount


def test_the_claim_on_a_pool_is_the_root_of_its_product() -> None:
    """chains.md 3.2; a hundred of it belong to nobody."""
    assert constant_product.initial_claim(4 * 10**9, 10**10) == 6_324_555_320 - 100
    assert constant_product.initial_claim(100, 100) == 0
