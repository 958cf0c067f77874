"""Logs of the venue's contracts: every event read, nothing guessed (polymarket.md 2.2 and 2.3)."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.chain_logs import read_log
from domain.copytrade.chain_values import AMOUNT_MAX, ChainFill, ChainMove, ChainResolution, Role, Said
from domain.copytrade.chain_words import RawLog, UnreadableLog, padded
from domain.copytrade.contracts import DEFAULT, V1_UNTIL_BLOCK, V2_FROM_BLOCK, Contracts, everywhere, parse, to_json
from domain.copytrade.venue import Kind, Side

AT = {contract.name: contract.address for contract in DEFAULT.contracts}
T = DEFAULT.topics
TAKER, MAKER = "0x" + "a1" * 20, "0x" + "b2" * 20
EXCHANGE, OLD = AT["CTF Exchange V2"], AT["CTF Exchange V1"]
HASH, CONDITION = "0x" + "0f" * 32, "0x" + "cd" * 32
TODAY = 92_000_000
ONE = 1_000_000


def log(address: str, topics: list[str], types: str, *values: Any, block: int = TODAY, removed: bool = False) -> RawLog:
    data = encode(types.split(",") if types else [], values)
    return RawLog(address, tuple(topics), data, block, "0x" + "bb" * 32, "0x" + "77" * 32, 4, removed)


def filled(maker: str, taker: str, *values: int, address: str = EXCHANGE, block: int = TODAY) -> RawLog:
    types = "uint8,uint256,uint256,uint256,uint256,bytes32,bytes32"
    topics = [T.order_filled, HASH, padded(maker), padded(taker)]
    return log(address, topics, types, *values, bytes(32), bytes(32), block=block)


def filled_v1(maker: str, taker: str, *values: int, block: int = V1_UNTIL_BLOCK) -> RawLog:
    topics = [T.order_filled_v1, HASH, padded(maker), padded(taker)]
    return log(OLD, topics, "uint256,uint256,uint256,uint256,uint256", *values, block=block)


def split_log(parent: str, partition: list[int]) -> RawLog:
    topics = [T.position_split, padded(TAKER), parent, CONDITION]
    return log(AT["ConditionalTokens"], topics, "address,uint256[],uint256", MAKER, partition, 1)


def fill(said: Said | None) -> ChainFill:
    assert isinstance(said, ChainFill)
    return said


def move(said: Said | None) -> ChainMove:
    assert isinstance(said, ChainMove)
    return said


def test_the_measured_mint_match_gives_each_side_its_own_order() -> None:
    """Taker BUY Up 25 at 0.64 with a fee of 0.4032, served by maker BUY Down 25 at 0.36."""
    taker = fill(read_log(DEFAULT, filled(TAKER, EXCHANGE, 0, 111, 16 * ONE, 25 * ONE, 403_200)))
    maker = fill(read_log(DEFAULT, filled(MAKER, TAKER, 0, 222, 9 * ONE, 25 * ONE, 0)))
    assert (taker.wallet, taker.role, taker.side, taker.token_id) == (TAKER, Role.TAKER, Side.BUY, "111")
    assert (taker.shares, taker.usdc, taker.fee) == (25 * ONE, 16 * ONE, 403_200)
    assert taker.fee == 25 * 70_000 * 64 * 36 // 10_000
    assert (maker.wallet, maker.role, maker.side, maker.token_id) == (MAKER, Role.MAKER, Side.BUY, "222")
    assert (maker.shares, maker.usdc, maker.fee) == (25 * ONE, 9 * ONE, 0)


def test_a_sale_turns_the_amounts_round() -> None:
    said = fill(read_log(DEFAULT, filled(TAKER, EXCHANGE, 1, 111, 25 * ONE, 16 * ONE, 5)))
    assert (said.side, said.shares, said.usdc, said.fee) == (Side.SELL, 25 * ONE, 16 * ONE, 5)


@pytest.mark.parametrize("name", ["NegRisk Exchange V2", "NegRisk Exchange V2, third", "ExchangeV3"])
def test_every_exchange_of_today_is_read_and_is_its_own_taker(name: str) -> None:
    said = fill(read_log(DEFAULT, filled(TAKER, AT[name], 0, 1, 2, 3, 0, address=AT[name])))
    assert (said.role, said.contract) == (Role.TAKER, AT[name])
    # another exchange as taker is no taker order of this one
    assert fill(read_log(DEFAULT, filled(TAKER, OLD, 0, 1, 2, 3, 0, address=AT[name]))).role is Role.MAKER


def test_v1_tells_the_side_by_the_asset_that_is_collateral_and_takes_fees_of_a_buy_in_shares() -> None:
    bought = fill(read_log(DEFAULT, filled_v1(TAKER, OLD, 0, 777, 3 * ONE, 20 * ONE, 40_000)))
    sold = fill(read_log(DEFAULT, filled_v1(MAKER, TAKER, 777, 0, 20 * ONE, 3 * ONE, 6_000)))
    assert (bought.side, bought.token_id, bought.shares, bought.usdc) == (Side.BUY, "777", 20 * ONE, 3 * ONE)
    assert (bought.fee, bought.fee_shares, bought.role) == (0, 40_000, Role.TAKER)
    assert (sold.side, sold.shares, sold.usdc, sold.fee, sold.fee_shares) == (Side.SELL, 20 * ONE, 3 * ONE, 6_000, 0)


def test_contracts_are_believed_in_their_own_blocks_only() -> None:
    before, after = V2_FROM_BLOCK - 1, V1_UNTIL_BLOCK + 1
    old = (0, 777, 3, 20, 0)
    assert read_log(DEFAULT, filled_v1(TAKER, OLD, *old, block=after)) is None
    assert read_log(DEFAULT, filled(TAKER, EXCHANGE, 0, 1, 2, 3, 0, block=before)) is None
    # half a minute in which both traded
    both = V2_FROM_BLOCK + 1
    assert fill(read_log(DEFAULT, filled_v1(TAKER, OLD, *old, block=both))).version == "v1"
    assert fill(read_log(DEFAULT, filled(TAKER, EXCHANGE, 0, 1, 2, 3, 0, block=both))).version == "v2"
    assert fill(read_log(everywhere(DEFAULT), filled_v1(TAKER, OLD, *old, block=5))).version == "v1"


def test_others_contracts_and_events_say_nothing() -> None:
    assert read_log(DEFAULT, filled(TAKER, EXCHANGE, 0, 1, 2, 3, 0, address="0x" + "99" * 20)) is None
    assert read_log(DEFAULT, log(EXCHANGE, ["0x" + "12" * 32], "uint256", 5)) is None
    assert read_log(DEFAULT, log(EXCHANGE, [], "uint256", 5)) is None
    assert read_log(DEFAULT, log(AT["pUSD"], [T.order_filled], "")) is None


def test_what_the_venues_own_addresses_do_is_nobodys() -> None:
    adapter = AT["CtfCollateralAdapter"]
    topics = [T.position_split, padded(adapter), "0x" + "00" * 32, CONDITION]
    inner = log(AT["ConditionalTokens"], topics, "address,uint256[],uint256", AT["pUSD"], [1, 2], 5)
    outer = log(adapter, [topics[0], padded(TAKER), *topics[2:]], "address,uint256[],uint256", AT["pUSD"], [1, 2], 5)
    assert read_log(DEFAULT, inner) is None
    said = move(read_log(DEFAULT, outer))
    assert (said.wallet, said.kind, said.condition_id, said.shares, said.usdc) == (TAKER, Kind.SPLIT, CONDITION, 5, 5)


def test_merges_and_redemptions_of_conditional_tokens() -> None:
    ctf, zero = AT["ConditionalTokens"], "0x" + "00" * 32
    merged = log(
        ctf, [T.positions_merge, padded(TAKER), zero, CONDITION], "address,uint256[],uint256", MAKER, [1, 2], 7
    )
    redeemed = log(
        ctf, [T.payout_redemption, padded(TAKER), padded(AT["pUSD"]), zero], "bytes32,uint256[],uint256",
        bytes.fromhex(CONDITION[2:]), [1, 2], 9,
    )  # fmt: skip
    assert move(read_log(DEFAULT, merged))[1:3] == (Kind.MERGE, CONDITION)
    said = move(read_log(DEFAULT, redeemed))
    assert (said.kind, said.condition_id, said.shares, said.usdc) == (Kind.REDEEM, CONDITION, None, 9)


def test_the_neg_risk_adapters_events() -> None:
    at = AT["NegRiskAdapter"]
    split = move(read_log(DEFAULT, log(at, [T.neg_risk_split, padded(TAKER), CONDITION], "uint256", 5)))
    merge = move(read_log(DEFAULT, log(at, [T.neg_risk_merge, padded(TAKER), CONDITION], "uint256", 6)))
    redeem = log(at, [T.neg_risk_redemption, padded(TAKER), CONDITION], "uint256[],uint256", [2, 3], 4)
    paid = move(read_log(DEFAULT, redeem))
    convert = log(at, [T.positions_converted, padded(TAKER), HASH, f"0x{0b1011:064x}"], "uint256", 8)
    converted = move(read_log(DEFAULT, convert))
    assert (split.kind, split.shares, merge.kind, merge.shares) == (Kind.SPLIT, 5, Kind.MERGE, 6)
    assert (paid.amounts, paid.shares, paid.usdc) == ((2, 3), 5, 4)
    assert (converted.kind, converted.market_id, converted.index_set, converted.shares) == (
        Kind.CONVERSION, HASH, 0b1011, 8,
    )  # fmt: skip


def test_modules_name_the_user_as_recipient_and_conditions_in_31_bytes() -> None:
    at, short = AT["Binary module"], "0x01" + "ab" * 30
    router = padded(AT["Router"])
    split = log(at, [T.module_split, router, short + "00", padded(TAKER)], "address,uint256", TAKER, 5)
    position = (int(short, 16) << 8) | 1
    redeem = log(at, [T.module_redeem, router, f"0x{position:064x}", padded(TAKER)], "uint256,uint256", 6, 3)
    assert move(read_log(DEFAULT, split))[:4] == (TAKER, Kind.SPLIT, short, "")
    said = move(read_log(DEFAULT, redeem))
    assert (said.condition_id, said.token_id, said.shares, said.usdc) == (short, str(position), 6, 3)
    two = log(at, [T.module_split, router, short + "00", padded(TAKER)], "address,uint256", MAKER, 5)
    with pytest.raises(UnreadableLog):
        read_log(DEFAULT, two)


def test_resolutions_of_both_generations() -> None:
    old = log(
        AT["ConditionalTokens"],
        [T.condition_resolution, CONDITION, padded(MAKER), HASH],
        "uint256,uint256[]",
        2,
        [1, 1],
    )
    new = log(AT["Binary module"], [T.module_resolved, "0x01" + "ab" * 30 + "00"], "uint256[]", [ONE // 2, ONE // 2])
    assert [
        (said.condition_id, said.payouts)
        for said in (read_log(DEFAULT, old), read_log(DEFAULT, new))
        if isinstance(said, ChainResolution)
    ] == [(CONDITION, (1, 1)), ("0x01" + "ab" * 30, (ONE // 2, ONE // 2))]


@pytest.mark.parametrize(
    "odd",
    [
        filled(TAKER, EXCHANGE, 2, 1, 2, 3, 0),
        filled(TAKER, EXCHANGE, 0, 1, 2, 3, 0)._replace(data=b""),
        filled(TAKER, EXCHANGE, 0, 1, 2, 3, 0)._replace(data=bytes(32 * 8)),
        filled(TAKER, EXCHANGE, 0, 1, AMOUNT_MAX + 1, 3, 0),
        filled(TAKER, EXCHANGE, 0, 1, 2, 3, 0)._replace(topics=(T.order_filled, HASH, padded(TAKER))),
        filled(TAKER, EXCHANGE, 0, 1, 2, 3, 0)._replace(topics=(T.order_filled, HASH, HASH, padded(TAKER))),
        filled_v1(TAKER, OLD, 0, 0, 1, 1, 0),
        filled_v1(TAKER, OLD, 5, 6, 1, 1, 0),
        split_log(HASH, [1, 2]),
        split_log("0x" + "00" * 32, [1, 2, 4]),
        log(AT["NegRiskAdapter"], [T.neg_risk_redemption, padded(TAKER), CONDITION], "uint256,uint256", 10**30, 1),
        log(AT["Binary module"], [T.module_merge, padded(MAKER), CONDITION, padded(TAKER)], "uint256", 1),
    ],
)  # fmt: skip
def test_a_known_event_in_an_unknown_shape_is_never_guessed(odd: RawLog) -> None:
    with pytest.raises(UnreadableLog):
        read_log(DEFAULT, odd)


ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
AMOUNTS = st.integers(0, AMOUNT_MAX)
TOKENS = st.integers(1, 2**256 - 1)


@given(ADDRESSES, ADDRESSES, st.sampled_from([0, 1]), TOKENS, AMOUNTS, AMOUNTS, AMOUNTS, st.booleans())
def test_any_fill_is_read_back(
    maker: str, taker: str, side: int, token: int, shares: int, usdc: int, fee: int, removed: bool
) -> None:
    made, taken = (usdc, shares) if side == 0 else (shares, usdc)
    raw = filled(maker, taker, side, token, made, taken, fee)._replace(removed=removed)
    said = fill(read_log(DEFAULT, raw))
    assert (said.wallet, said.token_id, said.shares, said.usdc, said.fee) == (maker, str(token), shares, usdc, fee)
    assert (said.side, said.role, said.removed) == (
        Side.BUY if side == 0 else Side.SELL, Role.TAKER if taker == EXCHANGE else Role.MAKER, removed,
    )  # fmt: skip


@given(st.sampled_from(DEFAULT.contracts), st.sampled_from(list(T.model_dump().values())), st.data())
def test_noise_is_read_or_refused_and_breaks_nothing(contract: Any, topic: str, data: st.DataObject) -> None:
    topics = data.draw(st.lists(st.binary(min_size=32, max_size=32), max_size=3))
    noise = data.draw(st.binary(max_size=400))
    raw = RawLog(
        contract.address, (topic, *("0x" + t.hex() for t in topics)), noise, contract.from_block, HASH, HASH, 0
    )
    try:
        said = read_log(DEFAULT, raw)
    except UnreadableLog:
        return
    assert said is None or isinstance(said, ChainFill | ChainMove | ChainResolution)


def test_the_table_travels_as_json() -> None:
    assert parse(to_json(DEFAULT)) == DEFAULT
    with pytest.raises(ValueError, match="address"):
        parse('{"version": "x", "contracts": [{"name": "n", "address": "0xAB", "speaks": "exchange"}]}')


def test_the_table_has_no_address_twice_and_only_v1_has_ended() -> None:
    addresses = [contract.address for contract in DEFAULT.contracts]
    assert len(addresses) == len(set(addresses))
    assert {c.version for c in DEFAULT.contracts if c.until_block is not None} == {"v1"}
    assert isinstance(DEFAULT, Contracts)
    assert DEFAULT.is_house(EXCHANGE)
    assert not DEFAULT.is_house(TAKER)
