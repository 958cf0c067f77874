"""Identity of rows without ids: any split into readings, repeated, reordered and overlapping, gives the same set."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.identity import agreed, fact_of, identified, merged, repeats, source_id, whole
from domain.copytrade.venue import ActivityRow, Kind

WALLET = "0x" + "a" * 40


def row(tx: int = 1, size: str = "20", price: str = "0.52", at: int = 1_795_000_000, **more: object) -> ActivityRow:
    base = ActivityRow(
        WALLET, Kind.TRADE, "0xc", "7", "BUY", Decimal(size), Decimal("10.4"), Decimal(price), f"0x{tx:064x}", at
    )
    return base._replace(**more)  # type: ignore[arg-type]


def ids(rows: list[ActivityRow]) -> list[str]:
    return [one.source_id for one in identified(rows)]


def test_equal_fills_of_one_transaction_are_different_fills() -> None:
    first, second = identified([row(), row()])
    assert (first.occurrence, second.occurrence) == (0, 1)
    assert first.source_id != second.source_id


def test_numbers_are_compared_by_value_not_by_spelling() -> None:
    assert fact_of(row(size="20", price="0.520")) == fact_of(row(size="20.0", price="0.52"))
    assert fact_of(row(size="1E+2")) == fact_of(row(size="100"))


def test_a_replaced_block_does_not_make_another_fill() -> None:
    assert ids([row(at=1_795_000_000)]) == ids([row(at=1_795_000_002)])


def test_a_row_without_transaction_is_known_by_its_time() -> None:
    reward = row(kind=Kind.REWARD, tx_hash="", token_id="", condition_id="")
    assert ids([reward]) != ids([reward._replace(timestamp=reward.timestamp + 1)])


def test_the_price_of_a_split_says_nothing() -> None:
    split = row(kind=Kind.SPLIT, token_id="", side="")
    assert ids([split]) == ids([split._replace(price=Decimal("0.5"))]) == ids([split._replace(price=Decimal(1))])


def test_two_redemptions_of_one_size_are_told_apart_by_their_tokens() -> None:
    yes = row(kind=Kind.REDEEM, side="", token_id="1")
    no = yes._replace(token_id="2")
    assert set(ids([yes, no])) == set(ids([no, yes]))


def test_an_identity_is_known() -> None:
    """A golden: it may never change, or every row would be a new one."""
    assert source_id(fact_of(row()), 0) == "79df83d2ebb71f2c130b39b21dcf265acf7b4829eb1a7688f7964ea1ae43a3e4"


seconds = st.integers(0, 12)
histories = st.lists(st.tuples(seconds, st.integers(1, 3), st.sampled_from(["1", "2"])), max_size=40)


def history(drawn: list[tuple[int, int, str]]) -> list[ActivityRow]:
    """Transactions of one second each, some with equal rows in them."""
    rows = [row(tx=100 * at + tx, size=size, at=1_795_000_000 + at) for at, tx, size in drawn]
    return sorted(rows, key=lambda one: one.timestamp)


@given(histories, st.lists(st.tuples(seconds, seconds), max_size=8), st.randoms(use_true_random=False))
def test_overlapping_readings_in_any_order_give_the_same_set(
    drawn: list[tuple[int, int, str]], windows: list[tuple[int, int]], dice: random.Random
) -> None:
    rows = history(drawn)
    readings = [rows]
    for a, b in windows:
        since, until = 1_795_000_000 + min(a, b), 1_795_000_000 + max(a, b)
        reading = [one for one in rows if since <= one.timestamp <= until]
        dice.shuffle(reading)
        readings.append(reading)
    dice.shuffle(readings)
    found = merged(readings)
    assert sorted(one.source_id for one in found) == sorted(ids(rows))
    assert len(found) == len(rows)


@given(histories, st.integers(1, 10))
def test_pages_cut_at_whole_seconds_give_the_same_set(drawn: list[tuple[int, int, str]], size: int) -> None:
    """What a client does: a page is cut before its last second, the next begins with that second."""
    rows, readings, since = history(drawn), list[list[ActivityRow]](), 0
    while True:
        left = [one for one in rows if one.timestamp >= since]
        page, more = left[:size], len(left) > size
        kept = whole(page, more=more)
        if more and not kept:  # a second larger than a page: the page grows, as the cursor walks on
            size += 1
            continue
        readings.append(kept)
        if not more:
            break
        since = kept[-1].timestamp + 1
    assert sorted(one.source_id for one in merged(readings)) == sorted(ids(rows))


@given(histories)
def test_a_row_served_twice_is_one_row(drawn: list[tuple[int, int, str]]) -> None:
    rows = history(drawn)
    doubled = [one for one in rows for _ in (0, 1)]
    assert repeats(doubled) == bool(rows)
    assert sorted(ids(agreed(doubled, rows))) == sorted(ids(rows))


@given(histories)
def test_real_twins_survive_the_second_reading(drawn: list[tuple[int, int, str]]) -> None:
    rows = history(drawn)
    assert agreed(rows, rows) == rows
