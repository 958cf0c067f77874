"""The world of the venue: drawn leaders, what is remembered, rounds that end, real books on a tape."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cli.polymarket import NAMES, LocalPolymarket
from localnet.polymarket import rows
from localnet.polymarket.books import Book
from localnet.polymarket.facts import Action, apply
from localnet.polymarket.generator import events
from localnet.polymarket.journal import Journal
from localnet.polymarket.leaders import Leaders, Rounds
from localnet.polymarket.process import VenueProcess
from localnet.polymarket.shelf import Shelf
from localnet.polymarket.sources import Drawn
from localnet.polymarket.tape import MAGIC, Live, Played, Tape, convert, package_data
from localnet.polymarket.venue import Venue
from localnet.polymarket.world import LEADERS, furnish
from localnet.ports import PortBook, free_port
from localnet.running import Solo
from settings import WorkerSettings
from tests.localnet.conftest import eventually
from tests.world.venue import running_venue

CLOCK = 1_795_000_000_000


def lived(seed: int, actions: Iterable[Action]) -> Venue:
    venue = Venue(seed, now_ms=lambda: CLOCK)
    furnish(venue)
    for action in actions:
        apply(venue, action)
    return venue


def truth(venue: Venue) -> dict[str, Any]:
    return {name: (venue.wallet(name).cash, venue.wallet(name).positions()) for name in LEADERS}


def micros(value: Any) -> int:
    return int(Decimal(str(value)) * 10**6)


def retold(venue: Venue, name: str, conversions: list[Action]) -> tuple[int, dict[str, int]]:
    """Cash and positions of a wallet from its rows alone; only a conversion's legs are not in its row."""
    cash, held = 0, defaultdict[str, int](int)
    for known in venue.feed.rows(venue.wallet(name).address):
        row = rows.activity(venue, known)
        size, usdc = micros(row["size"]), micros(row["usdc_size"])
        tokens = [token.id for token in venue.markets[row["condition_id"]].tokens] if row["slug"] else []
        sign = -1 if row["side"] == "BUY" or row["type"] == "SPLIT" else 1
        cash += sign * usdc
        if row["type"] == "TRADE" and not row.get("is_combo"):
            held[row["token_id"]] -= sign * size
        elif row["type"] in ("SPLIT", "MERGE"):
            for token in tokens:
                held[token] -= sign * size
        elif row["type"] == "REDEEM":
            for token in [row["token_id"]] if row["token_id"] else tokens:
                held[token] = 0
        elif row["type"] == "CONVERSION":
            asked = conversions.pop(0).asked
            event = venue.markets[asked["markets"][0]].event
            for market in event.markets:
                if market.condition_id in asked["markets"]:
                    held[market.tokens[1].id] -= size
                else:
                    held[market.tokens[0].id] += size
    return cash, {token: shares for token, shares in held.items() if shares}


def test_ten_thousand_deeds_add_up_to_the_positions_from_their_rows_alone() -> None:
    actions = list(events(11, 10_000))
    venue = lived(11, actions)
    kinds = Counter(row.kind for row in venue.feed.rows() if row.role not in ("house", "house-taker"))
    assert {"TRADE", "SPLIT", "MERGE", "REDEEM", "CONVERSION", "MAKER_REBATE"} <= set(kinds), kinds
    assert min(kinds.values()) > 30, kinds
    for name in LEADERS:
        conversions = [one for one in actions if one.verb == "convert" and one.asked["wallet"] == name]
        assert retold(venue, name, conversions) == truth(venue)[name]
        assert not conversions
    traits = [
        any(row.role == "maker" for row in venue.feed.rows()),
        any(row.kind == "REDEEM" and row.token_id for row in venue.feed.rows()),
        any(row.kind == "REDEEM" and not row.token_id for row in venue.feed.rows()),
        any(row.kind == "MERGE" and row.size == 0 for row in venue.feed.rows()),
        any(row.is_combo for row in venue.feed.rows()),
        any(market.payouts == (500_000, 500_000) for market in venue.markets.values()),
        any(one.asked.get("copies", 1) > 1 for one in actions),
        any("tx_hash" in one.asked for one in actions),
    ]
    assert all(traits), traits


def test_the_deeds_follow_the_seed_and_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    assert list(events(3, 400)) == list(events(3, 800))[:400]
    assert list(events(3, 50)) != list(events(4, 50))
    one, two = (lived(3, events(3, 600)) for _ in range(2))
    assert truth(one) == truth(two)
    assert [row.tx_hash for row in one.feed.rows()] == [row.tx_hash for row in two.feed.rows()]


async def test_the_server_does_the_same_with_them() -> None:
    async with running_venue(seed=5) as running:
        for action in events(5, 500):
            await running.act(action)
        assert truth(running.venue) == truth(lived(5, events(5, 500)))


async def test_a_restart_forgets_nothing_and_no_hash_comes_twice(tmp_path: Path) -> None:
    path, hashes = tmp_path / "venue" / "journal.jsonl", set[str]()
    for run in range(3):
        journal = Journal(path, CLOCK // 1000 + run)
        assert journal.born == CLOCK // 1000, "end dates count from the first start"
        async with running_venue(seed=5, world=False) as running:
            furnish(running.venue, running.shelf, None, journal.born)
            before = journal.replay(running.venue)
            running.control.journal = journal
            assert before == run * 4
            deed = await running.trade("steady-whale", "treaty-signed:0", "BUY", "20")
            await running.split("stranger", "phone-folds", "3")
            await running.market(f"fresh-{run}", category="weather")
            await running.resolve(f"fresh-{run}", 1)
            hashes.add(deed.tx_hash)
            assert running.positions("steady-whale") == {
                running.venue.token("treaty-signed:0")[1].id: 20_000_000 * (run + 1)
            }
            assert [row["size"] for row in running.rows("stranger")] == [3] * (run + 1)
            assert running.venue.market("fresh-0").payouts == (0, 1_000_000)
        journal.close()
        with path.open("a") as torn:
            torn.write('{"verb":"split","asked":{"wal')
    assert len(hashes) == 3


async def test_leaders_act_on_the_books_and_rounds_end() -> None:
    async with running_venue(seed=5, moving=True) as running:
        left = running.venue.now_ms() // 1000 - 60
        await running.market(f"btc-updown-2s-{left}", category="crypto", ends_at=left + 2)
        tasks = [
            asyncio.create_task(Leaders(running.control, 5, a_minute=6_000).run()),
            asyncio.create_task(Rounds(running.control, 2).run()),
        ]
        resolved = lambda: [one for one in running.venue.markets.values() if one.payouts is not None]  # noqa: E731
        await eventually(lambda: len(resolved()) > 1 and len(running.rows("quick-fox")) > 10)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        [first, *_] = resolved()
        assert first.slug.endswith(str(left)), "the one that was open when nobody was here"
        assert first.slug.startswith("btc-updown-2s-")
        assert sorted(first.payouts or ()) == [0, 1_000_000]
        prices = {row["price"] for row in running.rows("quick-fox") if row["type"] == "TRADE"}
        assert prices
        assert all(0 < price < 1 for price in prices)


def test_a_drawn_book_is_the_same_at_the_same_step_and_never_crossed() -> None:
    for tick in (10_000, 1_000):
        for base in (20_000, 500_000, 980_000):
            source = Drawn(7, "somewhere", tick, base)
            for step in range(0, 600, 7):
                book = source.at(step)
                assert book == source.at(step)
                assert 0 < (book.best_bid() or 0) < (book.best_ask() or 0) < 1_000_000
                assert not [price for price in (*book.bids, *book.asks) if price % tick]
    assert len({frozenset(Drawn(7, "x").at(step).bids) for step in range(0, 600, 60)}) > 3


def test_a_book_pinned_stays_until_it_is_released() -> None:
    clock = [CLOCK]
    venue = Venue(7, now_ms=lambda: clock[0])
    furnish(venue)
    shelf = Shelf(venue, moving=True)
    market, token = venue.token("treaty-signed:0")
    before = shelf.book(token.id)
    assert before is not None
    shelf.pin(market, token, Book({400_000: 1_000_000}, {}))
    clock[0] += 600_000
    pinned = shelf.book(token.id)
    assert pinned is not None
    assert (pinned.bids, pinned.asks) == ({400_000: 1_000_000}, {})
    other = shelf.book(market.tokens[1].id)
    assert other is not None
    assert (other.bids, other.asks) == ({}, {600_000: 1_000_000})
    shelf.unpin(market)
    assert (shelf.book(token.id) or pinned).bids != pinned.bids


def test_a_file_of_another_kind_is_no_tape(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something else" * 4)
    with pytest.raises(ValueError, match="no tape"):
        Tape(tmp_path / "x")
    (tmp_path / "empty").write_bytes(MAGIC + struct.pack("<I", 2) + b"[]")
    assert Tape(tmp_path / "empty").reels == []


@pytest.mark.skipif(package_data() is None, reason="resolvedkit is a development dependency")
def test_the_real_books_are_on_the_tape_as_the_package_has_them(tmp_path: Path) -> None:
    import pyarrow.parquet as parquet  # type: ignore[import-untyped,unused-ignore]

    data = package_data()
    assert data is not None
    assert convert(data, tmp_path / "tape") == 19_166
    tape = Tape(tmp_path / "tape")
    assert (len(tape.reels), (tmp_path / "tape").stat().st_size < 6 * 2**20) == (18, True)
    reel = tape.reels[0]
    assert (reel.slug, reel.payout) == ("btc-updown-15m-1790586000", 0)
    table = parquet.read_table(data / "books.parquet", columns=["market_id", "ts", "side", "bid_px", "ask_sz"])
    first = next(row for row in table.slice(0, 10).to_pylist() if row["side"] == "UP")
    book = tape.book(reel, 0)
    assert book.changed_ms == first["ts"]
    assert sorted(book.bids, reverse=True) == [round(price * 10**6) for price in first["bid_px"]]
    assert list(book.asks.values()) == [round(size * 10**6) for size in first["ask_sz"]]
    played, live = Played(tape, reel), Live(tape, reel, 1_000_000, 60_000)
    assert played.at(0) != played.at(50)
    assert (live.at(1_000).mid() or 0) > 300_000 > 60_000 > (live.at(1_058).mid() or 0), "it ends as it paid"
    assert live.at(10**9).bids == tape.book(reel, len(reel.offsets) - 1).bids
    tape.close()


def test_the_stack_gives_the_product_the_venue_or_what_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LocalPolymarket(tmp_path, frozenset(), PortBook(tmp_path / "ports.json"))
    assert local.env["POLYMARKET_DATA_API_BASE_URL"] == local.endpoints["polymarket"]["data_api_url"]
    assert local.env["ALCHEMY_WS_URL"] == local.endpoints["polygon"]["ws_url"]
    known = {name.upper() for name in WorkerSettings.model_fields}
    names = {name for part in NAMES.values() for name in part}
    assert set(local.env) <= names <= known
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLYGON_RPC_URL", "https://polygon.example")
    left_out = LocalPolymarket(tmp_path, frozenset({"polymarket"}), PortBook(tmp_path / "ports.json"))
    assert (left_out.env, left_out.endpoints) == ({"POLYGON_RPC_URL": "https://polygon.example"}, {})


async def test_the_process_comes_back_as_it_was_and_stays_small(tmp_path: Path) -> None:
    venue = VenueProcess(tmp_path / "venue", free_port(), seed=3, deeds_a_minute=600, round_s=2)
    running = Solo(venue.child(tmp_path / "log"))
    await running.start()
    async with httpx.AsyncClient(base_url=venue.url, headers={"User-Agent": "holdfast-test"}) as client:

        async def leaders() -> dict[str, Any]:
            shown = (await client.get("/control")).json()
            return {one["name"]: one for one in shown["wallets"] if one["positions"]}

        async def acted() -> bool:
            return len(await leaders()) == 3

        await eventually(acted)
        await running.kill()
        quiet = VenueProcess(venue.directory, venue.port, seed=3, deeds_a_minute=0, round_s=0)
        journal = Journal(venue.directory / "journal.jsonl", 0)
        journal.close()
        running = Solo(quiet.child(tmp_path / "log"))
        await running.start()
        expected = Venue(3)
        furnish(expected, None, None, journal.born)
        journal.replay(expected)
        assert {name: one["positions"] for name, one in (await leaders()).items()} == {
            name: {token: f"{Decimal(shares) / 10**6:f}" for token, shares in expected.wallet(name).positions().items()}
            for name in LEADERS
        }
        assert psutil.Process(running.pid).memory_info().rss < 120 * 2**20
    await running.stop()
