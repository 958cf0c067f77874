"""Tiers, confirmations, tags, reorganisations, ranges, dust."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange import deposits as rules
from domain.exchange.custody import Wallets
from domain.exchange.deposits import DepositPolicy, Tier
from domain.exchange.messages import BlockRef, Head, TransferLog

TOKEN = "0x" + "11" * 20
POLICY = DepositPolicy(
    token=TOKEN,
    minimum_micros=1_000_000,
    tiers=(
        Tier(from_micros=0, confirmations=12),
        Tier(from_micros=1_000_000_000, confirmations=12, tag="safe"),
        Tier(from_micros=50_000_000_000, confirmations=20, tag="finalized"),
    ),
)


def block(number: int, branch: str = "a") -> BlockRef:
    return BlockRef(number=number, hash=f"{branch}{number}", parent_hash=f"{branch}{number - 1}")


def head(latest: int, safe: int = 0, finalized: int = 0) -> Head:
    return Head(latest=block(latest), safe=safe, finalized=finalized)


def log(token: str = TOKEN, amount: int = 5_000_000) -> TransferLog:
    return TransferLog(
        chain_id=1, tx_hash="0x1", log_index=3, log_ordinal=0, block_number=10, block_hash="a10", token=token,
        from_address="0x" + "22" * 20, to_address="0x" + "33" * 20, amount=amount,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "confirmations", "tag"),
    [
        (0, 12, None), (999_999_999, 12, None), (1_000_000_000, 12, "safe"), (49_999_999_999, 12, "safe"),
        (50_000_000_000, 20, "finalized"), (2**256 - 1, 20, "finalized"),
    ],
)  # fmt: skip
def test_a_tier_starts_at_its_amount(amount: int, confirmations: int, tag: str | None) -> None:
    tier = POLICY.tier(amount)
    assert (tier.confirmations, tier.tag) == (confirmations, tag)


@pytest.mark.parametrize(("latest", "due"), [(9, False), (10, False), (21, False), (22, True), (23, True)])
def test_twelve_confirmations_are_reached_at_block_plus_twelve(latest: int, due: bool) -> None:
    assert rules.is_due(10, 12, None, head(latest)) is due
    assert (rules.confirmations(latest, 10) >= 12) is due


def test_confirmations_are_never_negative() -> None:
    assert rules.confirmations(5, 10) == 0


@pytest.mark.parametrize(
    ("tag", "safe", "finalized", "due"),
    [
        ("safe", 9, 9, False), ("safe", 10, 0, True), ("safe", 11, 0, True), ("finalized", 30, 9, False),
        ("finalized", 30, 10, True), ("finalized", 9, 10, True), (None, 0, 0, True),
    ],
)  # fmt: skip
def test_a_tag_must_have_passed_the_block_too(tag: str | None, safe: int, finalized: int, due: bool) -> None:
    assert rules.is_due(10, 12, tag, head(22, safe, finalized)) is due


def test_a_tag_does_not_replace_confirmations() -> None:
    assert not rules.is_due(10, 12, "safe", head(21, safe=21, finalized=21))


@given(st.integers(0, 10**6), st.integers(0, 100), st.sampled_from([None, "safe", "finalized"]), st.data())
def test_once_due_a_longer_chain_keeps_it_due(number: int, required: int, tag: str | None, data: st.DataObject) -> None:
    latest = data.draw(st.integers(0, 2 * 10**6))
    safe = data.draw(st.integers(0, latest))
    finalized = data.draw(st.integers(0, safe))
    if rules.is_due(number, required, tag, head(latest, safe, finalized)):
        grown = data.draw(st.integers(0, 1000))
        assert rules.is_due(number, required, tag, head(latest + grown, safe + grown, finalized + grown))


@pytest.mark.parametrize(
    ("transfer", "reason"),
    [
        (log(), None),
        (log(amount=0), "zero_value"),
        (log(token="0x" + "99" * 20), "unsupported_token"),
        (log(token="0x" + "99" * 20, amount=0), "unsupported_token"),
        (log(amount=1), None),
    ],
)
def test_only_the_configured_token_counts_and_only_if_something_moved(
    transfer: TransferLog, reason: str | None
) -> None:
    assert rules.ignore_reason(transfer, POLICY) == reason


@given(st.integers(1, 40), st.integers(0, 40))
def test_the_common_ancestor_is_the_last_shared_block(length: int, shared: int) -> None:
    stored = [block(n) for n in range(1, length + 1)]
    now = [block(n, "a" if n <= shared else "b") for n in range(1, length + 1)]
    assert rules.common_ancestor(stored, now) == (min(shared, length) or None)
    assert rules.common_ancestor(stored[::-1], now) == (min(shared, length) or None)


def test_the_ancestor_of_a_chain_that_went_back_is_among_what_is_left() -> None:
    stored = [block(n) for n in range(1, 11)]
    assert rules.common_ancestor(stored, stored[:4]) == 4
    assert rules.common_ancestor(stored, []) is None
    assert rules.common_ancestor([], stored) is None


@pytest.mark.parametrize(
    ("next_block", "latest", "span", "wanted"),
    [
        (5, 4, 10, None), (5, 5, 10, (5, 5)), (5, 14, 10, (5, 14)), (5, 15, 10, (5, 14)), (5, 100, 1, (5, 5)),
        (0, 0, 500, (0, 0)),
    ],
)  # fmt: skip
def test_the_next_range(next_block: int, latest: int, span: int, wanted: tuple[int, int] | None) -> None:
    assert rules.next_range(next_block, latest, span) == wanted


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(1, 700))
def test_ranges_read_every_block_once(start: int, latest: int, span: int) -> None:
    at, read = start, 0
    while (wanted := rules.next_range(at, latest, span)) is not None:
        first, last = wanted
        assert first == at
        assert last - first + 1 <= span
        read += last - first + 1
        at = last + 1
    assert read == max(0, latest - start + 1)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 2_000))
def test_a_span_stays_in_bounds_and_shrinks_until_it_fits(refusals: list[bool], span: int) -> None:
    for refused in refusals:
        changed = rules.adapt_span(span, too_large=refused)
        assert 1 <= changed <= 2_000
        assert changed < span or span == 1 if refused else changed > span or span == 2_000
        span = changed


@pytest.mark.parametrize(
    ("amounts", "credited"),
    [([1_000_000], True), ([999_999], False), ([999_999, 1], True), ([400_000, 500_000], False), ([], False)],
)
def test_dust_is_credited_when_it_adds_up_to_the_minimum(amounts: list[int], credited: bool) -> None:
    assert rules.dust_is_creditable(amounts, POLICY) is credited


HOT, COLD, THEIRS, OTHERS = ("0x" + digit * 40 for digit in "abcd")
WALLETS = Wallets(hot=HOT, gas="0x" + "e" * 40, cold=COLD)


@pytest.mark.parametrize(
    ("sender", "receiver", "expected"),
    [
        (OTHERS, THEIRS, ("seen", None)),
        (COLD, THEIRS, ("seen", None)),
        (OTHERS, HOT, ("seen", "treasury")),
        (COLD, HOT, ("seen", "cold_refill")),
        (THEIRS, HOT, ("seen", "unrecorded_sweep")),
        (HOT, HOT, None),
        (HOT, COLD, ("seen", "moved_to_cold")),
        (THEIRS, COLD, ("seen", "rescued_to_cold")),
        (OTHERS, COLD, ("ignored", "cold_wallet")),
        (COLD, COLD, None),
    ],
)
def test_who_sent_it_says_what_a_transfer_into_our_wallets_is(
    sender: str, receiver: str, expected: tuple[str, str | None] | None
) -> None:
    seen = log().model_copy(update={"from_address": sender, "to_address": receiver})
    found = rules.sighting(seen, POLICY, WALLETS, from_deposit_address=sender == THEIRS, signed=False)
    assert found == expected


def test_what_we_signed_ourselves_is_booked_by_its_process_alone() -> None:
    sweep = log().model_copy(update={"from_address": THEIRS, "to_address": HOT})
    assert rules.sighting(sweep, POLICY, WALLETS, from_deposit_address=True, signed=True) is None
    withdrawal = log().model_copy(update={"from_address": HOT, "to_address": THEIRS})
    assert rules.sighting(withdrawal, POLICY, WALLETS, from_deposit_address=False, signed=True) == ("seen", None)


def test_other_tokens_and_empty_transfers_into_our_wallets_are_no_money() -> None:
    empty = log(amount=0).model_copy(update={"to_address": HOT})
    assert rules.sighting(empty, POLICY, WALLETS, from_deposit_address=False, signed=False) == ("ignored", "zero_value")
    other = log(token="0x" + "99" * 20).model_copy(update={"to_address": COLD})
    assert rules.sighting(other, POLICY, WALLETS, from_deposit_address=False, signed=False) is None


@pytest.mark.parametrize(
    ("amount", "reason", "dust_waits", "parked", "plain"),
    [
        (1_000_000, None, False, False, True),
        (999_999, None, False, False, False),
        (5_000_000, None, True, False, False),
        (5_000_000, None, False, True, False),
        (1, "treasury", False, False, True),
        (1, "treasury", True, False, True),
        (1, "treasury", False, True, False),
    ],
)
def test_plain_is_what_needs_no_decision(
    amount: int, reason: str | None, dust_waits: bool, parked: bool, plain: bool
) -> None:
    assert rules.is_plain(amount, reason, POLICY, dust_waits=dust_waits, parked=parked) is plain
