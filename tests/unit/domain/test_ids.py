"""Names of processes: deterministic, and different for different things."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.shared import ids
from domain.shared.processes import PROCESSES, QUEUES

TX = "0x" + "ab" * 32


def test_a_deposit_is_named_by_its_place_on_the_chain() -> None:
    assert ids.deposit(421614, TX, 3) == f"deposit:421614:{TX}:3"


def test_only_a_second_life_carries_its_generation() -> None:
    assert ids.deposit(1, TX, 0, 0) == ids.deposit(1, TX, 0)
    assert ids.deposit(1, TX, 0, 2) == f"deposit:1:{TX}:0:2"


places = st.tuples(st.integers(1, 10**6), st.sampled_from([TX, TX.replace("a", "c")]), st.integers(0, 500))


@given(places, places, st.integers(0, 50), st.integers(0, 50))
def test_different_lives_have_different_names(
    one: tuple[int, str, int], other: tuple[int, str, int], generation: int, later: int
) -> None:
    same = (one, generation) == (other, later)
    assert (ids.deposit(*one, generation) == ids.deposit(*other, later)) is same


def test_kinds_do_not_share_names() -> None:
    names = [
        ids.chain_scanner(1), ids.head_watcher(1), ids.deposit(1, TX, 0), ids.withdrawal("1"), ids.sweep("1"),
        ids.custody_upkeep(1), ids.webhook_delivery("1"), ids.DISPATCHER,
    ]  # fmt: skip
    assert len({name.split(":")[0] for name in names}) == len(names)


def test_every_process_runs_on_a_known_queue_under_a_workflow_of_its_own() -> None:
    assert {process.queue for process in PROCESSES.values()} <= set(QUEUES)
    assert len({process.workflow for process in PROCESSES.values()}) == len(PROCESSES)
