"""Conversions from receipts, sums of chain and API, forks by heads, position ids."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade import position_ids
from domain.copytrade.chain_heads import Heads
from domain.copytrade.chain_sums import Sum, SumKey, differences, summed
from domain.copytrade.chain_words import RawLog, UnreadableLog, padded
from domain.copytrade.contracts import DEFAULT
from domain.copytrade.conversions import Conversion, conversion

AT = {contract.name: contract.address for contract in DEFAULT.contracts}
T = DEFAULT.topics
WALLET, OTHER, BURNT = "0x" + "a1" * 20, "0x" + "b2" * 20, "0x" + "00" * 18 + "dead"
ADAPTER, CTF, PUSD = AT["NegRiskAdapter"], AT["ConditionalTokens"], AT["pUSD"]
MARKET = "0x" + "0e" * 31 + "00"
ONE = 1_000_000


def raw(address: str, topics: list[str], data: bytes, index: int = 0) -> RawLog:
    return RawLog(address, tuple(topics), data, 92_000_000, MARKET, MARKET, index)


def moved(sender: str, to: str, amounts: dict[int, int]) -> RawLog:
    topics = [T.transfer_batch, padded(ADAPTER), padded(sender), padded(to)]
    return raw(CTF, topics, encode(["uint256[]", "uint256[]"], [list(amounts), list(amounts.values())]))


def paid(to: str, amount: int, sender: str = ADAPTER) -> RawLog:
    return raw(PUSD, [T.cash_transfer, padded(sender), padded(to)], encode(["uint256"], [amount]))


def converted(who: str, index_set: int, amount: int) -> RawLog:
    topics = [T.positions_converted, padded(who), MARKET, f"0x{index_set:064x}"]
    return raw(ADAPTER, topics, encode(["uint256"], [amount]), 9)


def receipt(k: int, n: int, amount: int, fee_bps: int = 0) -> list[RawLog]:
    """k NO of n questions: tokens 100.. are NO, 200.. are YES."""
    out = amount - amount * fee_bps // 10_000
    logs = [moved(WALLET, BURNT, {100 + i: amount for i in range(k)})]
    logs += [paid(WALLET, (k - 1) * out)] if k > 1 else []
    logs += [moved(ADAPTER, WALLET, {200 + i: out for i in range(k, n)})] if n > k else []
    return [*logs, converted(WALLET, (1 << k) - 1, amount)]


@given(st.integers(1, 6), st.integers(0, 4), st.integers(1, 10**12), st.integers(0, 500))
def test_k_of_n_gives_the_legs_and_the_cash(k: int, more: int, amount: int, fee_bps: int) -> None:
    n = max(2, k + more)
    found = conversion(DEFAULT, WALLET, receipt(k, n, amount, fee_bps))
    out = amount - amount * fee_bps // 10_000
    assert found.usdc == (k - 1) * out
    assert {leg.token_id: leg.shares for leg in found.legs} == {
        **{str(100 + i): -amount for i in range(k)},
        **{str(200 + i): out for i in range(k, n)},
    }
    assert found.market_ids == (MARKET,)


def test_through_an_adapter_the_event_names_the_adapter() -> None:
    house = AT["NegRiskCtfCollateralAdapter"]
    logs = [
        moved(WALLET, house, {100: 5 * ONE, 101: 5 * ONE}),
        moved(house, BURNT, {100: 5 * ONE, 101: 5 * ONE}),
        converted(house, 0b11, 5 * ONE),
        moved(house, WALLET, {202: 5 * ONE}),
        paid(WALLET, 5 * ONE, house),
    ]
    assert conversion(DEFAULT, WALLET, logs).usdc == 5 * ONE


def test_two_conversions_in_one_transaction_are_summed() -> None:
    found = conversion(DEFAULT, WALLET, receipt(2, 4, 5 * ONE) + receipt(2, 4, 3 * ONE))
    assert isinstance(found, Conversion)
    assert found.usdc == 8 * ONE
    assert {leg.token_id: leg.shares for leg in found.legs} == {
        "100": -8 * ONE, "101": -8 * ONE, "202": 8 * ONE, "203": 8 * ONE,
    }  # fmt: skip


def split_too() -> RawLog:
    return raw(ADAPTER, [T.neg_risk_split, padded(WALLET), MARKET], encode(["uint256"], [5]))


@pytest.mark.parametrize(
    "logs",
    [
        [],
        receipt(2, 4, 5)[:-1],  # no conversion at all
        receipt(2, 4, 5)[1:],  # nothing left the wallet
        [*receipt(2, 4, 5), split_too()],  # it did something else as well
        [*receipt(2, 4, 5), moved(WALLET, OTHER, {7: 1})],
        [*receipt(2, 4, 5), paid(WALLET, 1)],
        [*receipt(2, 4, 5), paid(OTHER, 1, WALLET)],
        [*receipt(2, 4, 5), moved(ADAPTER, WALLET, {250: 4})],  # amounts differ
        [*receipt(2, 4, 5, 100), *receipt(2, 4, 300, 100)],  # two with fees cannot be told apart
        [log if log.topics[0] != T.positions_converted else converted(OTHER, 3, 5) for log in receipt(2, 4, 5)],
        [converted(AT["NegRiskCtfCollateralAdapter"], 1, 5), converted(AT["NegRiskCtfCollateralAdapter"], 1, 5)],
    ],
)
def test_a_receipt_that_does_not_add_up_is_never_guessed(logs: list[RawLog]) -> None:
    with pytest.raises(UnreadableLog):
        conversion(DEFAULT, WALLET, logs)


def key(side: str = "BUY", token: str = "1") -> SumKey:
    return SumKey("0xt", WALLET, token, side)


def test_sums_agree_with_the_fee_on_a_buy_and_either_way_on_a_sale() -> None:
    chain = summed([(key(), Sum(10, 6, 1, 1)), (key(), Sum(5, 3, 0, 1)), (key("SELL"), Sum(10, 100, 20, 1))])
    assert chain[key()] == Sum(15, 9, 1, 2)
    for sold in (100, 80):
        assert differences({key(): Sum(15, 10, 0, 3), key("SELL"): Sum(10, sold, 0, 1)}, chain) == []


@pytest.mark.parametrize(
    ("api", "chain", "what"),
    [
        (Sum(1_000, 600, 0, 1), Sum(1_002, 600, 0, 1), "shares differ"),
        (Sum(1_000, 600, 0, 1), Sum(1_000, 500, 10, 1), "USDC differs"),
        (None, Sum(1, 1, 0, 1), "missing in the API"),
        (Sum(1, 1, 0, 1), None, "missing on the chain"),
    ],
)
def test_what_differs_is_named(api: Sum | None, chain: Sum | None, what: str) -> None:
    found = differences({key(): api} if api else {}, {key(): chain} if chain else {})
    assert [one.what for one in found] == [what]


def test_one_wrong_token_of_a_transaction_is_one_difference() -> None:
    both = {key(): Sum(1_000, 600, 0, 1), key(token="2"): Sum(1_000, 400, 0, 1)}
    assert [one.key.token_id for one in differences(both, {**both, key(token="2"): Sum(2_000, 400, 0, 1)})] == ["2"]


def test_heads_that_follow_each_other_are_no_fork() -> None:
    heads = Heads()
    assert not any(heads.see(n, f"h{n}", f"h{n - 1}", n) for n in range(10, 20))
    assert (heads.newest, heads.hash_of(12), heads.time_of("h12")) == (19, "h12", 12)
    assert not heads.see(25, "h25", "h24", 25)  # some were not told
    assert not heads.see(25, "h25", "h24", 25)  # one was told twice


def test_another_block_at_a_height_or_another_parent_is_a_fork() -> None:
    for number, block, parent in ((19, "x19", "h18"), (20, "x20", "x19"), (15, "x15", "h14")):
        heads = Heads()
        for n in range(10, 20):
            heads.see(n, f"h{n}", f"h{n - 1}", n)
        assert heads.see(number, block, parent, number)
        assert (heads.newest, heads.hash_of(number), heads.hash_of(12)) == (number, block, None)


FIELDS = st.tuples(
    st.sampled_from([1, 2, 3]), st.integers(0, 2**128 - 1), st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1),
    st.integers(0, 2**16 - 1), st.integers(0, 255),
)  # fmt: skip


@given(FIELDS)
def test_position_ids_are_taken_apart_and_put_together(fields: tuple[int, ...]) -> None:
    position = position_ids.PositionId(*fields)
    assert position_ids.read(position.token_id) == position
    assert len(position.condition_id) == 64
    assert int(position.token_id) == (int(position.condition_id, 16) << 8) | position.outcome


def test_a_token_of_the_old_kind_is_no_position_id() -> None:
    assert position_ids.read("107562952936555819668737826428754978979556920505990557747611348541829551199040") is None
    assert position_ids.read(str((1 << 248) | (1 << 60))) is None
