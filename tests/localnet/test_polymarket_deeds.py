"""The local venue without a network: what trades, splits and resolutions do, to the micro."""

from __future__ import annotations

import pytest

from localnet.polymarket import deeds, rows
from localnet.polymarket.feed import Row
from localnet.polymarket.markets import FEES, Stage
from localnet.polymarket.numbers import ONE, fee_micros, micros, number, text
from localnet.polymarket.venue import HOUSE, Venue, When
from localnet.polymarket.world import furnish, winners

CLOCK = 1_795_000_000


def world(seed: int = 7) -> Venue:
    venue = Venue(seed, now_ms=lambda: CLOCK * 1000)
    furnish(venue)
    return venue


def buy(venue: Venue, key: str, shares: str, price: str, side: str = "BUY", **more: object) -> Row:
    market, token = venue.token(key)
    given = (market, token, side, micros(shares), micros(price))
    return deeds.fill(venue, venue.wallet("alice"), *given, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shares", "price", "category", "usdc"),
    [("22.84", "0.52", "weather", "12.16184"), ("7.44", "0.9", "weather", "6.72948"),
     ("25", "0.64", "crypto", "16.4032"), ("100", "0.5", "geopolitics", "50")],
)  # fmt: skip
def test_a_buy_costs_what_the_captures_say(shares: str, price: str, category: str, usdc: str) -> None:
    fees = FEES[category]
    fee = fee_micros(micros(shares), micros(price), fees.rate_ppm, fees.exponent)
    assert text(micros(shares) * micros(price) // ONE + fee) == usdc


def test_a_fee_is_the_takers_and_a_makers_fill_has_none() -> None:
    venue = world()
    assert buy(venue, "dallas-100-101:0", "22.84", "0.52").usdc == 12_161_840
    assert buy(venue, "dallas-100-101:0", "22.84", "0.52", role="maker").usdc == 11_876_800
    alice = venue.wallet("alice")
    assert alice.cash == -12_161_840 - 11_876_800
    assert alice.positions() == {venue.token("dallas-100-101:0")[1].id: 45_680_000}


def test_a_sell_brings_its_proceeds_less_the_fee_and_the_row_says_either() -> None:
    said = {}
    for how in ("net", "gross"):
        venue = world()
        venue.sell_usdc = how
        buy(venue, "dallas-100-101:0", "10", "0.5", role="maker")
        said[how] = buy(venue, "dallas-100-101:0", "10", "0.5", "SELL").usdc
        assert venue.wallet("alice").cash == -125_000
    assert said == {"net": 4_875_000, "gross": 5_000_000}


def test_more_than_is_held_cannot_be_sold_and_nothing_changes() -> None:
    venue = world()
    buy(venue, "treaty-signed:0", "10", "0.5")
    before = len(venue.feed)
    with pytest.raises(ValueError, match="only"):
        buy(venue, "treaty-signed:0", "10.01", "0.5", "SELL")
    assert (len(venue.feed), venue.wallet("alice").cash) == (before, -5_000_000)


def test_one_transaction_holds_several_rows_even_equal_ones() -> None:
    venue = world()
    when = venue.when()
    made = [buy(venue, "treaty-signed:0", "5", "0.4", when=when) for _ in range(2)]
    told = [rows.activity(venue, row) for row in made]
    assert told[0] == told[1]
    assert made[0].sequence < made[1].sequence
    assert {row.tx_hash for row in venue.feed.rows()} == {when.tx_hash}


def test_a_fill_leaves_the_other_side_with_the_house() -> None:
    venue = world()
    row = buy(venue, "treaty-signed:0", "5", "0.4")
    [house] = venue.feed.rows(venue.wallet(HOUSE).address)
    assert (house.tx_hash, house.side, house.size, house.role) == (row.tx_hash, "SELL", row.size, "house")


def test_an_order_over_several_levels_has_a_ratio_as_price() -> None:
    venue = world()
    row = buy(venue, "treaty-signed:0", "3", "0.41", usdc=1_250_001)
    assert rows.activity(venue, row)["price"] == 1_250_001 / 3_000_000
    assert row.usdc == 1_250_001


def test_a_split_and_a_merge_move_both_legs_and_the_collateral() -> None:
    venue = world()
    market, alice = venue.market("treaty-signed"), venue.wallet("alice")
    split = rows.activity(venue, deeds.split(venue, alice, market, 7_500_000))
    assert {key: split[key] for key in ("type", "size", "usdc_size", "token_id", "side", "outcome_index")} == {
        "type": "SPLIT", "size": 7.5, "usdc_size": 7.5, "token_id": "", "side": "", "outcome_index": 999,
    }  # fmt: skip
    assert alice.positions() == {token.id: 7_500_000 for token in market.tokens}
    with pytest.raises(ValueError, match="both"):
        deeds.merge(venue, alice, market, 7_500_001)
    deeds.merge(venue, alice, market, 2_500_000)
    assert (alice.cash, set(alice.positions().values())) == (-5_000_000, {5_000_000})
    assert deeds.merge(venue, alice, market, 0).size == 0, "the real feed has zero-size merges"


@pytest.mark.parametrize(("payouts", "paid"), [((ONE, 0), 10), ((0, ONE), 4), ((500_000, 500_000), 7)])
def test_a_redemption_pays_what_was_resolved(payouts: tuple[int, int], paid: int) -> None:
    venue = world()
    market, alice = venue.market("treaty-signed"), venue.wallet("alice")
    buy(venue, "treaty-signed:0", "10", "0.5")
    buy(venue, "treaty-signed:1", "4", "0.5")
    with pytest.raises(ValueError, match="not resolved"):
        deeds.redeem(venue, alice, market)
    venue.move(market, Stage.RESOLVED, payouts)
    [row] = deeds.redeem(venue, alice, market)
    told = rows.activity(venue, row)
    assert (told["type"], told["usdc_size"], told["price"], told["token_id"]) == ("REDEEM", paid, 0, "")
    assert (alice.cash, alice.positions()) == (-7_000_000 + paid * ONE, {})
    with pytest.raises(ValueError, match="nothing"):
        deeds.redeem(venue, alice, market)


def test_a_redemption_may_name_its_tokens_and_a_loser_gets_nothing() -> None:
    venue = world()
    market, alice = venue.market("treaty-signed"), venue.wallet("alice")
    buy(venue, "treaty-signed:0", "10", "0.5")
    buy(venue, "treaty-signed:1", "4", "0.5")
    deeds.settle(venue, market, 0)
    made = deeds.redeem(venue, alice, market, with_token=True)
    assert [(row.outcome, row.size, row.usdc) for row in made] == [
        ("Yes", 10 * ONE, 10 * ONE), ("No", 4 * ONE, 0)
    ]  # fmt: skip


def test_a_conversion_turns_no_of_some_into_yes_of_the_others_and_cash() -> None:
    venue = world()
    event, alice = venue.events["dallas-highest-temperature"], venue.wallet("alice")
    for place in (0, 1):
        buy(venue, f"{event.markets[place].slug}:1", "20", "0.8", role="maker")
    with pytest.raises(ValueError, match="one neg-risk event"):
        deeds.convert(venue, alice, [event.markets[0], venue.market("chair-adams")], ONE)
    row = deeds.convert(venue, alice, event.markets[:2], 15 * ONE)
    held = {
        venue.tokens[token][0].slug + ":" + str(venue.tokens[token][1].place): n
        for token, n in alice.positions().items()
    }
    assert held == {
        "dallas-below-98:1": 5 * ONE, "dallas-98-99:1": 5 * ONE,
        "dallas-100-101:0": 15 * ONE, "dallas-102-up:0": 15 * ONE,
    }  # fmt: skip
    assert (row.kind, row.size, row.usdc, alice.cash) == ("CONVERSION", 15 * ONE, 15 * ONE, (15 - 32) * ONE)
    deeds.convert(venue, alice, [event.markets[0]], 5 * ONE, fee_bps=100)
    assert alice.cash == (15 - 32) * ONE, "one question alone gives no cash"
    assert alice.shares(event.markets[1].tokens[0].id) == 4_950_000


def test_a_market_goes_only_where_it_may() -> None:
    venue = world()
    market = venue.market("treaty-signed")
    for stage in (Stage.PAUSED, Stage.CLOSED, Stage.PROPOSED, Stage.DISPUTED):
        venue.move(market, stage)
    with pytest.raises(ValueError, match="cannot become active"):
        venue.move(market, Stage.ACTIVE)
    for wrong in ((ONE, ONE), (ONE, -1)):
        with pytest.raises(ValueError, match="add up"):
            venue.move(market, Stage.RESOLVED, wrong)
    assert market.payouts is None
    venue.move(market, Stage.RESOLVED, (300_000, 700_000))
    assert (market.was_disputed, rows.resolution(market)["payouts"]) == (True, [300_000, 700_000])
    with pytest.raises(ValueError, match="resolved"):
        venue.move(market, Stage.DISPUTED)


def test_of_a_neg_risk_event_one_question_ends_with_yes() -> None:
    venue = world()
    ended = winners(venue, venue.market("dallas-98-99"), first_wins=False)
    assert [payouts for _, payouts in ended].count((ONE, 0)) == 1
    assert len(ended) == 4


def test_rows_stand_in_the_order_of_block_time_and_are_seen_when_indexed() -> None:
    now = [CLOCK * 1000]
    venue = Venue(7, now_ms=lambda: now[0])
    furnish(venue)
    venue.late = [5_000]
    late = buy(venue, "treaty-signed:0", "1", "0.5", when=venue.when(CLOCK - 20))
    early = buy(venue, "treaty-signed:0", "2", "0.5", when=venue.when(CLOCK - 10))

    def seen() -> list[Row]:
        alice = venue.wallet("alice").address
        return list(venue.feed.walk(alice, 0, CLOCK, now[0], newest_first=True, after=None))

    assert seen() == [early]
    now[0] += 5_000
    assert seen() == [early, late]
    same = [buy(venue, "treaty-signed:0", "1", "0.5", when=When(CLOCK, 90_000_000, "0x1")) for _ in range(2)]
    assert str(same[0].sequence).startswith("90000000")


def test_amounts_are_exact_and_seven_decimals_are_refused() -> None:
    assert [text(n) for n in (10_000, 2_260_866_890_000, 5_000_000, -1)] == ["0.01", "2260866.89", "5", "-0.000001"]
    assert [number(n) for n in (20_000_000, 12_161_840, 1)] == [20, 12.16184, 1e-06]
    for wrong in ("0.0000001", "x", "NaN", "Infinity", 0.5, True, None):
        with pytest.raises(ValueError, match=r"."):
            micros(wrong)


def test_names_follow_the_seed() -> None:
    one, same, other = world(7), world(7), world(8)
    assert list(one.tokens) == list(same.tokens) != list(other.tokens)
    assert one.wallet("alice").address == same.wallet("alice").address
    v2 = one.market("rates-cut-december")
    assert (v2.condition_id[:4], v2.condition_id[-2:], len(v2.short_id)) == ("0x01", "00", 64)
    assert int(v2.tokens[1].id) == int(v2.condition_id, 16) + 1
    assert one.market(v2.short_id) is v2
