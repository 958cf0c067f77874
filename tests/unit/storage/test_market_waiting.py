"""What an engine knows to wait: in order, each once, and looked for again when nobody knows what became of it."""

from __future__ import annotations

import struct

import pytest

from activities.exchange.market import BATCH, SMALL, _share
from storage.columns import documents
from storage.exchange.market_waiting import Waiting


def row(number: int) -> tuple[object, ...]:
    return (number, f"order-{number}", "asset", "account", "buy", 10, 0)


def waiting(*numbers: int) -> Waiting:
    found = Waiting()
    found.add([row(number) for number in numbers])
    return found


def test_orders_wait_in_the_order_of_acceptance_until_they_are_done() -> None:
    found = waiting(1, 2, 3)
    assert [order.id for order in found.first(2)] == ["order-1", "order-2"]
    found.done(found.first(2))
    found.add([row(4)])
    assert [order.id for order in found.first(9)] == ["order-3", "order-4"]


def test_a_look_leaves_out_what_is_known() -> None:
    assert waiting(5, 7).look() == (0, "{5,7}")


def test_looks_within_a_second_begin_behind_what_was_read_two_looks_everywhere_ago() -> None:
    found = waiting(5, 7)
    assert found.look()[0] == 0
    assert found.look()[0] == 0, "nothing is passed over before it was looked for everywhere once more"
    found._everywhere_at = 0.0
    assert found.look()[0] == 0
    assert found.look()[0] == 7


def test_after_a_failure_everything_is_read_again() -> None:
    found = waiting(5, 7)
    for _ in range(2):
        found._everywhere_at = 0.0
        found.look()
    assert found.look()[0] == 7
    found.forget()
    assert (found.first(9), found.fresh, found.look()) == ([], False, (0, "{}"))


@pytest.mark.parametrize(
    ("known", "last", "taken"),
    [(3, 0, SMALL), (64, 0, 32), (32, 32, 32), (BATCH, 0, BATCH // 2), (BATCH, BATCH, BATCH), (20, 44, 32)],
)
def test_half_of_what_is_under_way_is_taken(known: int, last: int, taken: int) -> None:
    assert _share(known, last) == taken


def test_documents_are_a_binary_array() -> None:
    assert documents([b"{}", b"[1]"]) == (
        struct.pack(">iiIii", 1, 0, 3802, 2, 1) + struct.pack(">i", 3) + b"\x01{}" + struct.pack(">i", 4) + b"\x01[1]"
    )
