"""Books, markets and profiles of the venue as captured, and what of them is not believed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.venue import FeeSchedule, LastTrade, Side
from gateways.polymarket import clob_shapes, gamma_shapes, wire
from gateways.polymarket.gamma import named
from gateways.polymarket.wire import Odd

JABOO = "0x379a410a36c101e3b8dfb6c90d1176eb0def4b1a"
TOKEN = "107562952936555819668737826428754978979556920505990557747611348541829551199040"
CONDITION = "0x571aafcdc9d3549ac260d5f956adc4ae57d9ace63575abd99db58ba0130e9fcf"
BOOK = {
    "market": CONDITION, "asset_id": TOKEN, "timestamp": "1786385407185", "hash": "",
    "bids": [{"price": "0.01", "size": "2260866.89"}, {"price": "0.42", "size": "12.5"}],
    "asks": [{"price": "0.99", "size": "5"}, {"price": "0.43", "size": "30"}],
    "min_order_size": "5", "tick_size": "0.01", "neg_risk": True, "last_trade_price": "0.430",
}  # fmt: skip


def test_the_captured_book() -> None:
    read = clob_shapes.book(BOOK, TOKEN)
    book = read.book
    assert [level.price for level in book.bids] == [420_000, 10_000]
    assert [level.price for level in book.asks] == [430_000, 990_000]
    assert book.bids[1].size == 2_260_866_890_000
    assert (book.changed_at_ms, book.tick_micros, book.min_order_micros, book.neg_risk) == (
        1786385407185, 10_000, 5_000_000, True
    )  # fmt: skip
    assert not read.hash_fits
    assert clob_shapes.book({**BOOK, "hash": clob_shapes.book_hash(BOOK)}).hash_fits
    assert clob_shapes.book({**BOOK, "bids": None, "last_trade_price": ""}).book.bids == ()


@pytest.mark.parametrize(
    "change",
    [{"asset_id": "5"}, {"asset_id": ""}, {"timestamp": "1786385407"}, {"tick_size": "0.02"}, {"tick_size": None},
     {"min_order_size": ""}, {"bids": {}}, {"bids": [["0.4", "5"]]}, {"bids": [{"price": "1.5", "size": "5"}]},
     {"bids": [{"price": "0.5", "size": "-5"}]}, {"neg_risk": "yes"}, {"market": "0x12"}],
)  # fmt: skip
def test_books_that_are_not_believed(change: dict[str, Any]) -> None:
    with pytest.raises(Odd):
        clob_shapes.book({**BOOK, **change}, TOKEN)


@pytest.mark.parametrize("tick", ["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001", Decimal("0.01")])
def test_every_tick_of_the_venue_is_known(tick: object) -> None:
    assert clob_shapes.tick(tick) == int(Decimal(tick) * 1_000_000)  # type: ignore[arg-type]


def test_a_last_trade_with_an_empty_side_is_no_price() -> None:
    assert clob_shapes.last_trade({"price": "0.5", "side": ""}, TOKEN) is None
    assert clob_shapes.last_trade({"price": "0.43", "side": "BUY"}, TOKEN) == LastTrade(TOKEN, 430_000, Side.BUY)
    with pytest.raises(Odd):
        clob_shapes.last_trade({"price": "0.43", "side": "MERGE"}, TOKEN)


GAMMA = {
    "id": "1042", "conditionId": CONDITION, "slug": "s", "question": "q", "outcomes": '["Up", "Down"]',
    "outcomePrices": '["0.505", "0.495"]', "clobTokenIds": '["1042", "7118"]', "endDate": "2028-01-01T00:00:00Z",
    "active": True, "closed": False, "acceptingOrders": True, "negRisk": False,
    "orderPriceMinTickSize": Decimal("0.01"),
    "orderMinSize": 5, "feesEnabled": True, "feeType": "sports_fees_v2",
    "feeSchedule": {"exponent": 1, "rate": Decimal("0.03"), "takerOnly": True, "rebateRate": Decimal("0.25")},
    "events": [{"id": "77"}],
}  # fmt: skip


def test_the_captured_market() -> None:
    market = gamma_shapes.market(GAMMA)
    assert [(t.token_id, t.place, t.outcome) for t in market.tokens] == [("1042", 0, "Up"), ("7118", 1, "Down")]
    assert market.fees == FeeSchedule(30_000, 1, takers_only=True)
    assert (market.event_id, market.gamma_id, market.version) == ("77", "1042", "v1")
    assert market.closes_at == datetime(2028, 1, 1, tzinfo=UTC)
    second = gamma_shapes.market({**GAMMA, "clobTokenIds": "[]", "positionIds": ["5", "6"], "version": "v2"})
    assert [t.token_id for t in second.tokens] == ["5", "6"]
    assert gamma_shapes.market({**GAMMA, "feesEnabled": False}).fees is None
    assert gamma_shapes.market({**GAMMA, "clobTokenIds": ""}).tokens == ()
    assert gamma_shapes.market({**GAMMA, "endDate": None}).closes_at is None
    day = gamma_shapes.market({**GAMMA, "endDate": None, "endDateIso": "2028-01-01"}).closes_at
    assert day == datetime(2028, 1, 1, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [{"conditionId": ""}, {"clobTokenIds": "nonsense"}, {"clobTokenIds": '["1","2","3"]'}, {"outcomes": '[1]'},
     {"endDate": "soon"}, {"feeSchedule": {"rate": 2, "exponent": 1}}, {"closed": "no"}, {"events": {}}],
)  # fmt: skip
def test_markets_that_are_not_believed(change: dict[str, Any]) -> None:
    with pytest.raises(Odd):
        gamma_shapes.market({**GAMMA, **change})


def test_gamma_resolves_only_what_is_closed_named_so_and_sums_to_one() -> None:
    closed = {**GAMMA, "closed": True, "umaResolutionStatus": "resolved", "closedTime": "2026-03-19 23:20:15+00",
              "outcomePrices": '["0.5", "0.5"]'}  # fmt: skip
    found = gamma_shapes.resolution(closed)
    assert (found.status, found.payouts) == ("resolved", (500_000, 500_000))
    assert found.resolved_at == int(datetime(2026, 3, 19, 23, 20, 15, tzinfo=UTC).timestamp())
    for change in ({"outcomePrices": '["0", "0"]'}, {"closed": False}, {"umaResolutionStatus": "proposed"}):
        assert gamma_shapes.resolution({**closed, **change}).payouts is None


def test_profiles_and_the_null_a_search_may_hold() -> None:
    raw = {"proxyWallet": "0xC7e53ac4a7c76d6df8b794de2e7d0794265d2d3a", "name": "LiquidatedDegen"}
    found = gamma_shapes.profile(raw)
    assert found is not None
    assert (found.wallet, found.name, found.pseudonym) == (raw["proxyWallet"].lower(), "LiquidatedDegen", "")
    assert gamma_shapes.profile(None) is None
    assert gamma_shapes.profile({"name": "nobody"}) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (JABOO, (JABOO, "")),
        (f" {JABOO.upper().replace('0X', '0x')} ", (JABOO, "")),
        (f"https://polymarket.com/profile/{JABOO}", (JABOO, "")),
        (f"{JABOO}-1726839202123", (JABOO, "")),
        ("https://polymarket.com/@jaboobelite", ("", "jaboobelite")),
        ("polymarket.com/@jaboobelite?tab=positions", ("", "jaboobelite")),
        ("@jaboobelite", ("", "jaboobelite")),
        ("https://polymarket.com.evil.example/@jaboobelite", ("", "")),
        ("https://evil.example/polymarket.com/@jaboobelite", ("", "")),
        (f"https://evil.example/{JABOO}", ("", "")),
        (JABOO[:-1], ("", JABOO[:-1])),
        ("two words", ("", "")),
        ("https://polymarket.com/", ("", "")),
        ("", ("", "")),
    ],
)
def test_what_a_person_may_type(typed: str, meant: tuple[str, str]) -> None:
    assert named(typed) == meant


@given(st.decimals(min_value=0, max_value=10**9, places=6))
def test_no_digit_is_lost_on_the_way(value: Decimal) -> None:
    parsed = wire.load(f'{{"size": {value:f}, "text": "{value:f}"}}')
    assert wire.micros(wire.number(parsed, "size"), "size") == int(value * 1_000_000)
    assert wire.number(parsed, "text") == value
    assert wire.level_micros(parsed, "text") == wire.level_micros(parsed, "size") == int(value * 1_000_000)
    assert wire.load(wire.dump(parsed)) == parsed


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"a": NaN}', b'{"a": 1', b"\xff"])
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(wire.NotJson):
        wire.load(body)
