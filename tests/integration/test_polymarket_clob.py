"""The CLOB and Gamma clients on the local venue: books made sense of, markets by any id, people by any name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from domain.copytrade import books
from domain.copytrade.reasons import Reason
from domain.copytrade.venue import Side
from gateways.protocols import Quarantined
from tests.venue_desk import Desk, desk


@pytest_asyncio.fixture(loop_scope="session")
async def made() -> AsyncIterator[Desk]:
    async with desk() as desk_:
        yield desk_


def token(made: Desk, key: str) -> str:
    return made.venue.venue.token(key)[1].id


@pytest.mark.parametrize("fault", [None, "unsorted", "best_first"])
async def test_a_book_comes_out_best_first_however_it_was_sent(made: Desk, fault: str | None) -> None:
    if fault:
        made.venue.fail("clob:/book", fault)
    book = await made.polymarket.clob.book(token(made, "treaty-signed:0"))
    assert book is not None
    bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert books.problem_of(book) is None
    assert book.condition_id == (await made.venue.market("treaty-signed")).condition_id
    assert (book.tick_micros, book.min_order_micros, book.neg_risk) == (10_000, 5_000_000, False)


async def test_the_hash_of_an_untouched_book_fits(made: Desk) -> None:
    assert await made.polymarket.clob.book(token(made, "treaty-signed:0")) is not None
    assert made.polymarket.clob.hash_mismatches == 0


async def test_a_book_whose_hash_does_not_fit_is_used_and_noted_once(made: Desk) -> None:
    made.venue.fail("clob:/book", "wrong_hash", times=3)
    for _ in range(3):
        assert await made.polymarket.clob.book(token(made, "treaty-signed:0")) is not None
    assert made.polymarket.clob.hash_mismatches == 3
    assert [held.reason for held in made.held] == ["the hash does not fit the book; used all the same"]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [("no_asks", Reason.ONE_SIDED_BOOK), ("no_bids", Reason.ONE_SIDED_BOOK), ("empty_book", Reason.ONE_SIDED_BOOK),
     ("crossed", Reason.CROSSED_BOOK)],
)  # fmt: skip
async def test_a_book_without_a_mid_says_why(made: Desk, fault: str, problem: Reason) -> None:
    made.venue.fail("clob:/book", fault)
    book = await made.polymarket.clob.book(token(made, "treaty-signed:0"))
    assert book is not None
    assert books.problem_of(book) is problem
    assert books.mid(book) is None


async def test_a_locked_book_is_crossed(made: Desk) -> None:
    await made.venue.book("treaty-signed:0", [("0.5", "10")], [("0.5", "10")])
    book = await made.polymarket.clob.book(token(made, "treaty-signed:0"))
    assert book is not None
    assert books.problem_of(book) is Reason.CROSSED_BOOK


async def test_a_placeholder_book_is_recognised(made: Desk) -> None:
    made.venue.fail("clob:/book", "placeholder")
    book = await made.polymarket.clob.book(token(made, "treaty-signed:0"))
    assert book is not None
    assert books.is_placeholder(book)


async def test_a_changed_tick_is_read(made: Desk) -> None:
    await made.venue.perform("tick", market="treaty-signed", tick="0.001")
    book = await made.polymarket.clob.book(token(made, "treaty-signed:0"))
    assert book is not None
    assert book.tick_micros == 1_000


@pytest.mark.parametrize("key", ["unknown", "closed"])
async def test_404_is_no_book_and_never_closed(made: Desk, key: str) -> None:
    asked = "123456789"
    if key == "closed":
        asked = token(made, "treaty-signed:0")
        await made.venue.resolve("treaty-signed", 0)
    assert await made.polymarket.clob.book(asked) is None
    assert made.polymarket.open_circuits() == []


async def test_an_odd_level_quarantines_the_book(made: Desk) -> None:
    made.venue.fail("clob:/book", "odd_level")
    with pytest.raises(Quarantined):
        await made.polymarket.clob.book(token(made, "treaty-signed:0"))


async def test_many_books_leave_out_what_has_none(made: Desk) -> None:
    tokens = [token(made, key) for key in ("treaty-signed:0", "treaty-signed:1", "bitcoin-up:0")]
    found = await made.polymarket.clob.books([*tokens, "99"])
    assert set(found) == set(tokens)
    up, down = found[tokens[0]], found[tokens[1]]
    assert [(1_000_000 - level.price, level.size) for level in down.asks] == [tuple(level) for level in up.bids]
    assert made.polymarket.clob.hash_mismatches == 0


async def test_midpoints_prices_and_the_book_agree(made: Desk) -> None:
    one = token(made, "treaty-signed:0")
    clob = made.polymarket.clob
    book, mids, prices = await clob.book(one), await clob.midpoints([one, "99"]), await clob.prices([one, "99"])
    assert book is not None
    assert set(mids) == set(prices) == {one}
    assert mids[one] == Decimal(books.mid(book) or 0) / 1_000_000
    assert prices[one] == {Side.BUY: book.bids[0].price, Side.SELL: book.asks[0].price}


async def test_one_token_without_a_mid_does_not_cost_the_others_theirs(made: Desk) -> None:
    good, bare = token(made, "treaty-signed:0"), token(made, "bitcoin-up:0")
    await made.venue.book("bitcoin-up:0", [("0.5", "10")], [])
    assert set(await made.polymarket.clob.midpoints([good, bare])) == {good}
    assert set(await made.polymarket.clob.prices([good, bare])) == {good, bare}


async def test_the_last_trade_of_a_token_nobody_traded_is_no_price(made: Desk) -> None:
    fresh, traded = token(made, "border-open:0"), token(made, "treaty-signed:0")
    assert await made.polymarket.clob.last_trade(fresh) is None
    await made.venue.trade("alice", "treaty-signed:0", "BUY", "5", price="0.43")
    found = await made.polymarket.clob.last_trades([fresh, traded])
    assert set(found) == {traded}
    assert found[traded].price == 430_000
    assert await made.polymarket.clob.last_trade(traded) == found[traded]


async def test_the_clock_is_in_seconds(made: Desk) -> None:
    before = made.venue.venue.now_ms() // 1000
    assert before <= await made.polymarket.clob.time() <= made.venue.venue.now_ms() // 1000


async def test_the_clobs_market_and_its_fee(made: Desk) -> None:
    wet = await made.venue.market("dallas-below-98")
    found = await made.polymarket.clob.market(wet.condition_id)
    assert found is not None
    assert [t.token_id for t in found.tokens] == [t.id for t in wet.tokens]
    assert found.neg_risk
    compact = await made.polymarket.clob.clob_market(wet.condition_id)
    assert compact is not None
    assert compact.fees is not None
    assert (compact.fees.rate_ppm, compact.fees.exponent) == (50_000, 1)
    free = await made.venue.market("treaty-signed")
    compact = await made.polymarket.clob.clob_market(free.condition_id)
    assert compact is not None
    assert compact.fees is None
    assert await made.polymarket.clob.market("0x" + "0" * 64) is None


async def test_gamma_markets_by_condition_and_by_token_open_and_closed(made: Desk) -> None:
    await made.venue.resolve("bitcoin-up", 1)
    markets = list(made.venue.venue.markets.values())
    by_condition = await made.polymarket.gamma.markets([market.condition_id for market in markets])
    by_token = await made.polymarket.gamma.markets((), [token.id for market in markets for token in market.tokens])
    wanted = {market.condition_id: [t.id for t in market.tokens] for market in markets}
    for found in (by_condition, by_token):
        assert {m.condition_id: [t.token_id for t in m.tokens] for m in found} == wanted
    assert {m.condition_id for m in by_condition if m.closed} == {(await made.venue.market("bitcoin-up")).condition_id}
    assert any(market.version == "v2" for market in markets), "position ids were asked for too"
    assert all(url.count("condition_ids=") <= 10 for url in made.asked("gamma:/markets"))
    assert made.held == []


async def test_gamma_tells_event_fees_tick_and_close(made: Desk) -> None:
    wet = await made.venue.market("dallas-below-98")
    (found,) = await made.polymarket.gamma.markets([wet.condition_id])
    assert found.event_id == wet.event.id
    assert found.neg_risk
    assert found.fees is not None
    assert found.fees.rate_ppm == 50_000
    assert found.tick_micros == wet.tick
    assert found.min_order_micros == 5_000_000
    assert found.closes_at is not None
    assert int(found.closes_at.timestamp()) == wet.ends_at
    assert found.accepting_orders


async def test_gamma_a_bad_id_costs_only_itself(made: Desk) -> None:
    """CT-223: a batch that is refused is asked for one by one."""
    good = [token(made, "treaty-signed:0"), token(made, "bitcoin-up:0")]
    made.venue.fail(
        "gamma:/markets", "says", status=422, text='{"type":"validation error","error":"invalid token id"}', times=None,
        match="clob_token_ids=77",
    )  # fmt: skip
    found = await made.polymarket.gamma.markets((), [good[0], "77", good[1]])
    assert len(found) == 2
    assert {held.payload["clob_token_ids"] for held in made.held} == {"77"}


async def test_a_market_just_minted_has_no_tokens_yet_and_an_odd_one_costs_itself(made: Desk) -> None:
    condition = (await made.venue.market("treaty-signed")).condition_id
    made.venue.fail("gamma:/markets", "as", field="clobTokenIds", value="")
    (found,) = await made.polymarket.gamma.markets([condition])
    assert found.tokens == ()
    made.venue.fail("gamma:/markets", "as", field="clobTokenIds", value="not json")
    assert await made.polymarket.gamma.markets([condition]) == []
    assert made.held[0].kind == "gamma_markets"


async def test_a_person_by_address_name_handle_and_profile_url(made: Desk) -> None:
    wallet = made.venue.address("steady-whale")
    gamma = made.polymarket.gamma
    for who in (
        *(wallet, wallet.upper().replace("0X", "0x"), "steady-whale", "@steady-whale", " Steady-Whale "),
        *(f"https://polymarket.com/profile/{wallet}", "https://polymarket.com/@steady-whale?tab=activity"),
        *("polymarket.com/profile/%40steady-whale", f"{wallet}-1726839202123"),
    ):
        found = await gamma.profile(who)
        assert found is not None, who
        assert found.wallet == wallet, who
    assert await gamma.profile("no-such-person-at-all") is None
    assert await gamma.profile("") is None


async def test_an_unknown_address_is_a_wallet_all_the_same(made: Desk) -> None:
    found = await made.polymarket.gamma.profile("0x" + "ab" * 20)
    assert found is not None
    assert (found.wallet, found.name) == ("0x" + "ab" * 20, "")
