"""Whatever a chain does to its own past, the scanner's ancestor is where both histories part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.exchange.deposits import common_ancestor
from domain.exchange.messages import BlockRef

Chain = list[BlockRef]


def extend(chain: Chain, branch: int, length: int) -> Chain:
    """Blocks on top of the last one; a hash names the whole history below it, as on a real chain."""
    grown = list(chain)
    for _ in range(length):
        parent = grown[-1].hash if grown else "genesis"
        grown.append(BlockRef(number=len(grown), hash=f"{parent}/{branch}", parent_hash=parent))
    return grown


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 2)), max_size=12), st.integers(1, 8))
def test_blocks_up_to_the_ancestor_are_shared_and_the_next_one_is_not(
    reorganisations: list[tuple[int, int, int]], start: int
) -> None:
    seen = extend([], 0, start)
    for dropped, added, branch in reorganisations:
        now = extend(seen[: max(0, len(seen) - dropped)], branch, added)
        ancestor = common_ancestor(seen, now)
        shared = 0 if ancestor is None else ancestor + 1
        assert seen[:shared] == now[:shared]
        if shared < min(len(seen), len(now)):
            assert seen[shared].hash != now[shared].hash
        seen = now or extend([], branch, 1)
