"""The rules of trading over their whole range: against rationals, against naive models, and against those who try."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.exchange import prices, volume
from domain.exchange.batch import NOTHING, Desk, Pending, settle
from domain.exchange.curve import SHARE, Curve, buy_cost, reserve_floor, reserve_needed, sell_revenue, shares_for, spot
from domain.exchange.fills import lines
from domain.exchange.positions import Done, position_of
from domain.exchange.prices import BPS, Bucket
from domain.exchange.replay import Logged, Terms, replay
from domain.exchange.trading import Fill, Holder, Market, Order, execute, fees_earned, quote
from domain.exchange.volume import Volume
from domain.shared.ledger import Booking, check_booking

MICRO = 10**6
curves = st.builds(Curve, st.integers(1, 10**12), st.one_of(st.just(0), st.integers(1, 10**10), st.integers(1, 10**20)))
supplies = st.one_of(st.just(0), st.integers(1, 10**12), st.integers(1, 10**25))
micros = st.one_of(st.integers(1, 100), st.integers(1, 10**13))
fees = st.integers(30, 200)


def exact(curve: Curve, supply: int) -> Fraction:
    """The integral in USDC micros, as mathematics has it."""
    s = Fraction(supply, SHARE)
    return curve.p0 * s + Fraction(curve.k, 10**18) * s * s / 2 * MICRO


@given(curves, supplies, micros)
def test_shares_for_is_the_most_that_the_money_pays_for(curve: Curve, supply: int, amount: int) -> None:
    shares = shares_for(curve, supply, amount)
    assert exact(curve, supply + shares) - exact(curve, supply) <= amount
    assert exact(curve, supply + shares + 1) - exact(curve, supply) > amount


@given(curves, supplies, st.integers(1, 10**24))
def test_cost_and_revenue_are_the_integral_rounded_against_the_trader(curve: Curve, supply: int, shares: int) -> None:
    area = exact(curve, supply + shares) - exact(curve, supply)
    assert 0 <= buy_cost(curve, supply, shares) - area < 1
    assert 0 <= area - sell_revenue(curve, supply + shares, shares) < 1
    assert reserve_floor(curve, supply) <= exact(curve, supply) <= reserve_needed(curve, supply)
    assert 0 <= curve.p0 + Fraction(curve.k * supply, 10**30) - spot(curve, supply) < 1


@given(st.integers(1, 10**9))
def test_d17_the_root_is_exact_where_doubles_lose_two_percent(amount: int) -> None:
    """P0 18, k 10^-10: the formula in doubles gives 2.3 % too many shares for one cent."""
    curve = Curve(18 * MICRO, 10**8)
    shares = shares_for(curve, 0, amount)
    ideal = Fraction(amount * SHARE, 18 * MICRO)
    assert 0 <= ideal - shares <= ideal * Fraction(amount, 18 * MICRO) * Fraction(1, 10**10) + 1


def active(curve: Curve, fee_bps: int, lp_shares: int = 10**9) -> Market:
    return Market(curve, fee_bps, 9_000, 0, "active", lp_shares=lp_shares)


@given(curves, fees, st.lists(st.tuples(st.booleans(), micros, st.integers(1, 10_000)), max_size=30))
def test_the_reserve_is_the_integral_within_a_micro_a_fill(
    curve: Curve, fee_bps: int, asked: list[tuple[bool, int, int]]
) -> None:
    market, holder, reserve, money = active(curve, fee_bps), Holder(10**15, 0), 0, 0
    for buys, amount, part in asked:
        order = Order("buy", amount) if buys else Order("sell", max(1, holder.shares * part // 10_000))
        before = holder
        market, holder, fill, _ = execute(market, holder, order, 0)
        if fill is not None:
            reserve += fill.pool if buys else -fill.pool
            money += fill.fee
            assert 0 <= fill.lp_fee <= fill.fee
            assert abs(holder.usdc - before.usdc) == fill.amount
    assert reserve_needed(curve, market.supply) <= reserve <= exact(curve, market.supply) + market.fills
    assert holder.usdc + reserve + money == 10**15, "nothing is made, nothing is lost"
    assert market.supply == holder.shares


@given(curves, supplies, fees, micros)
def test_buying_and_selling_at_once_never_profits(curve: Curve, supply: int, fee_bps: int, amount: int) -> None:
    market = active(curve, fee_bps)._replace(supply=supply)
    market, holder, fill, _ = execute(market, Holder(amount, 0), Order("buy", amount), 0)
    assume(fill is not None)
    _, after, sold, _ = execute(market, holder, Order("sell", holder.shares), 0)
    assert after.usdc < amount or sold is None
    assert after.realised <= 0


@given(curves, supplies, fees, micros, st.integers(2, 20))
def test_slicing_an_order_never_beats_it_whole(
    curve: Curve, supply: int, fee_bps: int, amount: int, parts: int
) -> None:
    start = active(curve, fee_bps)._replace(supply=supply)
    whole = execute(start, Holder(amount, 0), Order("buy", amount), 0).holder
    market, sliced, left = start, Holder(amount, 0), amount
    for number in range(parts):
        piece = left // (parts - number)
        left -= piece
        if piece:
            market, sliced, _, _ = execute(market, sliced, Order("buy", piece), 0)
    # every slice rounds its fee up and its shares down: it can only lose
    assert sliced.shares <= whole.shares
    assert sliced.usdc >= whole.usdc


@given(curves, supplies, fees, st.integers(0, 10_000), st.integers(0, 10**12), micros)
def test_the_parts_of_a_fee_are_the_fee(
    curve: Curve, supply: int, fee_bps: int, part_bps: int, lp_shares: int, amount: int
) -> None:
    market = active(curve, fee_bps, lp_shares)._replace(supply=supply, lp_part_bps=part_bps)
    after, _, fill, _ = execute(market, Holder(amount, 0), Order("buy", amount), 0)
    assume(fill is not None)
    assert fill is not None
    assert fill.fee == -(-amount * fee_bps // BPS)
    assert fill.pool + fill.fee == amount
    assert fill.lp_fee == (fill.fee * part_bps // BPS if lp_shares else 0)
    owed = fees_earned(lp_shares, 0, after.fee_index)
    assert fill.lp_fee - 1 <= owed <= fill.lp_fee
    check_booking(Booking("trade:x", "trade", lines("2" * 36, "3" * 36, "buy", fill)))


@given(curves, supplies, fees, micros)
def test_a_quote_is_what_the_trade_does(curve: Curve, supply: int, fee_bps: int, amount: int) -> None:
    market = active(curve, fee_bps)._replace(supply=supply)
    outcome = execute(market, Holder(amount, 0), Order("buy", amount), 0)
    assert quote(market, Order("buy", amount)) == (outcome.fill or outcome.reject)


@given(curves, fees, st.lists(micros, min_size=1, max_size=400))
@settings(max_examples=25)
def test_d11_nothing_but_trades_moves_the_curve(curve: Curve, fee_bps: int, amounts: list[int]) -> None:
    """After four hundred anythings the curve is the one the asset was made with, and selling all cannot bring more."""
    market, holder = active(curve, fee_bps), Holder(10**18, 0)
    for amount in amounts:
        market, holder, _, _ = execute(market, holder, Order("buy", amount), 0)
        assert market.curve is curve
    if holder.shares:
        _, holder, _, _ = execute(market, holder, Order("sell", holder.shares), 0)
    assert holder.usdc <= 10**18


steps = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10**9)), max_size=60)


@given(steps, st.integers(1, 10_000), st.integers(1, 10**9), st.integers(1, 10**9))
def test_the_window_is_the_naive_minimum_and_maximum(
    moves: list[tuple[int, int]], limit: int, standing: int, price: int
) -> None:
    window, seen, now = prices.Window(), [], 1_000
    for pause, value in moves:
        now += pause
        window = prices.with_price(window, now, value)
        seen.append((now, value))
    lately = [value for second, value in seen if second >= now - 60]
    assert (window.low, window.high) == ((min(lately), max(lately)) if lately else (0, 0))
    rebuilt = prices.window_of(
        tuple(
            Bucket(second, min(v for s, v in seen if s == second), max(v for s, v in seen if s == second))
            for second in sorted({s for s, _ in seen if s >= now - 60})
        )
    )
    assert rebuilt == window
    known = [standing, *lately]
    naive = any(abs(price - p) * BPS > limit * p for p in (min(known), max(known)))
    assert prices.breaches(window, standing, price, limit) == naive
    assert not prices.breaches(window, standing, price, 0)


@given(steps, st.integers(0, 400))
def test_the_volume_is_the_naive_sum(moves: list[tuple[int, int]], later: int) -> None:
    rolling, seen, now = Volume(), [], 1_000
    for pause, value in moves:
        now += pause
        rolling = volume.with_amount(rolling, now, value)
        seen.append((now, value))
        assert rolling.micros == sum(v for s, v in seen if s >= now - 300)
    now += later
    assert volume.at_second(rolling, now).micros == sum(v for s, v in seen if s >= now - 300)


orders = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y"]), st.booleans(), micros, st.integers(0, 10**20),
    st.integers(0, 3), st.sampled_from([0, 10**9, 7]), st.sampled_from(["active", "active", "active", "halted"]),
    st.booleans(),
)  # fmt: skip


@given(st.lists(orders, max_size=40), st.integers(1, 2_000), st.integers(0, 10**17))
@settings(max_examples=60)
def test_a_log_replays_to_the_same_end(log: list[Any], breaker_bps: int, k: int) -> None:
    """Batches over two assets with shared money, principal that comes and goes, halts, the switch: each asset's log
    alone gives every fill and rejection, its market and its positions again."""
    terms = Terms(Curve(MICRO, k), 50, 9_000, breaker_bps)
    markets = {asset: Market(*terms, status="active") for asset in "xy"}
    volumes = {asset: Volume() for asset in "xy"}
    usdc = {account: 50 * MICRO for account in "abc"}
    positions: dict[tuple[str, str], Any] = {}
    rows: dict[str, list[Logged]] = {"x": [], "y": []}
    second = 1_000
    for account, asset, buys, amount, min_out, pause, lp_shares, status, off in log:
        second += pause
        usdc[account] += amount % MICRO  # a deposit from elsewhere
        markets = {name: m._replace(lp_shares=lp_shares, status=status) for name, m in markets.items()}
        held = positions.get((account, asset), NOTHING)
        order = Order("buy", amount, min_out) if buys else Order("sell", max(1, held.shares // 2), min_out % MICRO)
        desk = Desk(markets, volumes, usdc, positions)
        done = settle(desk, [Pending("i", asset, account, order)], second, enabled=not (off and pause == 3))
        [verdict] = done.verdicts
        if verdict.fill is not None:
            usdc[account] += -verdict.fill.amount if buys else verdict.fill.amount
        markets, volumes = dict(done.markets), dict(done.volumes)
        positions |= done.positions
        rows[asset].append(
            Logged(
                verdict.number, account, order, second, verdict.usdc, verdict.lp_shares, verdict.fill, verdict.reject
            )
        )
    for asset in "xy":
        again = replay(terms, rows[asset])
        assert again.differences == ()
        kept = markets[asset]._replace(lp_shares=0, status="active")
        assert again.market._replace(lp_shares=0, status="active") == kept
        for account in "abc":
            fills = [
                Done(row.order.side, row.fill.shares, row.fill.amount)
                for row in rows[asset]
                if row.account_id == account and row.fill is not None
            ]
            assert position_of(fills) == positions.get((account, asset), NOTHING)
            assert again.positions.get(account, NOTHING) == position_of(fills)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 10**7)), min_size=1, max_size=20), st.data())
def test_a_log_that_was_tampered_with_does_not_replay(asked: list[tuple[str, int]], data: st.DataObject) -> None:
    terms = Terms(Curve(MICRO, 10**16), 50, 9_000, 0)
    market, rows = Market(*terms, status="active"), []
    holders = {"a": Holder(10**12, 0), "b": Holder(10**12, 0)}
    for number, (account, amount) in enumerate(asked, 1):
        before, order = holders[account], Order("buy", amount)
        market, holders[account], fill, reject = execute(market, before, order, number)
        rows.append(Logged(number, account, order, number, before.usdc, 0, fill, reject))
    filled = [n for n, row in enumerate(rows) if row.fill is not None]
    assume(filled)
    chosen = data.draw(st.sampled_from(filled))
    field = data.draw(st.sampled_from(Fill._fields))
    told = rows[chosen].fill
    assert told is not None
    rows[chosen] = rows[chosen]._replace(fill=told._replace(**{field: getattr(told, field) + 1}))
    assert [d.number for d in replay(terms, rows).differences] == [chosen + 1]


@given(curves, fees, st.lists(micros, min_size=1, max_size=30))
def test_a_batch_is_its_orders_one_by_one(curve: Curve, fee_bps: int, amounts: list[int]) -> None:
    market, holder = active(curve, fee_bps), Holder(sum(amounts) // 2, 0)
    desk = Desk({"x": market}, {"x": Volume()}, {"a": holder.usdc}, {})
    done = settle(desk, [Pending(str(n), "x", "a", Order("buy", v)) for n, v in enumerate(amounts)], 5, enabled=True)
    for verdict, amount in zip(done.verdicts, amounts, strict=True):
        assert verdict.usdc == holder.usdc
        market, holder, fill, reject = execute(market, holder, Order("buy", amount), 5)
        assert (verdict.fill, verdict.reject) == (fill, reject)
    assert done.markets["x"] == market
