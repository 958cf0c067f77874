"""When leaders are read, what belongs to the baseline, which group an event joins, what drift is."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.baseline import Look, fits, opening, same
from domain.copytrade.config import CopyConfig, Guardrails
from domain.copytrade.drift import Difference, differences
from domain.copytrade.grouping import InForce, Part, grouped
from domain.copytrade.groups import GroupKind
from domain.copytrade.legs import Applied, Waits
from domain.copytrade.normalise import Move, Trade, normalise
from domain.copytrade.odd_rows import read_again_from
from domain.copytrade.pace import Pace
from domain.copytrade.portfolio import Holding
from domain.copytrade.shadow import NOTHING_LEFT, Known, MarketLegs, Moved, Seen, Shadow
from domain.copytrade.venue import ONE, ActivityRow, Kind, VenuePosition

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WALLET = "0x" + "a" * 40


# Pace.


def test_a_leader_is_due_at_once_then_every_poll() -> None:
    pace = Pace(30, 60)
    assert pace.due("a", 100)
    pace.read("a", 100, complete=True)
    assert [pace.due("a", at) for at in (101, 129.9, 130)] == [False, False, True]


def test_a_window_that_was_cut_goes_on_at_once() -> None:
    pace = Pace(30, 60)
    pace.read("a", 100, complete=False)
    assert pace.due("a", 100)


def test_a_hint_is_followed_after_half_a_second_and_then_every_second_until_it_is_met() -> None:
    pace = Pace(30, 60)
    pace.read("a", 100, complete=True)
    pace.hint("a", 102, on=True)
    assert [pace.due("a", at) for at in (102.0, 102.4, 102.5)] == [False, False, True]
    pace.read("a", 102.5, complete=True)
    assert [pace.due("a", at) for at in (103.0, 103.5)] == [False, True]
    pace.hint("a", 103.5, on=False)
    assert not pace.due("a", 104)


def test_rate_limits_slow_everything_down_and_answers_speed_it_up_again() -> None:
    pace = Pace(30, 60)
    for _ in range(5):
        pace.limited(yes=True)
    assert pace.slow == 8
    pace.read("a", 0, complete=True)
    assert not pace.due("a", 239)
    for _ in range(3):
        pace.limited(yes=False)
    assert pace.slow == 1


def test_failures_wait_longer_but_never_longer_than_a_poll() -> None:
    pace, waits = Pace(30, 60), []
    for _ in range(8):
        pace.failed("a", 0)
        waits.append(next(at for at in range(100) if pace.due("a", at)))
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_the_last_two_minutes_are_due_every_reconcile() -> None:
    pace = Pace(30, 60)
    assert [pace.reconciles("a", at) for at in (0, 30, 60, 61)] == [True, False, True, False]


# Baseline.


def row(token: str, at: int, size: str = "5", kind: Kind = Kind.TRADE) -> ActivityRow:
    return ActivityRow(WALLET, kind, "0xc", token, "BUY", Decimal(size), Decimal(1), Decimal("0.5"), f"0x{at:064x}", at)


def position(token: str, shares: int, moved: int | None, price: int | None = 400_000) -> VenuePosition:
    return VenuePosition(WALLET, token, "0xc", shares, 500_000, price, "Yes", "", moved)


def test_two_equal_looks_are_the_same_and_a_row_between_them_is_not() -> None:
    first = Look(100, (row("1", 150),), (position("1", 5, 150),), (row("1", 150),))
    later = first._replace(after=(row("1", 150), row("1", 160)))
    assert same(first, first)
    assert not same(first, later)
    assert not same(first, first._replace(positions=(position("1", 6, 150),)))


def test_positions_that_know_more_than_the_activity_do_not_fit() -> None:
    assert fits(Look(100, (), (position("1", 5, 150),), (row("1", 150),)))
    assert not fits(Look(100, (), (position("1", 5, 160),), (row("1", 150),)))


def test_activity_that_knows_more_than_the_positions_does_not_fit() -> None:
    assert not fits(Look(100, (), (position("1", 5, 150),), (row("1", 150), row("1", 155))))


def test_positions_of_long_ago_and_of_unknown_times_fit() -> None:
    assert fits(Look(100, (), (position("1", 5, 50), position("2", 5, None)), ()))


def test_opening_entries_are_at_the_present_price() -> None:
    entries = opening([position("2", 5, 1), position("1", 3, 1, None), position("3", 0, 1)], NOON)
    assert [(one.token_id, one.shares, one.price, one.cash) for one in entries] == [
        ("1", 3, 500_000, 0), ("2", 5, 400_000, 0),
    ]  # fmt: skip


# Groups.


def part(number: int, at: datetime, user: str = "u", token: str = "7") -> Part:
    return Part(str(number), user, GroupKind.BUY, "0xc", (token,), at, 10 * ONE, 5 * ONE, 5 * ONE + 1, 1)


RULES = {
    "u": InForce(CopyConfig(), CopyConfig()),
    "w": InForce(CopyConfig(guardrails=Guardrails(aggregation_window_ms=250)), CopyConfig()),
}


def test_slices_of_one_window_are_one_group_with_their_sums() -> None:
    done = grouped(
        [part(1, NOON), part(2, NOON + timedelta(seconds=1))], {}, RULES, "seed", NOON + timedelta(seconds=4)
    )
    [group] = done.groups
    assert (group.fills, group.shares, group.notional, group.price, group.cash, group.fees) == (
        2, 20 * ONE, 10 * ONE, 500_000, 10 * ONE + 2, 2,
    )  # fmt: skip
    assert group.group_key == "u:7:BUY:2026-11-20T12:00:00.000Z"
    assert group.frozen_at == NOON + timedelta(seconds=4)


def test_a_late_slice_opens_another_group_and_changes_none() -> None:
    now = NOON + timedelta(seconds=4)
    [first] = grouped([part(1, NOON)], {}, RULES, "seed", now).groups
    base = first.group_key
    [second] = grouped([part(2, NOON)], {base: first}, RULES, "seed", now + timedelta(microseconds=1)).groups
    assert (second.group_key, second.number, second.fills) == (f"{base}:1", 1, 1)
    [decided] = grouped([part(3, NOON)], {base: first._replace(taken=True)}, RULES, "seed", now).groups
    assert decided.number == 1


def test_the_window_is_the_leader_s_own() -> None:
    done = grouped(
        [part(1, NOON, "w"), part(2, NOON + timedelta(milliseconds=250), "w")], {}, RULES, "seed", NOON
    )  # fmt: skip
    assert len(done.groups) == 2


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["7", "8"])), min_size=1), st.randoms())
def test_the_order_of_slices_changes_no_group(drawn: list[tuple[int, str]], dice: random.Random) -> None:
    parts = [part(n, NOON + timedelta(seconds=at), token=token) for n, (at, token) in enumerate(drawn)]
    mixed = list(parts)
    dice.shuffle(mixed)
    later = NOON + timedelta(minutes=1)
    assert {one.group_key: one for one in grouped(parts, {}, RULES, "s", later).groups} == {
        one.group_key: one for one in grouped(mixed, {}, RULES, "s", later).groups
    }


# Shadow.


def seen(number: int, what: Trade | Move, token: str = "", moved: Moved | None = None, market: str = "0xc") -> Seen:
    return Seen(str(number), market, token, NOON, what, moved)


MARKET = {"0xc": MarketLegs(("yes", "no"), None, "event")}


def test_a_merge_with_one_leg_held_makes_the_other_short_and_tells_no_lie() -> None:
    shadow = Shadow({"yes": Holding(10, 5)}, Known(MARKET))
    shadow.apply(seen(1, Move(Kind.MERGE, 4, 4)))
    assert {token: one.shares for token, one in shadow.holdings.items()} == {"yes": 6, "no": -4}
    assert sum(line.entry.cash for line in shadow.lines) == 4


def test_a_redemption_waits_for_an_earlier_conversion_of_its_event() -> None:
    market = {"0xc": MARKET["0xc"]._replace(payouts=(ONE, 0)), "0xd": MarketLegs(("y2", "n2"), None, "event")}
    shadow = Shadow({"yes": Holding(5, 2)}, Known(market))
    shadow.apply(seen(1, Move(Kind.CONVERSION, 3, 0), market="0xd"))
    shadow.apply(seen(2, Move(Kind.REDEEM, 8, 8)))
    assert [type(outcome) for outcome in shadow.outcomes.values()] == [Waits, Waits]


def test_a_conversion_moves_cost_and_a_second_one_of_its_transaction_nothing() -> None:
    known = Known(MARKET, conditions={"no": "0xc", "y2": "0xd"})
    shadow = Shadow({"no": Holding(10, 6)}, known)
    moved = Moved((("no", -10), ("y2", 10)), 0)
    shadow.apply(seen(1, Move(Kind.CONVERSION, 10, 0), moved=moved))
    shadow.apply(seen(2, Move(Kind.CONVERSION, 10, 0), moved=NOTHING_LEFT))
    assert (shadow.holdings["no"].shares, shadow.holdings["y2"].shares, shadow.holdings["y2"].cost) == (0, 10, 6)
    assert shadow.holdings["y2"].condition_id == "0xd"
    assert sum(line.booked.realised for line in shadow.lines) == 0
    assert all(isinstance(outcome, Applied) for outcome in shadow.outcomes.values())


def test_a_sale_takes_its_fee_from_the_cash() -> None:
    sold = normalise(
        ActivityRow(
            WALLET, Kind.TRADE, "0xc", "yes", "SELL", Decimal(10), Decimal("4.88"), Decimal("0.5"), "0x1", 1_795_000_000
        )
    )
    assert isinstance(sold, Trade)
    shadow = Shadow({"yes": Holding(10 * ONE, 4 * ONE)}, Known({}))
    shadow.apply(seen(1, sold, "yes"))
    assert [line.entry.cash for line in shadow.lines] == [5 * ONE, -120_000]
    assert sum(line.booked.realised for line in shadow.lines) == 880_000


# Drift, replays.


def test_a_micro_is_no_drift_and_what_is_settled_may_still_be_shown() -> None:
    assert differences({"1": 10}, {}, {"1": 11}) == []
    assert differences({"1": 10}, {}, {"1": 12}) == [Difference("1", 10, 12)]
    assert differences({"1": 0}, {"1": 10}, {"1": 10}) == []
    assert differences({"1": 0}, {"1": 10}, {}) == []
    assert differences({"1": 0}, {"1": 10}, {"1": 4}) == [Difference("1", 0, 4)]
    assert differences({}, {}, {"2": 5}) == [Difference("2", 0, 5)]


def test_only_rows_of_the_venue_with_a_time_are_read_again() -> None:
    at = datetime.fromtimestamp(1_794_999_999, UTC)
    assert read_again_from("polymarket", {"timestamp": 1_795_000_000}) == at
    assert read_again_from("polymarket", '{"timestamp":"1795000000"}') == at
    assert read_again_from("polymarket", {"timestamp": True}) is None
    assert read_again_from("polymarket", "half of a page") is None
    assert read_again_from("node", {"timestamp": 1_795_000_000}) is None
