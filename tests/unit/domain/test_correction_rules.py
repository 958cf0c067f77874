"""What may be corrected by hand, and who may say so."""

from __future__ import annotations

import pytest

from domain.operations import corrections as rules
from domain.shared.errors import Rejected
from domain.shared.ledger import (
    PLATFORM_FEES,
    PLATFORM_TREASURY,
    Line,
    Posting,
    Transfer,
    available,
    custody,
    held,
    lp_fees,
    lp_principal,
    reserve,
)

ADA = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
BOB = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e60"
ASSET = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e61"


def lines(source: str, destination: str, amount: int = 5, unit: str = "USDC") -> list[Line]:
    return [(source, unit, -amount), (destination, unit, amount)]


def refused(asked: list[Line]) -> tuple[str, object]:
    with pytest.raises(Rejected) as caught:
        rules.check_correction(asked)
    return caught.value.code, caught.value.data.get("pointer")


@pytest.mark.parametrize("source", [available(ADA), PLATFORM_FEES, PLATFORM_TREASURY, lp_fees(ASSET)])
@pytest.mark.parametrize("destination", [available(BOB), "platform:treasury", lp_fees(BOB)])
def test_what_is_owed_can_go_from_one_creditor_to_another(source: str, destination: str) -> None:
    if source != destination:
        rules.check_correction(lines(source, destination))
        postings = tuple(Posting(account=a, unit=u, amount=n) for a, u, n in lines(source, destination))
        assert Transfer(key="correction:1", kind="correction", postings=postings)


@pytest.mark.parametrize(
    "account",
    [
        held(ADA),
        reserve(ASSET),
        lp_principal(ASSET),
        custody(1, "hot"),
        "world",
        "platform:typo",
        "assets:gold:lp_fees",
    ],
)
def test_what_has_another_record_cannot_be_corrected(account: str) -> None:
    assert refused(lines(PLATFORM_FEES, account)) == ("not_correctable", "/postings/1/account")
    assert refused(lines(account, PLATFORM_FEES)) == ("not_correctable", "/postings/0/account")


def test_shares_cannot_be_corrected() -> None:
    """A position is what its fills make of it."""
    assert refused(lines(available(ADA), available(BOB), unit=ASSET)) == ("not_correctable", "/postings/0/account")


def test_malformed_requests_are_named() -> None:
    good = lines(PLATFORM_FEES, available(ADA))
    assert refused(good[:1]) == ("validation_failed", "/postings")
    assert refused(good * 11) == ("validation_failed", "/postings")
    assert refused([*good, good[1]]) == ("validation_failed", "/postings")
    assert refused([good[0], ("users:ada:available", "USDC", 5)]) == ("validation_failed", "/postings/1/account")
    assert refused([good[0], (available(ADA), "USDC", 6)]) == ("validation_failed", "/postings")
    assert refused([good[0], (available(ADA), ASSET, 5)]) == ("validation_failed", "/postings")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("-25.5", "USDC", -25_500_000),
        ("0.000001", "USDC", 1),
        ("-0.000000000000000001", ASSET, -1),
        ("3", ASSET, 3 * 10**18),
    ],
)
def test_amounts_are_signed_decimals_of_their_unit(text: str, unit: str, value: int) -> None:
    assert rules.read_amount(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "code"),
    [
        ("0", "USDC", "validation_failed"),
        ("-0.0", "USDC", "validation_failed"),
        ("--1", "USDC", "validation_failed"),
        ("+1", "USDC", "validation_failed"),
        ("1e3", "USDC", "validation_failed"),
        ("1.0000001", "USDC", "amount_precision"),
        ("9999999999999.0", "USDC", "validation_failed"),
        ("1", "EUR", "validation_failed"),
    ],
)
def test_amounts_are_never_guessed(text: str, unit: str, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        rules.read_amount(text, unit)
    assert caught.value.code == code


def test_the_second_person_is_another_one_without_an_interest() -> None:
    asked = lines(PLATFORM_FEES, available(ADA))
    rules.check_second_person("asker", asked, BOB)
    for principal in ("asker", ADA):
        with pytest.raises(Rejected) as caught:
            rules.check_second_person("asker", asked, principal)
        assert caught.value.code == "self_approval"
