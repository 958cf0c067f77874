"""Amounts at the edge: exact or refused."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.errors import Rejected
from domain.shared.money import (
    ETH_DECIMALS,
    MICROS_MAX,
    USDC_DECIMALS,
    format_amount,
    format_usdc,
    mul_div_ceil,
    mul_div_floor,
    parse_amount,
    parse_usdc,
)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0", 0),
        ("0.000001", 1),
        ("1", 1_000_000),
        ("1.000000", 1_000_000),
        ("100.25", 100_250_000),
        ("999999999999.999999", 999_999_999_999_999_999),
        ("9223372036854.775807", MICROS_MAX),
    ],
)
def test_a_decimal_string_is_read_exactly(text: str, micros: int) -> None:
    assert parse_usdc(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "1.", ".5", "01", "00.5", "-1", "+1", "-0", "1e3", "1E-2", "0x10", "1_000", "1,000", "1.2.3",
        " 1", "1 ", "1\n", "\t1", "NaN", "Infinity", "inf", "١", "１.５", "1.٥", "²", "1\u200b", "$1", "1 USDC",
        "9223372036854.775808", "10000000000000", "1" * 19, "1" * 5_000,
    ],
)  # fmt: skip
def test_anything_else_is_not_an_amount(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_usdc(text)
    assert refused.value.code == "validation_failed"
    assert len(refused.value.detail) < 120, "a long input must not be echoed whole"


@pytest.mark.parametrize("text", ["0.0000001", "1.0000000", "5.1234567", "0." + "0" * 300 + "1"])
def test_more_decimals_than_the_unit_has_are_never_rounded(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_usdc(text)
    assert refused.value.code == "amount_precision"


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0, 6, "0"),
        (1, 6, "0.000001"),
        (100_250_000, 6, "100.25"),
        (-1, 6, "-0.000001"),
        (-2_500_000, 6, "-2.5"),
        (10**18, 18, "1"),
        (10**30, 18, "1000000000000"),
        (7, 0, "7"),
        (-7, 0, "-7"),
        (120, 0, "120"),
    ],
)
def test_amounts_are_written_plainly(value: int, decimals: int, text: str) -> None:
    assert format_amount(value, decimals) == text


@given(st.integers(0, MICROS_MAX), st.integers(1, ETH_DECIMALS))
def test_what_is_written_is_read_back(value: int, decimals: int) -> None:
    text = format_amount(value, decimals)
    assert parse_amount(text, decimals) == value
    assert Fraction(text) * 10**decimals == value


@given(st.integers(0, MICROS_MAX), st.integers(0, USDC_DECIMALS))
def test_zeros_at_the_end_change_nothing(value: int, zeros: int) -> None:
    whole, _, fraction = format_usdc(value).partition(".")
    padded = f"{whole}.{fraction}{'0' * zeros}"[: len(whole) + 1 + USDC_DECIMALS].rstrip(".")
    assert parse_usdc(padded) == value


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    value, refusal = read(text)
    if value is None:
        assert refusal in ("validation_failed", "amount_precision")
        return
    assert 0 <= value <= MICROS_MAX
    assert Fraction(text) * 10**USDC_DECIMALS == value


def read(text: str) -> tuple[int | None, str]:
    try:
        return parse_usdc(text), ""
    except Rejected as refused:
        return None, refused.code


@given(st.integers(-(10**40), 10**40), st.integers(-(10**40), 10**40), st.integers(1, 10**40))
def test_division_rounds_to_the_side_its_name_says(a: int, b: int, divisor: int) -> None:
    exact = Fraction(a * b, divisor)
    down, up = mul_div_floor(a, b, divisor), mul_div_ceil(a, b, divisor)
    assert down <= exact < down + 1
    assert up - 1 < exact <= up


@pytest.mark.parametrize("divisor", [0, -1])
def test_a_divisor_is_positive(divisor: int) -> None:
    with pytest.raises(ValueError):
        mul_div_floor(1, 1, divisor)
    with pytest.raises(ValueError):
        mul_div_ceil(1, 1, divisor)
