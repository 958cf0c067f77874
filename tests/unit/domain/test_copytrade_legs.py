"""Legs of splits, merges, redemptions and conversions: shares and cash balance, nothing is paid twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.legs import Applied, Cannot, Leg, Redeemed, Waits, conversion, pairs, redemption
from domain.copytrade.venue import ONE, Kind

TOKENS = ("yes", "no")


def known(payouts: tuple[int, ...] | None, held: dict[str, int], settled: dict[str, int] | None = None) -> Redeemed:
    return Redeemed(payouts, held, settled or {})


def test_a_split_pays_for_both_legs() -> None:
    found = pairs(Kind.SPLIT, TOKENS, 7)
    assert found == Applied((Leg("yes", 7, -3, 500_000), Leg("no", 7, -4, 500_000)))
    assert isinstance(found, Applied)
    assert found.cash == -7


def test_a_merge_brings_the_collateral_back() -> None:
    found = pairs(Kind.MERGE, TOKENS, 7)
    assert isinstance(found, Applied)
    assert ([leg.shares for leg in found.legs], found.cash) == ([-7, -7], 7)


def test_a_split_of_an_unknown_market_waits() -> None:
    assert isinstance(pairs(Kind.SPLIT, (), 7), Waits)


def test_a_redemption_without_token_takes_all_that_is_held() -> None:
    found = redemption(TOKENS, "", 5, 5, known((ONE, 0), {"yes": 5, "no": 9}))
    assert found == Applied((Leg("yes", -5, 5, ONE), Leg("no", -9, 0, 0)))


def test_a_losing_redemption_pays_nothing_and_takes_the_shares() -> None:
    found = redemption(TOKENS, "", 9, 0, known((ONE, 0), {"no": 9}))
    assert found == Applied((Leg("no", -9, 0, 0),))


def test_a_half_payout_pays_half() -> None:
    found = redemption(TOKENS, "", 10, 15, known((ONE // 2, ONE // 2), {"yes": 10, "no": 20}))
    assert isinstance(found, Applied)
    assert (found.cash, [leg.shares for leg in found.legs]) == (15, [-10, -20])


def test_a_partial_redemption_takes_as_many_winners_as_were_paid() -> None:
    found = redemption(TOKENS, "", 4, 4, known((0, ONE), {"no": 10}))
    assert found == Applied((Leg("no", -4, 4, ONE),))


def test_a_fraction_that_does_not_add_up_is_not_guessed() -> None:
    assert isinstance(redemption(TOKENS, "", 4, 400, known((ONE // 2, ONE // 2), {"no": 10})), Cannot)


def test_a_redemption_before_the_payouts_are_known_waits() -> None:
    assert isinstance(redemption(TOKENS, "", 4, 4, known(None, {"no": 10})), Waits)


def test_a_redemption_with_a_token_says_everything() -> None:
    assert redemption((), "no", 4, 4, known(None, {})) == Applied((Leg("no", -4, 4, ONE),))
    assert redemption(TOKENS, "no", 4, 0, known((ONE, 0), {"no": 4})) == Applied((Leg("no", -4, 0, 0),))
    assert isinstance(redemption(TOKENS, "no", 4, 2, known((0, ONE), {"no": 4})), Cannot)
    assert isinstance(redemption(TOKENS, "other", 4, 4, known((0, ONE), {"no": 4})), Cannot)


def test_what_a_settlement_paid_is_not_paid_again() -> None:
    found = redemption(TOKENS, "", 5, 5, known((ONE, 0), {"yes": 0, "no": 0}, {"yes": 5, "no": 9}))
    assert found == Applied((), (("yes", 5), ("no", 9)), "nothing was held any more")


def test_only_the_rest_is_paid_after_a_settlement() -> None:
    found = redemption(TOKENS, "", 8, 8, known((ONE, 0), {"yes": 3}, {"yes": 5}))
    assert found == Applied((Leg("yes", -3, 3, ONE),), (("yes", 5),))


amounts = st.integers(0, 10**9)


@given(amounts, amounts, amounts, amounts, st.integers(0, ONE))
def test_settlement_and_redemption_together_pay_once(h0: int, h1: int, s0: int, s1: int, p0: int) -> None:
    """Whatever was settled before: the two together take every share and pay what the contract paid."""
    payouts = (p0, ONE - p0)
    total = {"yes": h0 + s0, "no": h1 + s1}
    paid = sum(count * payout // ONE for count, payout in zip(total.values(), payouts, strict=True))
    found = redemption(TOKENS, "", 0, paid, known(payouts, {"yes": h0, "no": h1}, {"yes": s0, "no": s1}))
    assert isinstance(found, Applied)
    taken = dict(found.settled)
    for leg in found.legs:
        taken[leg.token_id] = taken.get(leg.token_id, 0) - leg.shares
    assert {token: taken.get(token, 0) for token in TOKENS} == total
    before = s0 * payouts[0] // ONE + s1 * payouts[1] // ONE
    assert abs(found.cash + before - paid) <= 2
    if not (s0 or s1) and found.legs:
        assert found.cash == paid


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=4), st.lists(st.integers(1, 10**9), max_size=4), amounts)
def test_a_conversion_moves_cost_and_realises_no_loss(gone: list[int], came: list[int], usdc: int) -> None:
    moved = [(f"no{n}", -shares) for n, shares in enumerate(gone)]
    moved += [(f"yes{n}", shares) for n, shares in enumerate(came)]
    costs = {f"no{n}": shares // 2 for n, shares in enumerate(gone)}
    found = conversion(moved, usdc, costs)
    assert found.cash == usdc
    for leg in found.legs:
        if leg.shares < 0 and came:
            assert leg.cash >= costs[leg.token_id]
