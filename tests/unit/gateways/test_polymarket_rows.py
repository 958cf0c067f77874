"""Captures of the real venue (reference/polymarket.md, marked [C]) as golden tests, and rows that must not pass."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.copytrade.venue import Kind, VenueStatus
from gateways.polymarket import rows, wire
from gateways.polymarket.wire import Odd

JABOO = "0x379a410a36c101e3b8dfb6c90d1176eb0def4b1a"
ACTIVITY = """{"proxy_wallet":"0x379a410a36c101e3b8dfb6c90d1176eb0def4b1a","timestamp":1789381477,
 "condition_id":"0x571aafcdc9d3549ac260d5f956adc4ae57d9ace63575abd99db58ba0130e9fcf","type":"TRADE","size":22.84,
 "usdc_size":12.16184,"transaction_hash":"0x7958c0638f1b7ab12d0e3c762a6a2d3fe98edb3f748d0bcbe12adae1a67e58a8",
 "price":0.52,"token_id":"107562952936555819668737826428754978979556920505990557747611348541829551199040","side":"BUY",
 "outcome_index":999,"title":"Will the highest temperature in Dallas be between 100-101°F on September 14?",
 "slug":"highest-temperature-in-dallas-on-september-14-2026-100-101f","icon":"https://…jpg","event_slug":"",
 "outcome":"Yes","name":"jaboobelite","pseudonym":"Scary-Barrel","bio":"","profile_image":"",
 "profile_image_optimized":""}"""
TALKIN = "0x134de7d07004124762086357903a0171542e5a16"
V1 = """[{"proxyWallet":"0x134de7d07004124762086357903a0171542e5a16","timestamp":1759458185,
 "conditionId":"0xc8761147389535d28583a71eab365841f36f1cc7ee689fbd32a384e3879a5b7c","type":"TRADE","size":20,
 "usdcSize":3,"transactionHash":"0xc2ee85546e0fd2296fcdc966dc992b29860edabe46cc5b84b508c2271a8958e9","price":0.15,
 "asset":"113169259226134431152838745958605113475709202189344707220996974617795381207465","side":"BUY",
 "outcomeIndex":0,"title":"Will the New York Yankees win the 2025 World Series?","outcome":"Yes"},
 {"proxyWallet":"0x134de7d07004124762086357903a0171542e5a16","timestamp":1759430901,
 "conditionId":"0x245dea0b918a46bef95ce778f2373851da11130d4c5c95803f881b1a3019ae17","type":"REDEEM","size":3.278687,
 "usdcSize":3.278687,"transactionHash":"0x4ba961a2be1d9b2fa4a160c985a126a7194d4d56874ed1d8bf42f8d21d1082a7",
 "price":0,"asset":"","side":"","outcomeIndex":999,"title":"Ethereum Up or Down - October 2, 10AM ET",
 "slug":"ethereum-up-or-down-october-2-10am-et","outcome":""}]"""
TOKEN = "107562952936555819668737826428754978979556920505990557747611348541829551199040"
CONDITION = "0x571aafcdc9d3549ac260d5f956adc4ae57d9ace63575abd99db58ba0130e9fcf"


def changed(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {**wire.load(ACTIVITY), **changes}
    return found


def test_the_captured_activity_row() -> None:
    row = rows.Row(rows.V2, JABOO).activity(wire.load(ACTIVITY))
    assert (row.wallet, row.kind, row.side, row.token_id, row.condition_id) == (
        JABOO, Kind.TRADE, "BUY", TOKEN, CONDITION
    )  # fmt: skip
    assert (row.size, row.usdc_size, row.price) == (Decimal("22.84"), Decimal("12.16184"), Decimal("0.52"))
    fee = round(Decimal("0.05") * row.size * row.price * (1 - row.price), 5)
    assert row.size * row.price + fee == row.usdc_size, "the cash of a BUY holds the fee"
    assert (row.timestamp, row.outcome, row.is_combo) == (1789381477, "Yes", False)
    assert json.loads(row.raw) == json.loads(ACTIVITY)
    assert list(json.loads(row.raw)) == list(json.loads(ACTIVITY)), "keys in their order"


def test_the_captured_rows_of_the_first_generation() -> None:
    bought, redeemed = (rows.Row(rows.V1, TALKIN).activity(raw) for raw in wire.load(V1))
    assert (bought.kind, bought.size, bought.usdc_size, bought.price) == (Kind.TRADE, 20, 3, Decimal("0.15"))
    assert bought.token_id.startswith("1131692592261344311528387459586051134757")
    assert (redeemed.kind, redeemed.token_id, redeemed.side) == (Kind.REDEEM, "", "")
    assert (redeemed.size, redeemed.usdc_size, redeemed.price) == (Decimal("3.278687"), Decimal("3.278687"), 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "TELEPORT"}, "unknown type"),
        ({"type": None}, "unknown type"),
        ({"side": ""}, "side"),
        ({"token_id": ""}, "without a token"),
        ({"token_id": 5}, "token_id"),
        ({"token_id": "0x12"}, "token_id"),
        ({"condition_id": ""}, "without a condition"),
        ({"condition_id": "0x12"}, "condition_id"),
        ({"size": "-1"}, "size"),
        ({"size": True}, "size"),
        ({"size": "NaN"}, "size"),
        ({"size": Decimal("1e30")}, "size"),
        ({"usdc_size": -1}, "usdc_size"),
        ({"price": 0}, "price"),
        ({"price": Decimal("1.01")}, "price"),
        ({"timestamp": 1789381477000}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": Decimal("1789381477.5")}, "seconds"),
        ({"transaction_hash": ""}, "hash"),
        ({"proxy_wallet": TALKIN}, "asked for"),
        ({"is_combo": "yes"}, "is_combo"),
    ],
)
def test_rows_that_go_to_quarantine(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Odd, match=reason):
        rows.Row(rows.V2, JABOO).activity(changed(**change))


@pytest.mark.parametrize("raw", [None, [], "row", 5])
def test_what_is_no_row(raw: object) -> None:
    with pytest.raises(Odd):
        rows.Row(rows.V2, JABOO).activity(raw)


@pytest.mark.parametrize(
    ("condition", "padded", "combo"),
    [
        ("0x01" + "ab" * 30, "0x01" + "ab" * 30 + "00", False),
        ("0x02" + "AB" * 30, "0x02" + "ab" * 30 + "00", False),
        ("0x03" + "ab" * 30, "0x03" + "ab" * 30 + "00", True),
        ("0x03" + "ab" * 31, "0x03" + "ab" * 31, False),
    ],
)
def test_short_ids_of_protocol_v2_are_padded_and_combos_known(condition: str, padded: str, combo: bool) -> None:
    row = rows.Row(rows.V2, JABOO).activity(changed(condition_id=condition))
    assert (row.condition_id, row.is_combo) == (padded, combo)
    assert rows.Row(rows.V2, JABOO).activity(changed(is_combo=True)).is_combo


def test_a_rebate_has_no_market_and_needs_none() -> None:
    row = rows.Row(rows.V2, JABOO).activity(
        changed(type="MAKER_REBATE", condition_id="", token_id="", side="", price=0, transaction_hash="")
    )
    assert (row.kind, row.condition_id, row.tx_hash) == (Kind.MAKER_REBATE, "", "")


def test_the_captured_position_and_one_the_venue_knows_little_of() -> None:
    raw = wire.load(
        '{"proxy_wallet":"0x379a410a36c101e3b8dfb6c90d1176eb0def4b1a","token_id":"5613","condition_id":"0x21f6ce98ea79'
        'b65ec014ed5a13eafbc6730afcdd3f2cc958984cc618785e2758","current_size":28.09,"avg_price":0.6699,'
        '"current_price":0.715,"event_id":"1142427","outcome":"No","outcome_index":1,"last_event_at":1791292984}'
    )
    position = rows.Row(rows.V2, JABOO).position(raw)
    assert (position.shares, position.avg_price, position.current_price) == (28_090_000, 669_900, 715_000)
    assert (position.event_id, position.last_event_at) == ("1142427", 1791292984)
    bare = {
        **raw,
        "avg_price": None,
        "last_event_at": 0,
        "event_id": "0",
        "current_size": Decimal("0.30000000000000004"),
    }
    position = rows.Row(rows.V2, JABOO).position(bare)
    assert (position.avg_price, position.last_event_at, position.event_id) == (None, None, "")
    assert position.shares == 300_000, "the last digit of a float"
    with pytest.raises(Odd, match="six decimals"):
        rows.Row(rows.V2, JABOO).position({**raw, "current_size": Decimal("0.3000004")})


def test_the_captured_resolutions() -> None:
    resolved = rows.resolution(
        wire.load(
            '{"condition_id":"0x789f0872f66cfffd21a33020e5c90e11f95f947e03be77ac2df7e86b0cb71527","status":"resolved",'
            '"extended_review":false,"was_disputed":false,"transaction_hash":"","log_index":"",'
            '"last_update_timestamp":"2026-09-09T21:19:19Z","payouts":[1000000,0],"resolution_source":"reported",'
            '"resolved_block":93522484,"resolved_at":"2026-09-09T21:19:19Z"}'
        )
    )
    assert (resolved.status, resolved.payouts) == ("resolved", (1_000_000, 0))
    assert resolved.resolved_at == int(datetime(2026, 9, 9, 21, 19, 19, tzinfo=UTC).timestamp())
    disputed = rows.resolution({"condition_id": CONDITION, "status": "disputed", "price": "69", "was_disputed": True})
    assert (disputed.payouts, disputed.resolved_at) == (None, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"payouts": None}, "without payouts"),
        ({"payouts": [1_000_000]}, "sum"),
        ({"payouts": [1_000_000, 1_000_000]}, "sum"),
        ({"payouts": [Decimal("0.5"), Decimal("0.5")]}, "micros"),
        ({"status": "finished"}, "unknown status"),
        ({"condition_id": ""}, "without a condition"),
    ],
)
def test_resolutions_that_are_not_believed(change: dict[str, Any], reason: str) -> None:
    raw = {"condition_id": CONDITION, "status": "resolved", "payouts": [500_000, 500_000], "resolved_at": 1789381477}
    assert rows.resolution(raw).payouts == (500_000, 500_000)
    with pytest.raises(Odd, match=reason):
        rows.resolution({**raw, **change})


def test_the_captured_status() -> None:
    found = rows.status(
        wire.load(
            '{"computed_at":"2026-09-14T10:24:36Z","age_seconds":24,"serving":{"lag_seconds":4,"worst":"activity_feed",'
            '"mechanisms":[]},"ingestion":{"cursors":148,"max_synced_block":93784295,"most_lagged":{"source":"x",'
            '"block":93784294,"behind_max":1},"lagging":[]}}'
        )
    )
    assert found == VenueStatus(datetime(2026, 9, 14, 10, 24, 36, tzinfo=UTC), 24, 4, "activity_feed", 1, 93784295)
