"""Which blocks a replay reads again: only those of transfers that were passed over, and only if they are named."""

from __future__ import annotations

from typing import Any

import pytest

from domain.exchange.passed_over import KIND, Blocks, blocks_of


def test_the_blocks_of_a_passed_over_transfer() -> None:
    assert blocks_of(KIND, {"token": "0x", "first_block": 7, "last_block": 9}) == Blocks(7, 9)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("receipt", {"first_block": 7, "last_block": 9}),
        (KIND, None),
        (KIND, [7, 9]),
        (KIND, {}),
        (KIND, {"first_block": 7}),
        (KIND, {"first_block": "7", "last_block": "9"}),
        (KIND, {"first_block": 9, "last_block": 7}),
        (KIND, {"first_block": -1, "last_block": 7}),
    ],
)
def test_everything_else_has_nothing_to_read_again(kind: str, payload: Any) -> None:
    assert blocks_of(kind, payload) is None
