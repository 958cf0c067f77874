"""Quotes of a sale: exact to the lamport at the limit, never in the requester's favour, whatever the curve."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.launchpad import curves, quotes
from domain.launchpad.curves import Curve, Shape
from domain.launchpad.quotes import Market, Quote
from domain.launchpad.trade_tax import tax_of
from domain.shared.errors import Rejected

SOL = 10**9


@st.composite
def markets(draw: st.DrawFn) -> Market:
    """A sale somewhere on its way, some tokens in its vault, some burned."""
    start = draw(st.integers(10**6, 10**15))
    curve = Curve(
        draw(st.sampled_from(list(Shape))),
        start,
        draw(st.integers(start + 1, start * 100)),
        draw(st.integers(10**9, 10**18)),
        draw(st.integers(0, 9)),
    )
    most = draw(st.integers(1, curve.supply))
    sold = draw(st.integers(0, most))
    held = draw(st.integers(0, sold))
    burned = draw(st.integers(0, sold - held))
    return Market(
        curve, sold, held, burned, most, draw(st.integers(0, 500)), draw(st.sampled_from([0, 0, 1, 100, 500]))
    )


def tried(ask: Callable[[], Quote]) -> Quote | str:
    """The quote, or why there is none."""
    try:
        return ask()
    except Rejected as refused:
        return refused.code


@settings(max_examples=150, deadline=None)
@given(markets(), st.integers(1, 10**15))
def test_sol_buys_the_most_it_can(market: Market, lamports: int) -> None:
    made = tried(lambda: quotes.buy_for(market, lamports))
    if isinstance(made, str):
        assert made in ("amount_too_small", "sale_not_open")
        if market.sold < market.most:
            value = curves.cost(market.curve, market.sold, 1)
            assert value + tax_of(value, market.tax_bps) > lamports
        return
    assert made.total == made.value + made.tax <= lamports
    if market.sold + made.tokens < market.most:
        value = curves.cost(market.curve, market.sold, made.tokens + 1)
        assert value + tax_of(value, market.tax_bps) > lamports, "one more would have fitted"


@settings(max_examples=150, deadline=None)
@given(markets(), st.integers(1, 10**12))
def test_the_fewest_tokens_are_sold(market: Market, lamports: int) -> None:
    made = tried(lambda: quotes.sell_for(market, lamports))
    if isinstance(made, str):
        assert made == "tokens_missing"
        return
    assert made.total == made.value - made.tax >= lamports
    if made.tokens > 1:
        assert quotes._brings(market, made.tokens - 1) < lamports, "fewer would have done"


@settings(max_examples=150, deadline=None)
@given(markets(), st.integers(1, 10**18))
def test_a_round_trip_never_gains(market: Market, tokens: int) -> None:
    assume(market.sold < market.most)
    bought = quotes.buy(market, tokens)
    after = market._replace(sold=market.sold + bought.tokens)
    back = tried(lambda: quotes.sell(after, bought.tokens))
    if isinstance(back, str):
        assert back == "amount_too_small"
        return
    assert back.total <= bought.total
    assert (back.total == bought.total) <= (market.tax_bps == 0 or bought.tax == 0)


@given(markets(), st.integers(1, 10**18), st.integers(0, 5_000))
def test_limits_leave_the_slippage_and_no_more(market: Market, tokens: int, slippage: int) -> None:
    assume(market.sold < market.most)
    made = quotes.buy(market, tokens, slippage)
    assert 0 <= (made.limit - made.total) * 10_000 <= made.total * slippage
    assert made.tokens <= market.most - market.sold


def test_what_cannot_be_is_refused() -> None:
    market = Market(Curve(Shape.LINEAR, 100 * SOL, 300 * SOL, 10**15, 6), 100, 50, 10, 100, 200)
    for refused, code in (
        (lambda: quotes.buy(market, 1), "sale_not_open"),
        (lambda: quotes.buy(market, 0), "amount_too_small"),
        (lambda: quotes.sell(market, 41), "tokens_missing"),
        (lambda: quotes.sell(market._replace(fee_bps=500), 1), "amount_too_small"),
        (lambda: quotes.sell_for(market._replace(held=90), 10**9), "tokens_missing"),
    ):
        with pytest.raises(Rejected) as caught:
            refused()
        assert caught.value.code == code
