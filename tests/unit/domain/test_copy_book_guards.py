"""The guards that ask the book: one-sided, crossed, wide, thin or too dear (CT-090…103, CG-040…058)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.copytrade.decisions import Decision
from domain.copytrade.groups import GroupKind
from domain.copytrade.reasons import Reason
from tests.copy_lab import (
    DEEP,
    FLAGS,
    USDC,
    book,
    config,
    decided,
    group,
    guard,
    holding,
    inputs,
    reasons,
)

SELL = group(GroupKind.SELL)


def with_book(bids: dict[int, int], asks: dict[int, int], of: Any = None, having: Any = None, **keys: Any) -> Decision:
    return decided(of, inputs(book(bids, asks), config(**keys)), having)


def test_missing_book_is_one_reason_and_the_other_guards_still_run() -> None:
    given = inputs(None, flags=FLAGS._replace(paused=True))
    made = decided(given=given)
    assert reasons(made) == [Reason.ENGINE_PAUSED, Reason.BOOK_UNAVAILABLE]
    assert made.mid is None
    assert len(made.guards) == len(decided().guards)


@pytest.mark.parametrize(("age", "limit", "passes"), [(1_500, None, True), (1_500, 1_500, True), (1_501, 1_500, False)])
def test_stale_book_is_refused_when_a_limit_is_set(age: int, limit: int | None, passes: bool) -> None:
    made = decided(given=inputs(rules=config(max_book_age_ms=limit), book_age_ms=age))
    assert (reasons(made) == []) is passes
    assert passes or reasons(made) == [Reason.BOOK_STALE]


@pytest.mark.parametrize("sides", [({}, {505: 100}), ({495: 100}, {}), ({}, {})], ids=["no bids", "no asks", "empty"])
def test_one_sided_book_has_no_mid_and_is_skipped(sides: Any) -> None:
    """B4 21: never a mid of 0.5."""
    made = with_book(*sides)
    assert (reasons(made), made.mid) == ([Reason.ONE_SIDED_BOOK], None)


@pytest.mark.parametrize("bid", [505, 510], ids=["locked", "crossed"])
def test_crossed_book_is_skipped(bid: int) -> None:
    made = with_book({bid: 10_000}, {505: 10_000})
    assert (reasons(made), made.mid) == ([Reason.CROSSED_BOOK], None)


@pytest.mark.parametrize(("bid", "passes"), [(485, True), (484, False)])
def test_wide_spread_is_skipped(bid: int, passes: bool) -> None:
    made = with_book({bid: 10_000}, {505: 10_000})
    assert guard(made, "spread").passed is passes
    assert passes or Reason.SPREAD_TOO_WIDE in made.reasons


def test_placeholder_book_is_refused_for_its_spread() -> None:
    assert Reason.SPREAD_TOO_WIDE in with_book({10: 10_000}, {990: 10_000}).reasons


def test_book_in_any_order_is_read_the_same() -> None:
    assert with_book({490: 10_000, 495: 10_000}, {510: 10_000, 505: 10_000}) == with_book(
        {495: 10_000, 490: 10_000}, {505: 10_000, 510: 10_000}
    )


def test_best_price_beyond_their_fill_leaves_nothing_to_take() -> None:
    made = with_book({509: 10_000}, {511: 10_000})
    assert reasons(made) == [Reason.NO_LIQUIDITY_WITHIN_BOUNDS, Reason.PRICE_WORSE_THAN_THEIR_FILL]
    assert guard(made, "vs_their_fill")[2:] == (False, 510_000, 511_000)
    assert with_book({509: 10_000}, {510: 10_000}).decision == "EXECUTE"


def test_sale_far_below_their_fill_leaves_nothing_to_take() -> None:
    made = with_book({489: 10_000}, {491: 10_000}, SELL, holding())
    assert reasons(made) == [Reason.NO_LIQUIDITY_WITHIN_BOUNDS, Reason.PRICE_WORSE_THAN_THEIR_FILL]
    assert with_book({490: 10_000}, {491: 10_000}, SELL, holding()).decision == "EXECUTE"


def test_best_price_far_from_the_mid_leaves_nothing_to_take() -> None:
    """Out of reach by default: the spread would have to be above 0.03 (CG-040)."""
    made = with_book({469: 10_000}, {501: 10_000}, max_spread_micros=40_000)
    assert reasons(made) == [Reason.NO_LIQUIDITY_WITHIN_BOUNDS, Reason.PRICE_TOO_FAR_OVER_MID]


@pytest.mark.parametrize(("size", "passes"), [(25, True), (24, False)])
def test_depth_within_the_bounds_must_be_a_quarter_more_than_the_target(size: int, passes: bool) -> None:
    """10 USDC wanted, 12.50 needed, at 0.50; the ask of 0.52 is out of bounds."""
    made = with_book({499: 10_000}, {500: size, 520: 10_000})
    assert (reasons(made) == []) is passes
    assert passes or reasons(made) == [Reason.INSUFFICIENT_DEPTH]
    assert guard(made, "depth").limit == 12_500_000


@pytest.mark.parametrize(("size", "passes"), [(25, True), (24, False)])
def test_depth_of_a_sale_is_counted_in_shares(size: int, passes: bool) -> None:
    made = with_book({500: size, 480: 10_000}, {501: 10_000}, SELL, holding())
    assert (reasons(made) == []) is passes


def test_partial_fill_with_a_smaller_multiplier() -> None:
    """CG-040: below 1 the depth rule lets partial fills through."""
    made = with_book({499: 10_000}, {500: 8, 520: 10_000}, min_depth_multiplier_bps=1_000)
    assert (made.decision, made.filled, made.ratio_bps) == ("EXECUTE", 4 * USDC, 4_000)


@pytest.mark.parametrize(("most", "passes"), [(None, True), (505_001, True), (505_000, False)])
def test_share_too_dear_is_not_bought(most: int | None, passes: bool) -> None:
    made = decided(given=inputs(DEEP, config(max_buy_cost_per_share_micros=most)))
    assert (reasons(made) == []) is passes
    assert passes or reasons(made) == [Reason.BUY_COST_PER_SHARE_TOO_HIGH]
    sale = decided(SELL, inputs(DEEP, config(max_buy_cost_per_share_micros=1)), holding())
    assert sale.decision == "EXECUTE"
