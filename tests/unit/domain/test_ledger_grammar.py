"""What the ledger's grammar lets through, and what it refuses before any database is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.shared.ledger import (
    PLATFORM_FEES,
    PLATFORM_TREASURY,
    WORLD,
    Phase,
    Posting,
    Transfer,
    available,
    custody,
    held,
    hold,
    move,
    post,
    void,
)

USER = "0190a5c2-7f00-7000-8000-000000000001"
OTHER = "0190a5c2-7f00-7000-8000-000000000002"


@pytest.mark.parametrize(
    "path",
    [
        available(USER), held(USER), custody(42161, "deposits"), custody(1, "hot"), custody(1, "cold"), PLATFORM_FEES,
        PLATFORM_TREASURY, WORLD, f"assets:{USER}:reserve", f"assets:{USER}:lp_fees",
    ],
)  # fmt: skip
def test_known_account_paths(path: str) -> None:
    assert Posting(account=path, unit="USDC", amount=1).account == path


@pytest.mark.parametrize(
    "path",
    [
        "", "users", f"users:{USER}", f"users:{USER}:", f"users:{USER}:other", f"users:{USER.upper()}:available",
        f"users:{USER[:-1]}:available", f" users:{USER}:available", f"users:{USER}:available\n", "custody:1:warm",
        "custody::hot", "custody:x:hot", "custody:１:hot", "platform:", "platform:Fees", "platform:fees:more", "worlds",
        "world:x", "WORLD", "assets::reserve", f"assets:{USER}:Reserve",
    ],
)  # fmt: skip
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        Posting(account=path, unit="USDC", amount=1)


def test_a_posting_of_zero_is_refused() -> None:
    with pytest.raises(ValidationError):
        Posting(account=WORLD, unit="USDC", amount=0)


@pytest.mark.parametrize("amount", [1.5, "1.5", None])
def test_an_amount_is_a_whole_number(amount: object) -> None:
    with pytest.raises(ValidationError):
        Posting.model_validate({"account": WORLD, "unit": "USDC", "amount": amount})


@given(st.integers(max_value=0))
def test_a_move_needs_something_to_move(amount: int) -> None:
    with pytest.raises(ValueError):
        move("USDC", amount, WORLD, PLATFORM_FEES)


@given(st.lists(st.integers(-(10**20), 10**20).filter(bool), min_size=1, max_size=6))
def test_a_transfer_exists_only_if_it_sums_to_zero(amounts: list[int]) -> None:
    postings = tuple(Posting(account=WORLD, unit="USDC", amount=a) for a in amounts)
    if len(amounts) >= 2 and sum(amounts) == 0:
        assert Transfer(key="k", kind="test", postings=postings)
        return
    with pytest.raises(ValidationError):
        Transfer(key="k", kind="test", postings=postings)
    closing = Posting(account=PLATFORM_FEES, unit="USDC", amount=-sum(amounts)) if sum(amounts) else None
    if closing is not None:
        assert Transfer(key="k", kind="test", postings=(*postings, closing))


def test_units_do_not_pay_for_each_other() -> None:
    with pytest.raises(ValidationError):
        Transfer(
            key="k",
            kind="test",
            postings=(
                Posting(account=WORLD, unit="USDC", amount=-5),
                Posting(account=available(USER), unit="ETH", amount=5),
            ),
        )


def test_a_transfer_has_lines() -> None:
    with pytest.raises(ValidationError):
        Transfer(key="k", kind="test", postings=())


@pytest.mark.parametrize(
    ("phase", "resolves"),
    [(Phase.SINGLE, "h"), (Phase.PENDING, "h"), (Phase.POST, None), (Phase.VOID, None)],
)
def test_exactly_posts_and_voids_resolve_something(phase: Phase, resolves: str | None) -> None:
    with pytest.raises(ValidationError):
        Transfer(key="k", kind="t", postings=move("USDC", 1, WORLD, PLATFORM_FEES), phase=phase, resolves=resolves)


def test_a_hold_moves_from_available_to_held_and_a_void_takes_it_back() -> None:
    held_back = hold("withdrawal:1", "withdrawal", USER, "USDC", 7)
    undone = void("withdrawal:1", "withdrawal", USER, "USDC", 7)
    assert held_back.phase is Phase.PENDING
    assert {p.account: p.amount for p in held_back.postings} == {available(USER): -7, held(USER): 7}
    assert {p.account: p.amount for p in undone.postings} == {available(USER): 7, held(USER): -7}
    assert (undone.key, undone.resolves) == ("withdrawal:1:void", "withdrawal:1")


def test_a_post_names_its_hold_in_its_key() -> None:
    spent = post("withdrawal:1", "withdrawal", move("USDC", 7, held(USER), available(OTHER)), ref="0x1")
    assert (spent.key, spent.resolves, spent.phase, spent.ref) == (
        "withdrawal:1:post", "withdrawal:1", Phase.POST, "0x1",
    )  # fmt: skip


def test_values_cannot_be_changed_afterwards() -> None:
    transfer = hold("k", "t", USER, "USDC", 1)
    with pytest.raises(ValidationError):
        transfer.key = "other"  # type: ignore[misc]
