"""Prices, sizes, books and fee rules as Hypothesis draws them."""

from __future__ import annotations

from hypothesis import strategies as st

from domain.copytrade.fees import FREE, FeeRule
from domain.copytrade.venue import Level

PRICES = st.integers(1, 999).map(lambda thousandths: thousandths * 1_000)
SIZES = st.one_of(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(1, 10**12))
LEVELS = st.lists(st.builds(Level, PRICES, SIZES), max_size=8).map(tuple)
RULES = st.one_of(
    st.just(FREE), st.builds(FeeRule, st.integers(0, 200_000), st.sampled_from([1, 2])),
    st.builds(FeeRule, st.integers(0, 200_000), st.none()),
)  # fmt: skip
