"""What a token is worth, what a cycle burns, what a vault must hold: the rules, without a chain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.launchpad import curves
from domain.launchpad.constant_product import swap
from domain.launchpad.curves import Curve, Shape
from domain.launchpad.folding import Totals
from domain.launchpad.market import Books, worth
from domain.launchpad.reconcile import SaleOnBooks, SaleOnChain, compare, vault_least
from domain.launchpad.sale import OnChain, SaleKeys, SaleState, Terms, VestingState
from domain.launchpad.tax_cycle import Burn, Pool, burn_of, pays_out

SOL = 10**9
UNITS = 10**6
CURVE = Curve(Shape.LINEAR, 100 * SOL, 300 * SOL, 400_000_000 * UNITS, 6)
MOST = curves.sellable(CURVE, 50 * SOL)
TERMS = Terms(
    start_price=CURVE.start, target_price=CURVE.target, sale_supply=CURVE.supply, liquidity_supply=250_000_000 * UNITS,
    team_supply=150_000_000 * UNITS, other_supply=200_000_000 * UNITS, soft_cap=10 * SOL, hard_cap=50 * SOL,
    max_wallet=0, starts_at=0, ends_at=1_000, cliff_seconds=0, vest_seconds=1, most=MOST, tax_bps=200,
    referral_bps=2_500, shape=0, decimals=6,
)  # fmt: skip
SUPPLY = 10**9 * UNITS
KEYS = SaleKeys(address="s", mint="m", vault="v", token_program="t", creator="c", platform="p")


def state(sold: int = 100_000_000 * UNITS, **change: object) -> SaleState:
    counters = dict.fromkeys(
        ("held", "tax_held", "marketing_due", "treasury_due", "burn_due", "rewards_due", "referral_due", "rent",
         "tax_total", "burned", "other_due", "pooled_lamports", "pooled_tokens"), 0)  # fmt: skip
    names = dict.fromkeys(("marketing", "treasury", "rewards", "other_owner", "pool_program", "amm_config"), "x")
    return SaleState.model_validate(
        {**KEYS.model_dump(), **names, **counters, "terms": TERMS, "status": OnChain.ACTIVE, "latched": True,
         "reclaimed": False, "sold": sold, "raised": curves.reserve(CURVE, sold), **change}
    )  # fmt: skip


def test_worth_is_price_times_what_exists() -> None:
    sold = 100_000_000 * UNITS
    raised = curves.reserve(CURVE, sold)
    found = worth(CURVE, Books(SUPPLY, sold, MOST, raised, 10 * SOL))
    assert found.spot == 150 * SOL
    assert found.market_cap == 150 * SOL
    assert found.liquidity == raised == 12_500_000_000
    assert (found.progress_bps, found.soft_cap_bps) == (sold * 10_000 // MOST, 10_000)
    half = worth(CURVE, Books(SUPPLY // 2, sold, MOST, raised, 100 * SOL, pooled=7))
    assert (half.market_cap, half.liquidity, half.soft_cap_bps) == (75 * SOL, 7, 1_250)


def test_nothing_stands_behind_a_graduated_token_without_a_pool() -> None:
    assert worth(CURVE, Books(SUPPLY, 1, MOST, 5, 10 * SOL, graduated=True)).liquidity == 0


@given(st.integers(0, MOST))
def test_progress_never_passes_the_whole(sold: int) -> None:
    found = worth(CURVE, Books(SUPPLY, sold, MOST, curves.reserve(CURVE, sold), 10 * SOL))
    assert 0 <= found.progress_bps <= 10_000
    assert (found.progress_bps == 10_000) == (sold == MOST)


def test_nothing_is_paid_before_the_soft_cap_or_below_the_least() -> None:
    due = {"marketing_due": 3, "treasury_due": 3, "rewards_due": 4}
    assert pays_out(state(**due), 10)
    assert not pays_out(state(**due), 11)
    assert not pays_out(state(**due, latched=False), 10)


def test_after_graduation_the_last_lamport_goes_out_too() -> None:
    graduated = OnChain.GRADUATED
    assert pays_out(state(rewards_due=1, status=graduated), 10)
    assert not pays_out(state(status=graduated), 10)
    assert burn_of(state(burn_due=9, status=graduated), 0, 10, Pool(35 * SOL, 10**15, 0)) is not None


@given(due=st.integers(SOL // 100, 5 * SOL), sold=st.integers(0, MOST - 1))
def test_a_burn_along_the_curve_costs_no_more_than_is_due(due: int, sold: int) -> None:
    found = burn_of(state(sold, burn_due=due), 999, SOL // 100, None)
    if found is not None:
        assert found.lamports == 0
        assert found.tokens > 0
        assert curves.cost(CURVE, sold, found.tokens) <= due * 98 // 100
        assert sold + found.tokens <= MOST


@pytest.mark.parametrize(
    ("change", "now"),
    [
        ({"latched": False}, 0),
        ({"burn_due": 9}, 0),
        ({}, 1_000),
        ({"status": OnChain.CLOSED}, 0),
        ({"status": OnChain.CANCELLED}, 0),
        ({"status": OnChain.GRADUATED}, 0),
    ],
)
def test_a_burn_waits(change: dict[str, object], now: int) -> None:
    assert burn_of(state(**{"burn_due": SOL, **change}), now, 10, None) is None


def test_a_burn_from_the_pool_bears_two_percent_and_the_mint_s_fee() -> None:
    graduated = state(burn_due=SOL, status=OnChain.GRADUATED)
    out = swap(SOL, 35 * SOL, 10**15).out
    assert burn_of(graduated, 0, 10, Pool(35 * SOL, 10**15, 0)) == Burn(out * 9_800 // 10_000, SOL)
    taxed = burn_of(graduated, 0, 10, Pool(35 * SOL, 10**15, 100))
    assert taxed == Burn(out * 9_900 // 10_000 * 9_800 // 10_000, SOL)
    assert burn_of(graduated, 0, 10, Pool(35 * SOL, 0, 0)) is None


def test_what_a_vault_must_hold() -> None:
    active = state(held=7)
    assert vault_least(SUPPLY, active, None) == SUPPLY - active.sold + 7
    assert vault_least(SUPPLY, state(reclaimed=True), None) == 0
    team = VestingState(
        sale="s", beneficiary="b", lamports=9, tokens=100, claimed_lamports=0, claimed_tokens=40, starts_at=0,
        cliff_seconds=0, vest_seconds=1,
    )  # fmt: skip
    assert vault_least(SUPPLY, state(status=OnChain.GRADUATED, held=7, other_due=20), team) == 87


def compared(books: dict[str, object] | None = None, **chain: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    now = state(rent=5)
    totals = Totals(now.sold, now.raised, 0, 0)
    ours = SaleOnBooks("id", KEYS, SUPPLY, totals, True, 0, "", 0)._replace(**(books or {}))  # type: ignore[arg-type]
    theirs = SaleOnChain(
        slot=1, state=now, lamports=now.raised + 5, vault=SUPPLY - now.sold, mint_supply=SUPPLY, authorities=(),
        vesting=None, vesting_lamports=0,
    )._replace(**chain)  # type: ignore[arg-type]  # fmt: skip
    found = compare(ours, theirs)
    return found.wrong, found.behind


def test_gifts_and_burned_tokens_are_no_difference() -> None:
    assert compared() == ((), ())
    assert compared(lamports=10**12, vault=SUPPLY, mint_supply=1) == ((), ())


def test_events_may_be_behind_money_may_not() -> None:
    wrong, behind = compared({"totals": Totals(1, 2, 3, 4), "waiting": 3}, lamports=0)
    assert len(behind) == 4
    assert [one.split(":")[0] for one in wrong] == ["lamports of the sale"]
    assert compared({"waiting": 1})[0] == ("positions wait for: 1, expected 0",)
    assert compared(state=None) == (("the chain has no such sale",), ())
