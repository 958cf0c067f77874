"""The life of a sale by the chain's word, and what its events add up to."""

from __future__ import annotations

from typing import Any

import pytest

from domain.launchpad.folding import Paid, Totals, crosses, differences, move_of, totals_of
from domain.launchpad.refund_rounds import Round, groups, stuck
from domain.launchpad.sale import Emitted, OnChain, PositionState, ReferralState, SaleState, Terms
from domain.launchpad.sale_life import Phase, due_in, goes_on, phase, status
from domain.launchpad.trade_rules import (
    check_claim,
    check_open,
    check_refund,
    check_tokens,
    check_wallet,
    needs_registration,
    refusal,
)
from domain.shared.errors import Rejected

KEY = "11111111111111111111111111111111"
TERMS = Terms(**dict.fromkeys(Terms.model_fields, 1) | {"starts_at": 100, "ends_at": 200, "max_wallet": 50, "shape": 0})


def sale(**change: Any) -> SaleState:
    values: dict[str, Any] = dict.fromkeys(SaleState.model_fields, 0)
    keys = ("address", "mint", "vault", "creator", "platform", "token_program", "marketing", "treasury", "rewards",
            "other_owner", "pool_program", "amm_config")  # fmt: skip
    return SaleState(**{**values, **dict.fromkeys(keys, KEY), "terms": TERMS, "latched": False, **change})


@pytest.mark.parametrize(
    ("change", "now", "found"),
    [
        ({}, 99, Phase.UPCOMING),
        ({}, 100, Phase.ACTIVE),
        ({"latched": True}, 199, Phase.ACTIVE),
        ({}, 200, Phase.REFUNDING),
        ({"latched": True}, 200, Phase.GRADUATING),
        ({"latched": True, "status": OnChain.CLOSED}, 100, Phase.GRADUATING),
        ({"status": OnChain.GRADUATED, "latched": True}, 300, Phase.GRADUATED),
        ({"status": OnChain.CANCELLED}, 300, Phase.CANCELLED),
    ],
)
def test_the_chain_says_where_a_sale_is(change: dict[str, Any], now: int, found: Phase) -> None:
    assert phase(sale(**change), now) is found


def test_a_sale_is_refunded_when_it_holds_nothing_for_buyers() -> None:
    assert status(Phase.REFUNDING, 1) == "refunding"
    assert status(Phase.REFUNDING, 0) == "refunded"
    assert status(Phase.GRADUATING, 0) == "active"


def test_a_node_that_is_behind_takes_nothing_back() -> None:
    assert goes_on("upcoming", "active")
    assert goes_on("refunding", "refunded")
    assert not goes_on("graduated", "active")
    assert not goes_on("refunded", "refunding")
    assert not goes_on("active", "active")


def test_the_next_date_counts_by_the_chains_clock() -> None:
    assert due_in(sale(), Phase.UPCOMING, 70) == 30
    assert due_in(sale(), Phase.ACTIVE, 150) == 50
    assert due_in(sale(), Phase.REFUNDING, 250) == 0


def traded(tokens: int, value: int, tax: int, *, is_buy: bool = True) -> Emitted:
    data = {"trader": KEY, "tokens": tokens, "value": value, "tax": tax, "is_buy": is_buy}
    return Emitted(kind="Traded", data=data)


def test_events_add_up_whatever_their_order() -> None:
    told = [
        totals_of(traded(10, 100, 2), latched_before=False),
        totals_of(traded(5, 60, 2), latched_before=True),
        totals_of(traded(4, 40, 1, is_buy=False), latched_before=True),
        totals_of(Emitted(kind="Claimed", data={"buyer": KEY, "tokens": 10}), latched_before=True),
        totals_of(Emitted(kind="Burned", data={"tokens": 3, "lamports": 30, "from_pool": False}), latched_before=True),
        totals_of(Emitted(kind="Burned", data={"tokens": 9, "lamports": 90, "from_pool": True}), latched_before=True),
        totals_of(Emitted(kind="Distributed", data={"marketing": 1}), latched_before=True),
    ]
    for order in (told, told[::-1]):
        total = Totals()
        for one in order:
            total = total.plus(one)
        assert total == Totals(sold=14, raised=150, held=0, tax_total=5)


def test_a_refund_takes_back_the_value_and_not_the_tax() -> None:
    event = Emitted(kind="Refunded", data={"buyer": KEY, "tokens": 10, "lamports": 102})
    assert totals_of(event, latched_before=False, paid=Paid(100, 2)) == Totals(-10, -100, -10, 0)
    move = move_of(event, latched_before=False)
    assert move is not None
    assert (move.held, move.refunded) == (-10, 102)


def test_a_buy_that_is_found_after_its_refund_adds_up_too() -> None:
    refund = Emitted(kind="Refunded", data={"buyer": KEY, "tokens": 10, "lamports": 102})
    total = totals_of(refund, latched_before=False).plus(
        totals_of(traded(10, 100, 2), latched_before=False, paid=Paid(refunded=True))
    )
    assert total == Totals(0, 0, 0, 2)


def test_the_buy_that_reaches_the_soft_cap_says_so_itself() -> None:
    def buy(raised: int, **change: Any) -> Emitted:
        event = traded(1, 10, 1)
        return Emitted(kind=event.kind, data={**event.data, "raised": raised, "latched": raised >= 50, **change})

    assert [crosses(buy(raised), 50) for raised in (40, 50, 59, 60)] == [False, True, True, False]
    assert not crosses(buy(55, is_buy=False), 50)
    assert not crosses(Emitted(kind="Claimed", data={"buyer": KEY, "tokens": 10}), 50)


def test_differences_are_named() -> None:
    totals = Totals(10, 100, 0, 2)
    assert differences(totals, True, sale(sold=10, raised=100, tax_total=2, latched=True)) == ()
    graduated = sale(sold=10, raised=0, tax_total=2, latched=True, status=OnChain.GRADUATED)
    assert differences(totals, True, graduated) == ()
    found = differences(totals, True, sale(sold=11, raised=100, tax_total=2, latched=True))
    assert found == ("sold: events 10, account 11",)


def position(**change: int) -> PositionState:
    figures = {"tokens": 0, "bought": 0, "paid": 0, "tax": 0, **change}
    return PositionState(address=KEY, sale=KEY, buyer=KEY, earned=(0,) * 5, **figures)  # type: ignore[arg-type]


def test_what_the_chain_would_refuse_is_refused_before() -> None:
    for act in (
        lambda: check_open(sale(), 99, selling=False),
        lambda: check_open(sale(), 150, selling=True),
        lambda: check_open(sale(), 200, selling=False),
        lambda: check_wallet(sale(), position(bought=40), 11),
        lambda: check_claim(sale(), position(tokens=1)),
        lambda: check_claim(sale(latched=True), position()),
        lambda: check_claim(sale(latched=True), None),
        lambda: check_refund(sale(latched=True), position(tokens=1), 300),
        lambda: check_refund(sale(), None, 300),
    ):
        with pytest.raises(Rejected, match="sale_not_open"):
            act()
    with pytest.raises(Rejected, match="the sale is refunded"):
        check_open(sale(), 200, selling=False)
    with pytest.raises(Rejected, match=r"tokens_missing: .* holds 0\.3 tokens; 0\.5 wait in the sale: claim"):
        check_tokens(sale(latched=True), position(tokens=5), 3, 4)
    with pytest.raises(Rejected, match=r"tokens_missing: .* holds 0\.3 tokens$"):
        check_tokens(sale(latched=True), None, 3, 4)
    check_tokens(sale(latched=True), None, 4, 4)
    check_open(sale(), 150, selling=False)
    check_open(sale(latched=True), 150, selling=True)
    check_wallet(sale(), position(bought=40), 10)
    check_claim(sale(latched=True), position(tokens=1))
    check_refund(sale(), position(tokens=1), 200)


def test_uplines_are_for_ever() -> None:
    known = ReferralState(user=KEY, upline=(), pending=0, earned=0, direct=0)
    assert not needs_registration("a", None, None, None)
    assert not needs_registration("a", "b", known, known)
    assert needs_registration("a", "b", None, known)
    assert needs_registration("a", "a", None, None), "registers without an upline"
    with pytest.raises(Rejected, match="conflict"):
        needs_registration("a", "b", None, None)


def test_refusals_have_our_codes() -> None:
    assert refusal("buy", "too_dear", None).code == "sale_slippage"
    assert refusal("buy", "wallet_limit", None).code == "sale_not_open"
    assert refusal("buy", "insufficient_funds", None).code == "transaction_failed"
    assert refusal("buy", "wrong_owner", None).code == "transaction_failed"
    assert refusal("refund", "wrong_owner", None).code == "sale_not_open", "somebody has sent it"


def _buyers(first: int, last: int) -> list[PositionState]:
    common: dict[str, Any] = {
        "address": KEY,
        "sale": KEY,
        "tokens": 1,
        "bought": 1,
        "paid": 1,
        "tax": 0,
        "earned": (0,) * 5,
    }
    return [PositionState(buyer=f"w{number:05}", **common) for number in range(first, last)]


def _wallets(shared: list[list[PositionState]]) -> list[int]:
    return [len(some) for some in shared]


def test_a_round_of_refunds_is_bounded_and_who_failed_goes_alone() -> None:
    left = _buyers(0, 6_000)
    assert _wallets(groups(left, None)) == [10] * 100
    failed = tuple(one.buyer for one in left[:1_000])
    tens = Round(1, (), failed, (), landed=False)
    assert stuck(left, tens) == ()
    following = groups(left, tens)
    assert _wallets(following) == [1] * 50 + [10] * 50
    assert following[0][0].buyer == failed[0]
    assert _wallets(groups(left[:1_000], tens)) == [1] * 100, "nobody else waits"


def test_an_operator_is_asked_when_nothing_lands_or_only_the_refused_are_left() -> None:
    left = _buyers(0, 100)
    assert stuck(left, Round(2, (), ("w00000", "w00050", "w00051"), ("w00000",), landed=False)) == ("w00000",)
    assert stuck(left, Round(2, (), ("w00000",), ("w00000",), landed=True)) == ()
    assert stuck(left[:1], Round(2, (), ("w00000",), ("w00000",), landed=True)) == ("w00000",)
    assert stuck([], Round(2, (), ("w00000",), ("w00000",), landed=True)) == ()
