"""What the words of nodes prove, and names of what the chain refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.launchpad.judging import STALE_SLOTS, agreed, by_height, by_nonce, never, seen
from domain.launchpad.refusals import code_of
from domain.launchpad.solana import Epoch, Level, NonceState, NonceValue, Status, View

LAST = 500


def view(node: str, slot: int = 1_000, level: Level | None = Level.CONFIRMED, err: Any = None, at: int = 990) -> View:
    return View(node=node, slot=slot, status=None if level is None else Status(slot=at, level=level, err=err))


def unknown(node: str, slot: int = 1_000) -> View:
    return view(node, slot, None)


def epoch(node: str, height: int, slot: int = 900) -> Epoch:
    return Epoch(node=node, slot=slot, height=height)


def test_the_most_careful_node_counts() -> None:
    found = seen([view("a", level=Level.FINALIZED), view("b", level=Level.PROCESSED)])
    assert found is not None
    assert (found.level, found.disputed) == (Level.PROCESSED, False)


def test_who_does_not_know_it_has_no_say_in_how_deep_it_is() -> None:
    found = seen([view("a"), unknown("b")])
    assert found is not None
    assert found.level is Level.CONFIRMED


def test_a_node_that_stands_still_has_no_opinion() -> None:
    stale = view("b", 1_000 - STALE_SLOTS - 1, Level.PROCESSED)
    found = seen([view("a", level=Level.FINALIZED), stale, unknown("c")])
    assert found is not None
    assert found.level is Level.FINALIZED
    assert seen([stale, unknown("a"), unknown("c")]) is None


@pytest.mark.parametrize("others", [["a"], ["a", "c"], ["a", "a#2"]])
def test_one_node_far_ahead_silences_nobody(others: list[str]) -> None:
    ahead = view("b", 10**9, Level.FINALIZED)
    ahead_too = view("b#2", 10**9, Level.FINALIZED)
    honest = [view(name, level=Level.PROCESSED) for name in others]
    found = seen([ahead, ahead_too, *honest])
    assert found is not None
    assert (found.level, found.disputed) == (Level.PROCESSED, False)


def test_who_is_behind_may_still_dispute_the_end() -> None:
    stale = view("c", 1_000 - STALE_SLOTS - 1, err="AccountInUse")
    found = seen([view("a"), view("b"), stale])
    assert found is not None
    assert found.disputed
    assert found.err is None


def test_two_ends_of_one_transaction_are_a_dispute() -> None:
    found = seen([view("a"), view("b", err="AccountInUse")])
    assert found is not None
    assert found.disputed


def test_never_is_proven_by_two_nodes_beyond_its_last_block() -> None:
    beyond = [epoch("a", LAST + 1), epoch("b", LAST + 1)]
    assert never(by_height(LAST, beyond), [unknown("a"), unknown("b")], configured=2)
    assert never(by_height(LAST, beyond[:1]), [unknown("a")], configured=1)


def test_two_ways_to_one_host_are_one_witness() -> None:
    beyond = [epoch("a", LAST + 1), epoch("a#2", LAST + 1)]
    assert not never(by_height(LAST, beyond), [unknown("a"), unknown("a#2")], configured=2)
    assert never(by_height(LAST, beyond), [unknown("a"), unknown("a#2")], configured=1)
    third = epoch("b", LAST + 1)
    assert never(by_height(LAST, [*beyond, third]), [unknown("a#2"), unknown("b")], configured=2)


@pytest.mark.parametrize(
    ("epochs", "views", "configured"),
    [
        ([], [unknown("a"), unknown("b")], 2),
        ([epoch("a", LAST), epoch("b", LAST + 1)], [unknown("a"), unknown("b")], 2),
        ([epoch("a", LAST + 1)], [unknown("a"), unknown("b")], 2),
        ([epoch("a", LAST + 1), epoch("b", LAST + 1)], [unknown("a")], 2),
        ([epoch("a", LAST + 1), epoch("b", LAST + 1)], [unknown("a"), view("b")], 2),
        ([epoch("a", LAST + 1), epoch("b", LAST + 1, 1_001)], [unknown("a"), unknown("b")], 2),
        ([epoch("a", LAST + 1, 1_001)], [unknown("a")], 1),
    ],
    ids=["nobody measured", "one not beyond", "one not measured", "one not asked", "one knows it", "an older state",
         "the only one ahead of itself"],
)  # fmt: skip
def test_anything_less_proves_nothing(epochs: list[Epoch], views: list[View], configured: int) -> None:
    assert not never(by_height(LAST, epochs), views, configured=configured)


levels = st.sampled_from([None, *Level])
views = st.lists(st.builds(view, st.sampled_from("abc"), st.integers(900, 1_100), levels), max_size=4)
epochs = st.lists(st.builds(epoch, st.sampled_from("abc"), st.integers(0, 1_000), st.integers(800, 1_100)), max_size=4)


@given(views, epochs)
def test_nothing_is_seen_and_impossible_at_once(told: list[View], measured: list[Epoch]) -> None:
    if never(by_height(LAST, measured), told, configured=2):
        assert seen(told) is None
        assert min(one.height for one in measured) > LAST


OURS, OTHER = "ours", "other"
SINCE = 900
"""The slot in which ours was read."""


def state(node: str, value: str | None = OTHER, slot: int = SINCE) -> NonceState:
    return NonceState(node=node, slot=slot, value=value)


def test_a_nonce_that_is_another_on_two_hosts_is_proof() -> None:
    assert never(by_nonce(OURS, SINCE, [state("a"), state("b")]), [unknown("a"), unknown("b")], configured=2)
    assert never(by_nonce(OURS, SINCE, [state("a")]), [unknown("a")], configured=1)


@pytest.mark.parametrize(
    ("states", "views", "configured"),
    [
        ([], [unknown("a"), unknown("b")], 2),
        ([state("a"), state("b", OURS)], [unknown("a"), unknown("b")], 2),
        ([state("a"), state("b"), state("c", OURS)], [unknown("a"), unknown("b")], 3),
        ([state("a"), state("b", None)], [unknown("a"), unknown("b")], 2),
        ([state("a")], [unknown("a"), unknown("b")], 2),
        ([state("a"), state("a#2")], [unknown("a"), unknown("a#2")], 2),
        ([state("a"), state("b")], [unknown("a"), view("b")], 2),
        ([state("a"), state("b", slot=1_001)], [unknown("a"), unknown("b")], 2),
        ([state("a", None)], [unknown("a")], 1),
        ([state("b", slot=SINCE - 1), state("c", slot=SINCE - 1)], [unknown("b"), unknown("c")], 3),
        ([state("b", slot=SINCE - 1), state("c")], [unknown("b"), unknown("c")], 3),
    ],
    ids=["nobody asked", "one has ours", "a third has ours", "one has no account", "one not asked", "one host",
         "one knows it", "an older state", "the only one has no account",
         "both that answer are from before ours", "one is from before ours"],
)  # fmt: skip
def test_less_of_a_nonce_proves_nothing(states: list[NonceState], views: list[View], configured: int) -> None:
    assert not never(by_nonce(OURS, SINCE, states), views, configured=configured)


def told(*states: NonceState, configured: int = 3) -> str | None:
    found = agreed(states, configured=configured)
    return found.value if found is not None else None


def test_a_nonce_is_what_two_hosts_say() -> None:
    assert told(state("a", OURS), state("b", OURS), state("c")) == OURS
    assert told(state("a", OURS), configured=1) == OURS
    assert told(state("a", OURS), state("a#2", OURS), configured=1) == OURS
    assert told(state("a", OURS), state("a#2", OURS), state("b")) is None
    assert told(state("a", OURS), state("b", None)) is None
    assert told(state("a", None), state("b", None)) is None
    assert told() is None


def test_the_only_one_that_answers_of_several_is_not_believed() -> None:
    assert told(state("a", OURS), configured=2) is None
    assert told(state("a", OURS), state("a#2", OURS), configured=2) is None


def test_a_nonce_has_the_slot_that_two_hosts_vouch_for() -> None:
    ahead, behind, liar = state("a", OURS, slot=950), state("b", OURS, slot=940), state("c", OURS, slot=10**9)
    assert agreed([ahead, behind], configured=2) == NonceValue(value=OURS, slot=940)
    assert agreed([ahead, behind, liar], configured=3) == NonceValue(value=OURS, slot=950)
    assert agreed([behind], configured=1) == NonceValue(value=OURS, slot=940)
    before = [state("d", OTHER, slot=930), state("e", OTHER, slot=935)]
    assert agreed([*before, ahead, behind], configured=5) == NonceValue(value=OURS, slot=940)


NAMES = {6000: "badData", 6004: "saleNotOpen"}


@pytest.mark.parametrize(
    ("err", "code"),
    [
        ({"InstructionError": [2, {"Custom": 6004}]}, "sale_not_open"),
        ({"InstructionError": [0, {"Custom": 1}]}, "insufficient_funds"),
        ({"InstructionError": [0, {"Custom": 77}]}, "custom_77"),
        ({"InstructionError": [0, "ComputationalBudgetExceeded"]}, "computational_budget_exceeded"),
        ({"InsufficientFundsForRent": {"account_index": 2}}, "insufficient_funds_for_rent"),
        ("InsufficientFundsForFee", "insufficient_funds_for_fee"),
        ({"InstructionError": "odd"}, "instruction_error"),
        ({}, "{}"),
        (None, "none"),
    ],
)
def test_errors_have_names(err: Any, code: str) -> None:
    assert code_of(err, NAMES) == code
