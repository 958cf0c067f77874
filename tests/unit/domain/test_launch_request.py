"""Every rule of a launch's request, each with the field it points at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.launchpad.allocation import Allocation, check_allocation, parts_of
from domain.launchpad.curves import U64, can_graduate, reserve
from domain.launchpad.request import SOL, LaunchRequest, check_pictures, check_request
from domain.shared.base58 import encode
from domain.shared.errors import Rejected

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
WALLET = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
VAULT = encode(bytes(range(1, 33)))
"""No key belongs to it."""
PAYMENT = encode(bytes(range(1, 65)))
PICTURE = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"


def asked(**changes: Any) -> LaunchRequest:
    links = changes.pop("links", {})
    allocation = changes.pop("allocation_bps", {})
    base: dict[str, Any] = {
        "name": "Holdfast Demo",
        "symbol": "HOLD",
        "total_supply": 10**18,
        "curve_type": "exponential",
        "initial_price": 10**10,
        "target_price": 10**11,
        "soft_cap_lamports": 5 * SOL,
        "hard_cap_lamports": 15 * SOL,
        "starts_at": NOW,
        "ends_at": NOW + timedelta(days=7),
        "creator_wallet": WALLET,
        "links": links,
        "allocation_bps": allocation,
    }
    return LaunchRequest.model_validate(base | changes)


def pointer(**changes: Any) -> str:
    with pytest.raises(Rejected) as caught:
        check_request(asked(**changes), NOW)
    assert caught.value.code == "validation_failed"
    assert caught.value.detail
    return str(caught.value.data["pointer"])


@pytest.mark.parametrize("curve", ["linear", "exponential", "logarithmic"])
def test_a_good_request_passes_and_survives_storage(curve: str) -> None:
    request = asked(
        curve_type=curve, logo=PICTURE, promo_tier_lamports=5 * SOL, promo_payment_signature=PAYMENT, listing=True,
        transfer_fee_bps=100, links={"website": "https://holdfast.example"},
    )  # fmt: skip
    check_request(request, NOW)
    assert LaunchRequest.model_validate(request.model_dump(mode="json")) == request
    assert request.pictures == {"logo": PICTURE}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 33}, "/name"),
        ({"name": "é" * 17}, "/name"),
        ({"name": " x"}, "/name"),
        ({"symbol": ""}, "/symbol"),
        ({"symbol": "NINELONGS"}, "/symbol"),
        ({"symbol": "TÉST"}, "/symbol"),
        ({"symbol": "A B"}, "/symbol"),
        ({"description": "x" * 1_001}, "/description"),
        ({"links": {"website": "http://holdfast.example"}}, "/links/website"),
        ({"links": {"discord": "https://" + "x" * 200}}, "/links/discord"),
        ({"total_supply": 0}, "/total_supply"),
        ({"total_supply": U64 + 1}, "/total_supply"),
        ({"total_supply": 1}, "/total_supply"),
        ({"transfer_fee_bps": 501}, "/transfer_fee_bps"),
        ({"max_wallet": 10**18 + 1}, "/max_wallet_tokens"),
        ({"allocation_bps": {"public": 4_001}}, "/allocation_bps"),
        ({"allocation_bps": {"team": 2_001, "reserve": 999}}, "/allocation_bps/team"),
        ({"allocation_bps": {"public": 0, "reserve": 5_000}}, "/allocation_bps/public"),
        ({"allocation_bps": {"liquidity": 0, "reserve": 2_500}}, "/allocation_bps/liquidity"),
        ({"initial_price": 999}, "/curve"),
        ({"target_price": 10**10}, "/curve"),
        ({"target_price": 10**14 + 1}, "/curve"),
        ({"target_price": 10**19 + 1, "initial_price": 10**16}, "/curve"),
        ({"decimals": 10}, "/curve"),
        ({"soft_cap_lamports": 0}, "/soft_cap_sol"),
        ({"soft_cap_lamports": 16 * SOL}, "/hard_cap_sol"),
        ({"hard_cap_lamports": 10**17 + 1}, "/hard_cap_sol"),
        ({"soft_cap_lamports": 16 * SOL, "hard_cap_lamports": 50 * SOL}, "/soft_cap_sol"),
        ({"curve_type": "linear", "hard_cap_lamports": 50 * SOL}, "/allocation_bps/liquidity"),
        ({"ends_at": NOW + timedelta(seconds=59)}, "/ends_at"),
        ({"ends_at": NOW + timedelta(seconds=2_099), "signing": "creator"}, "/ends_at"),
        ({"creator_wallet": "1" * 32}, "/creator_wallet"),
        ({"ends_at": NOW + timedelta(days=366)}, "/ends_at"),
        ({"starts_at": NOW + timedelta(days=7)}, "/ends_at"),
        ({"promo_tier_lamports": SOL, "logo": PICTURE}, "/promo_tier_sol"),
        ({"promo_tier_lamports": 5 * SOL}, "/logo"),
        ({"promo_payment_signature": PAYMENT}, "/promo_payment_signature"),
        ({"promo_tier_lamports": 5 * SOL, "logo": PICTURE, "promo_payment_signature": "x"}, "/promo_payment_signature"),
        ({"creator_wallet": "11111111111111111111111111111"}, "/creator_wallet"),
        ({"creator_wallet": WALLET[:-1] + "0"}, "/creator_wallet"),
        ({"creator_wallet": PAYMENT}, "/creator_wallet"),
        ({"creator_wallet": ""}, "/creator_wallet"),
        ({"creator_wallet": VAULT, "signing": "creator"}, "/creator_wallet"),
    ],
)  # fmt: skip
def test_a_rule_names_the_field(changes: dict[str, Any], where: str) -> None:
    if changes.get("soft_cap_lamports") == 16 * SOL and changes.get("hard_cap_lamports") == 50 * SOL:
        changes = changes | {"total_supply": 10**17}  # a tenth of the tokens brings a tenth of the SOL
    assert pointer(**changes) == where


def test_a_hard_cap_beyond_the_last_token_is_allowed_and_q_is_the_whole_sale() -> None:
    request = asked(hard_cap_lamports=100 * SOL)
    check_request(request, NOW)
    assert request.most == request.parts.public
    assert reserve(request.curve, request.most) < 100 * SOL


def test_a_transfer_fee_makes_the_pool_need_more() -> None:
    fits = {"curve_type": "logarithmic", "hard_cap_lamports": 25 * SOL}
    check_request(asked(**fits), NOW)
    assert pointer(**fits, transfer_fee_bps=100) == "/allocation_bps/liquidity"


def test_pictures_must_be_the_accounts_own() -> None:
    check_pictures(asked(logo=PICTURE), frozenset({PICTURE}))
    with pytest.raises(Rejected) as caught:
        check_pictures(asked(logo=PICTURE, icon=PICTURE.replace("f", "e")), frozenset({PICTURE}))
    assert (caught.value.code, caught.value.data["pointer"]) == ("launch_refused", "/icon")


@given(
    st.integers(1, U64),
    st.lists(st.integers(0, 10_000), min_size=4, max_size=4).map(sorted),
)
def test_the_parts_are_the_supply(supply: int, cuts: list[int]) -> None:
    edges = [0, *cuts, 10_000]
    names = ("public", "team", "liquidity", "ecosystem", "reserve")
    allocation = Allocation(**{name: high - low for name, low, high in zip(names, edges, edges[1:], strict=False)})
    parts = parts_of(supply, allocation)
    assert sum(parts) == supply
    assert all(part >= 0 for part in parts)
    # the chain's own bound divides first
    assert parts.team <= supply // 100 * 20
    assert parts.public <= supply * allocation.public // 10_000


def test_the_defaults_are_the_platforms() -> None:
    check_allocation(Allocation())
    assert tuple(Allocation().model_dump().values()) == (4_000, 2_000, 1_500, 1_500, 1_000)


@given(st.integers(SOL, 22 * SOL), st.sampled_from(["linear", "exponential", "logarithmic"]))
def test_what_passes_without_a_fee_can_graduate_on_the_chain(hard: int, curve: str) -> None:
    request = asked(curve_type=curve, hard_cap_lamports=hard, soft_cap_lamports=SOL)
    try:
        check_request(request, NOW)
    except Rejected:
        return
    assert can_graduate(request.curve, request.most, request.parts.liquidity)


def test_a_sale_that_would_be_over_at_once_is_refused_by_the_chains_clock() -> None:
    ends = int(asked().ends_at.timestamp())
    for signing, least in (("platform", 20), ("creator", 1_830)):
        request = asked(signing=signing)
        request.check_time_left(ends - least)
        with pytest.raises(Rejected) as caught:
            request.check_time_left(ends - least + 1)
        assert (caught.value.code, caught.value.data["pointer"]) == ("launch_refused", "/ends_at")
