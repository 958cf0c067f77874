"""When a webhook is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.operations.webhooks import LIFETIME_S, LONGEST_S, next_delay_s


def test_a_dead_receiver_is_tried_about_twenty_times_in_three_days() -> None:
    age, attempts = 0, 1
    while (delay := next_delay_s(attempts, age)) is not None:
        age += delay
        attempts += 1
    assert 15 <= attempts <= 25
    assert LIFETIME_S - LONGEST_S <= age <= LIFETIME_S


def test_the_first_repeats_come_soon() -> None:
    assert [next_delay_s(n, 0) for n in (1, 2, 3)] == [1, 5, 30]


@given(st.integers(1, 1000), st.integers(0, LIFETIME_S), st.integers(0, 10**9))
def test_delays_grow_stay_bounded_and_never_pass_the_end(attempts: int, age: int, asked: int) -> None:
    delay = next_delay_s(attempts, age, asked)
    if delay is None:
        assert age + LONGEST_S > LIFETIME_S
        return
    assert 1 <= delay <= LONGEST_S
    assert age + delay <= LIFETIME_S
    assert delay >= min(asked, LONGEST_S)
    later = next_delay_s(attempts + 1, 0)
    assert later is not None
    assert later >= (next_delay_s(attempts, 0) or 0)
