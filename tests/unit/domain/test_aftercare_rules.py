"""When a team's slice is worth a transaction, and what makes a position empty."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.launchpad.aftercare import is_empty, slice_due
from domain.launchpad.sale import PositionState, VestingState
from domain.launchpad.vesting import vested

DAY, MONTH = 86_400, 2_592_000
CLIFF, END = 15_552_000, 62_208_000


def waiting(lamports: int, tokens: int, claimed: tuple[int, int] = (0, 0), starts_at: int = 1_000) -> VestingState:
    return VestingState(
        sale="s", beneficiary="b", lamports=lamports, tokens=tokens, claimed_lamports=claimed[0],
        claimed_tokens=claimed[1], starts_at=starts_at, cliff_seconds=CLIFF, vest_seconds=END,
    )  # fmt: skip


def amounts(most: int) -> st.SearchStrategy[int]:
    """Nothing, or so much that rounding is no slice of its own."""
    return st.just(0) | st.integers(10**6, most)


@given(amounts(10**12), amounts(10**18))
def test_looked_at_daily_a_team_gets_everything_in_some_twenty_slices(lamports: int, tokens: int) -> None:
    claimed, slices = (0, 0), 0
    for day in range(END // DAY + 3):
        state = waiting(lamports, tokens, claimed)
        if slice_due(state, 1_000 + day * DAY, MONTH):
            slices += 1
            by_now = [vested(whole, day * DAY, CLIFF, END) for whole in (lamports, tokens)]
            assert by_now != list(claimed), "there is something in it"
            claimed = (by_now[0], by_now[1])
    assert claimed == (lamports, tokens)
    assert slices <= 19


def test_nothing_is_due_before_the_cliff_nor_by_a_clock_that_is_behind() -> None:
    for now in (0, 1_000, 1_000 + CLIFF, 1_000 + CLIFF + MONTH - DAY):
        assert not slice_due(waiting(10**9, 10**9), now, MONTH)
    assert slice_due(waiting(18 * 10**9, 10**9), 1_000 + CLIFF + MONTH, MONTH)
    assert slice_due(waiting(0, 18 * 10**9), 1_000 + CLIFF + MONTH, MONTH), "tokens alone"


def test_the_rest_is_due_however_little_it_is() -> None:
    assert slice_due(waiting(10**9, 10**9, (10**9, 10**9 - 1)), 1_000 + END, MONTH)
    assert not slice_due(waiting(10**9, 10**9, (10**9, 10**9)), 1_000 + END, MONTH)


def test_a_position_is_empty_when_nobody_waits_for_anything_in_it() -> None:
    def position(tokens: int, *earned: int) -> PositionState:
        return PositionState(
            address="a", sale="s", buyer="b", tokens=tokens, bought=9, paid=0, tax=0, earned=(*earned, 0, 0, 0, 0)
        )

    assert is_empty(position(0, 0))
    assert not is_empty(position(1, 0))
    assert not is_empty(position(0, 1))
