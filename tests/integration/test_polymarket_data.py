"""The Data API clients, both generations, on the local venue: one feed, whole transactions, nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from domain.copytrade.venue import ActivityRow, Kind
from gateways.polymarket.data import DataApiV2
from gateways.protocols import Quarantined
from tests.venue_desk import NOW, Desk, Generation, desk, small


@pytest_asyncio.fixture(params=["v2", "v1"], loop_scope="session")
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async with desk(data_version=request.param) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def second() -> AsyncIterator[Desk]:
    async with desk() as made:
        yield made


def keyed(rows: tuple[ActivityRow, ...]) -> Counter[tuple[object, ...]]:
    return Counter((r.tx_hash, r.kind, r.token_id, r.condition_id, r.side, r.size, r.usdc_size, r.price) for r in rows)


async def live_a_little(made: Desk) -> str:
    """A wallet that traded, split, merged and redeemed."""
    venue = made.venue
    await venue.trade("alice", "treaty-signed:0", "BUY", "20", price="0.43", at=NOW - 900)
    await venue.split("alice", "bitcoin-up", "12.5", at=NOW - 800)
    await venue.trade("alice", "bitcoin-up:1", "SELL", "2.5", price="0.5", at=NOW - 700)
    await venue.merge("alice", "bitcoin-up", "10", at=NOW - 600)
    await venue.credit("alice", "MAKER_REBATE", "0.37", at=NOW - 500)
    await venue.trade("alice", "treaty-signed:0", "SELL", "5", price="0.44", role="maker", at=NOW - 400)
    await venue.resolve("treaty-signed", 0)
    await venue.redeem("alice", "treaty-signed", at=NOW - 300)
    return venue.address("alice")


async def test_activity_is_everything_that_moved_positions_in_order(both: Desk) -> None:
    wallet = await live_a_little(both)
    feed = await both.polymarket.data.activity(wallet, NOW - 1_000, NOW)
    kinds = [Kind.TRADE, Kind.SPLIT, Kind.TRADE, Kind.MERGE, Kind.TRADE, Kind.REDEEM]
    assert [row.kind for row in feed.rows] == kinds
    assert feed.complete
    assert feed.through == NOW
    assert all(row.wallet == wallet and row.tx_hash == row.tx_hash.lower() for row in feed.rows)
    split, bought = feed.rows[1], feed.rows[0]
    assert (split.token_id, split.side, split.size) == ("", "", Decimal("12.5")), "no leg is invented"
    assert (bought.side, bought.size, bought.price) == ("BUY", Decimal(20), Decimal("0.43"))
    assert isinstance(bought.usdc_size, Decimal)
    assert both.held == []


async def test_activity_of_every_kind_is_there_when_asked_for(both: Desk) -> None:
    wallet = await live_a_little(both)
    await both.venue.credit("alice", "DEPOSIT", "100", at=NOW - 200)
    feed = await both.polymarket.data.activity(wallet, NOW - 1_000, None, tuple(Kind))
    assert {Kind.MAKER_REBATE, Kind.DEPOSIT} <= {row.kind for row in feed.rows}
    rebate = next(row for row in feed.rows if row.kind is Kind.MAKER_REBATE)
    assert rebate.condition_id == ""


async def test_a_window_includes_both_its_ends(both: Desk) -> None:
    for at in (NOW - 3, NOW - 2, NOW - 1, NOW):
        await both.venue.trade("bob", "treaty-signed:0", "BUY", "5", price="0.4", at=at)
    feed = await both.polymarket.data.activity(both.venue.address("bob"), NOW - 2, NOW - 1)
    assert [row.timestamp for row in feed.rows] == [NOW - 2, NOW - 1]


@pytest.mark.parametrize("generation", ["v2", "v1"])
async def test_a_page_boundary_inside_one_transaction_loses_nothing(generation: Generation) -> None:
    async with desk() as made:
        for number in range(7):
            await made.venue.trade(
                "carol", "treaty-signed:0", "BUY", "5", price="0.4", copies=3, at=NOW - 100 + number // 2
            )
        wallet = made.venue.address("carol")
        feed = await small(made, generation, 4).activity(wallet, NOW - 200, NOW)
        whole = await made.polymarket.data.activity(wallet, NOW - 200, NOW)
        assert len(whole.rows) == 21
        assert keyed(feed.rows) == keyed(whole.rows)
        assert feed.complete


@pytest.mark.parametrize("generation", ["v2", "v1"])
async def test_identical_fills_of_one_transaction_are_all_there(generation: Generation) -> None:
    async with desk(data_version=generation) as made:
        deed = await made.venue.trade("dora", "treaty-signed:0", "BUY", "5", price="0.4", copies=2, at=NOW - 9)
        feed = await made.polymarket.data.activity(made.venue.address("dora"), NOW - 10, NOW)
        assert [row.tx_hash for row in feed.rows] == [deed.tx_hash] * 2
        assert len(keyed(feed.rows)) == 1


async def test_a_feed_cut_short_ends_at_a_whole_second_and_goes_on_from_there(second: Desk) -> None:
    for number in range(10):
        await second.venue.trade("erin", "treaty-signed:0", "BUY", "5", price="0.4", copies=2, at=NOW - 50 + number)
    wallet, client = second.venue.address("erin"), small(second, "v2", 3, pages=2)
    first = await client.activity(wallet, NOW - 60, NOW)
    assert not first.complete
    assert max(row.timestamp for row in first.rows) == first.through
    found, since = list(first.rows), first.through + 1
    for _ in range(20):
        feed = await client.activity(wallet, since, NOW)
        found += feed.rows
        since = feed.through + 1
        if feed.complete:
            break
    assert len(found) == 20
    assert feed.complete


async def test_a_second_fuller_than_the_pages_is_still_read_whole(second: Desk) -> None:
    await second.venue.trade("finn", "treaty-signed:0", "BUY", "5", price="0.4", copies=9, at=NOW - 5)
    wallet = second.venue.address("finn")
    assert len((await small(second, "v2", 2, pages=1).activity(wallet, NOW - 9, NOW)).rows) == 9
    assert len((await small(second, "v1", 4).activity(wallet, NOW - 9, NOW)).rows) == 9


async def test_every_page_sends_the_same_filters_and_a_url_of_its_own(second: Desk) -> None:
    for number in range(5):
        await second.venue.trade("gina", "treaty-signed:0", "BUY", "5", price="0.4", at=NOW - 50 + number)
    await small(second, "v2", 2).activity(second.venue.address("gina"), NOW - 60, NOW)
    urls = [url.partition("?")[2].split("&") for url in second.asked("data:/v2/activity")]
    assert len(urls) == 3
    kept = [sorted(p for p in url if not p.startswith(("cursor=", "_="))) for url in urls]
    assert kept[0] == kept[1] == kept[2]
    assert "sort_direction=ASC" in kept[0]
    assert len({next(p for p in url if p.startswith("_=")) for url in urls}) == 3


async def test_a_cached_page_is_not_met_because_no_url_comes_twice() -> None:
    async with desk(cache=True) as made:
        wallet = made.venue.address("hans")
        assert (await made.polymarket.data.activity(wallet, NOW - 60, NOW)).rows == ()
        await made.venue.trade("hans", "treaty-signed:0", "BUY", "5", price="0.4", at=NOW - 5)
        assert len((await made.polymarket.data.activity(wallet, NOW - 60, NOW)).rows) == 1


async def test_trades_hold_maker_fills_too_and_agree_with_activity(both: Desk) -> None:
    wallet = await live_a_little(both)
    trades = await both.polymarket.data.trades(wallet, NOW - 1_000, NOW)
    activity = await both.polymarket.data.activity(wallet, NOW - 1_000, NOW, (Kind.TRADE,))
    strip = [row._replace(usdc_size=None, raw="") for row in activity.rows]
    assert [row._replace(raw="") for row in trades.rows] == strip
    assert len(strip) == 3
    assert "0.44" in {str(row.price) for row in trades.rows}, "the maker fill"


async def test_a_mixed_case_wallet_is_lower_case_everywhere(both: Desk) -> None:
    wallet = await live_a_little(both)
    route = "data:/v2/activity" if isinstance(both.polymarket.data, DataApiV2) else "data:/activity"
    both.venue.fail(route, "mixed_case")
    shouted = "0x" + wallet[2:].upper()
    feed = await both.polymarket.data.activity(shouted, NOW - 1_000, NOW)
    assert {row.wallet for row in feed.rows} == {wallet}
    assert len(feed.rows) == 6


async def test_outcome_index_999_changes_nothing(second: Desk) -> None:
    deed = await second.venue.trade("ida", "treaty-signed:1", "BUY", "5", price="0.4", labelled=False, at=NOW - 5)
    assert deed.rows[0]["outcome_index"] == 999
    feed = await second.polymarket.data.activity(second.venue.address("ida"), NOW - 9, NOW)
    assert feed.rows[0].token_id == second.venue.venue.token("treaty-signed:1")[1].id


async def test_a_combo_row_is_flagged(both: Desk) -> None:
    await both.venue.combo("jack", "10", "0.2", at=NOW - 5)
    feed = await both.polymarket.data.activity(both.venue.address("jack"), NOW - 9, NOW)
    assert [row.is_combo for row in feed.rows] == [True]
    assert both.held == []


async def test_a_zero_size_merge_is_handed_over(second: Desk) -> None:
    await second.venue.split("kim", "bitcoin-up", "5", at=NOW - 9)
    await second.venue.merge("kim", "bitcoin-up", "0", at=NOW - 5)
    feed = await second.polymarket.data.activity(second.venue.address("kim"), NOW - 9, NOW)
    assert [(row.kind, row.size) for row in feed.rows] == [(Kind.SPLIT, Decimal(5)), (Kind.MERGE, Decimal(0))]


@pytest.mark.parametrize("with_token", [True, False])
async def test_a_redeem_with_and_without_token(both: Desk, with_token: bool) -> None:
    await both.venue.trade("lena", "bitcoin-up:0", "BUY", "5", price="0.4", at=NOW - 9)
    await both.venue.resolve("bitcoin-up", 0)
    await both.venue.redeem("lena", "bitcoin-up", with_token=with_token, at=NOW - 5)
    feed = await both.polymarket.data.activity(both.venue.address("lena"), NOW - 6, NOW)
    assert [row.kind for row in feed.rows] == [Kind.REDEEM]
    assert bool(feed.rows[0].token_id) is with_token


async def test_an_unknown_type_goes_to_quarantine_and_the_good_rows_go_on(second: Desk) -> None:
    wallet = await live_a_little(second)
    second.venue.fail("data:/v2/activity", "unknown_type")
    feed = await second.polymarket.data.activity(wallet, NOW - 1_000, NOW)
    assert feed.rows == ()
    assert feed.held_back == 6
    assert {(held.kind, held.reason) for held in second.held} == {("data_activity", "unknown type 'TELEPORT'")}
    assert second.held[0].payload["price"] == "0.43", "no digit was changed on the way"


@pytest.mark.parametrize(
    ("field", "value"),
    [("size", None), ("size", "many"), ("timestamp", 1_999_999_100_000), ("token_id", 12), ("side", "HOLD"),
     ("transaction_hash", ""), ("proxy_wallet", "0x" + "9" * 40), ("price", 7)],
)  # fmt: skip
async def test_an_odd_row_is_kept_apart(second: Desk, field: str, value: object) -> None:
    await second.venue.trade("mia", "treaty-signed:0", "BUY", "5", price="0.4", at=NOW - 5)
    second.venue.fail("data:/v2/activity", "as", field=field, value=value)
    feed = await second.polymarket.data.activity(second.venue.address("mia"), NOW - 9, NOW)
    assert feed.rows == ()
    assert len(second.held) == 1
    assert second.held[0].payload[field] == value


@pytest.mark.parametrize("fault", ["odd_shape", "bare_list", "null_rows", "no_cursor", "half_json", "empty"])
async def test_a_page_of_unknown_shape_is_quarantined_whole(second: Desk, fault: str) -> None:
    second.venue.fail("data:/v2/activity", fault)
    with pytest.raises(Quarantined) as odd:
        await second.polymarket.data.activity(second.venue.address("mia"), NOW - 9, NOW)
    assert odd.value.kind == "data_activity"


async def test_reordered_pages_come_out_in_order_and_whole(second: Desk) -> None:
    for number in range(12):
        await second.venue.trade("nora", "treaty-signed:0", "BUY", "5", price="0.4", at=NOW - 50 + number)
    second.venue.fail("data:/v2/activity", "reordered", times=None)
    feed = await small(second, "v2", 5, pages=1).activity(second.venue.address("nora"), NOW - 60, NOW)
    assert feed.complete
    assert [row.timestamp for row in feed.rows] == list(range(NOW - 50, NOW - 38))


async def test_numbers_as_text_mean_the_same(second: Desk) -> None:
    await second.venue.trade("olga", "treaty-signed:0", "BUY", "5.25", price="0.4", at=NOW - 5)
    wallet = second.venue.address("olga")
    plain = await second.polymarket.data.activity(wallet, NOW - 9, NOW)
    second.venue.fail("data:/v2/activity", "string_numbers")
    told = await second.polymarket.data.activity(wallet, NOW - 9, NOW)
    assert [row._replace(raw="") for row in told.rows] == [row._replace(raw="") for row in plain.rows]
