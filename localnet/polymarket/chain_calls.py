"""Calls of the local venue's contracts: what a fill, a split, a redemption say on Polygon. Builds bytes, sends nothing.

Every contract stands at its real address (`domain.copytrade.contracts`), so the product's built-in table finds it.
Amounts are micros; sides are "BUY" and "SELL"; ids as the venue writes them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from eth_abi.abi import encode
from eth_hash.auto import keccak

from contracts import load
from domain.copytrade.contracts import DEFAULT, Speaks

CODE: Final = {
    Speaks.EXCHANGE: "VenueExchange",
    Speaks.EXCHANGE_V1: "VenueExchangeV1",
    Speaks.TOKENS: "VenueTokens",
    Speaks.POSITIONS: "VenueTokens",
    Speaks.NEG_RISK: "VenueNegRisk",
    Speaks.MODULE: "VenueModule",
    Speaks.CASH: "VenueCash",
}
"""Which of `contracts/` stands where."""

AT: Final = {contract.name: contract.address for contract in DEFAULT.contracts}
EXCHANGES: Final = {
    "v1": AT["CTF Exchange V1"],
    "v1-neg-risk": AT["NegRisk Exchange V1"],
    "v2": AT["CTF Exchange V2"],
    "v2-neg-risk": AT["NegRisk Exchange V2"],
    "v3": AT["ExchangeV3"],
}
CTF, ADAPTER, NEG_RISK = AT["ConditionalTokens"], AT["CtfCollateralAdapter"], AT["NegRiskAdapter"]
POSITIONS, MODULE, ROUTER, PUSD = AT["PositionManager"], AT["Binary module"], AT["Router"], AT["pUSD"]
BATCH: Final = "0x00000000000000000000000000000000ba7c4000"
OPERATOR: Final = "0x0000000000000000000000000000000000000b07"
FEES_TO: Final = "0x0000000000000000000000000000000000000fee"
NOBODY: Final = "0x" + "00" * 20
BURNT: Final = "0x000000000000000000000000000000000000dead"

_orders = itertools.count(1)


class Call(NamedTuple):
    """One call of one contract."""

    to: str
    data: bytes


class Order(NamedTuple):
    """An executed order: `usdc` before the `fee`, which V1 takes in shares of a BUY."""

    wallet: str
    side: str
    token_id: str
    shares: int
    usdc: int
    fee: int = 0


def match(taker: Order, makers: Sequence[Order], exchange: str = "v2") -> Call:
    """A match: an OrderFilled per maker order, the taker's own, OrdersMatched."""
    tuples = _v1 if exchange.startswith("v1") else _v2
    name = "VenueExchangeV1" if exchange.startswith("v1") else "VenueExchange"
    return _call(EXCHANGES[exchange], name, "matchOrders", tuples(taker), [tuples(one) for one in makers], FEES_TO)


def _v2(order: Order) -> tuple[Any, ...]:
    bought = order.side == "BUY"
    made, taken = (order.usdc, order.shares) if bought else (order.shares, order.usdc)
    return _hash(order), order.wallet, 0 if bought else 1, int(order.token_id), made, taken, order.fee


def _v1(order: Order) -> tuple[Any, ...]:
    token = int(order.token_id)
    if order.side == "BUY":
        return _hash(order), order.wallet, 0, token, order.usdc, order.shares, order.fee
    return _hash(order), order.wallet, token, 0, order.shares, order.usdc, order.fee


def _hash(order: Order) -> bytes:
    """Orders have hashes of their own, even equal ones."""
    return keccak(f"{next(_orders)}:{order}".encode())


def split(wallet: str, condition_id: str, pairs: int, version: str = "v1", *, neg_risk: bool = False) -> list[Call]:
    """A user's split. Through the adapter the CTF names the adapter and only the adapter names the user."""
    return _pairs("split", wallet, condition_id, pairs, version, neg_risk)


def merge(wallet: str, condition_id: str, pairs: int, version: str = "v1", *, neg_risk: bool = False) -> list[Call]:
    return _pairs("merge", wallet, condition_id, pairs, version, neg_risk)


def _pairs(what: str, wallet: str, condition: str, pairs: int, version: str, neg_risk: bool) -> list[Call]:
    if version == "v2":
        people = [wallet, wallet] if what == "split" else [wallet]
        return [_call(MODULE, "VenueModule", what, ROUTER, _bytes(condition)[:31], *people, pairs)]
    whole = _bytes(condition)
    if neg_risk:
        return [
            _call(CTF, "VenueTokens", what, NEG_RISK, PUSD, whole, [1, 2], pairs),
            _call(NEG_RISK, "VenueNegRisk", what, wallet, whole, pairs),
        ]
    return [
        _call(CTF, "VenueTokens", what, ADAPTER, PUSD, whole, [1, 2], pairs),
        _call(ADAPTER, "VenueTokens", what, wallet, PUSD, whole, [1, 2], pairs),
    ]


def redeem(
    wallet: str,
    condition_id: str,
    amounts: tuple[int, int],
    payout: int,
    tokens: tuple[str, str] = ("0", "0"),
    version: str = "v1",
    *,
    neg_risk: bool = False,
) -> list[Call]:
    """Shares of both outcomes become `payout`. Protocol V2 says each position of its own, with what it paid."""
    if version == "v2":
        paid = _shared(payout, amounts)
        return [
            _call(MODULE, "VenueModule", "redeem", ROUTER, int(token), wallet, amount, part)
            for token, amount, part in zip(tokens, amounts, paid, strict=True)
            if amount
        ]
    if neg_risk:
        return [_call(NEG_RISK, "VenueNegRisk", "redeem", wallet, _bytes(condition_id), list(amounts), payout)]
    return [
        _call(CTF, "VenueTokens", "redeem", ADAPTER, PUSD, _bytes(condition_id), [1, 2], payout),
        _call(ADAPTER, "VenueTokens", "redeem", wallet, PUSD, _bytes(condition_id), [1, 2], payout),
    ]


def _shared(payout: int, amounts: tuple[int, int]) -> tuple[int, int]:
    first = payout * amounts[0] // max(1, sum(amounts)) if all(amounts) else payout if amounts[0] else 0
    return first, payout - first


def convert(
    wallet: str, market_id: str, index_set: int, amount: int, no_tokens: Sequence[str], yes_tokens: Sequence[str],
    *, fee_bps: int = 0,
) -> list[Call]:  # fmt: skip
    """NegRiskAdapter.convertPositions: NO of the index set goes to the burn address, YES of the others comes, and
    (k - 1) times as much collateral; less the fee."""
    out = amount - amount * fee_bps // 10_000
    cash = (len(no_tokens) - 1) * out
    calls = [move(wallet, BURNT, no_tokens, amount, operator=NEG_RISK)]
    if cash:
        calls.append(_call(PUSD, "VenueCash", "move", NEG_RISK, wallet, cash))
    if yes_tokens:
        calls.append(move(NEG_RISK, wallet, yes_tokens, out, operator=NEG_RISK))
    return [*calls, _call(NEG_RISK, "VenueNegRisk", "convert", wallet, _bytes(market_id), index_set, amount)]


def move(sender: str, to: str, tokens: Sequence[str], amount: int, operator: str = OPERATOR, at: str = CTF) -> Call:
    """ERC-1155 shares change hands: one token as TransferSingle, several as TransferBatch."""
    ids = [int(token) for token in tokens]
    if len(ids) == 1:
        return _call(at, "VenueTokens", "move", operator, sender, to, ids[0], amount)
    return _call(at, "VenueTokens", "moveMany", operator, sender, to, ids, [amount] * len(ids))


def resolve(condition_id: str, payouts: Sequence[int], version: str = "v1") -> Call:
    """The oracle has spoken. Payouts in micros per share."""
    if version == "v2":
        return _call(MODULE, "VenueModule", "resolve", _bytes(condition_id)[:31], list(payouts))
    question = keccak(_bytes(condition_id))
    return _call(CTF, "VenueTokens", "resolve", _bytes(condition_id), OPERATOR, question, list(payouts))


def together(calls: Sequence[Call]) -> Call:
    """Several calls in one transaction."""
    if len(calls) == 1:
        return calls[0]
    return _call(BATCH, "VenueBatch", "run", [call.to for call in calls], [call.data for call in calls])


def _call(to: str, name: str, function: str, *arguments: Any) -> Call:
    selector, types = _interface(name, function)
    return Call(to, selector + encode(types, list(arguments)))


@lru_cache
def _interface(name: str, function: str) -> tuple[bytes, tuple[str, ...]]:
    abi = next(item for item in load(name).abi if item.get("name") == function and item["type"] == "function")
    types = tuple(_type(item) for item in abi["inputs"])
    return keccak(f"{function}({','.join(types)})".encode())[:4], types


def _type(item: dict[str, Any]) -> str:
    """`tuple[]` with its parts written out, as the selector wants it."""
    kind = str(item["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in item['components'])}){kind[5:]}"


def _bytes(text: str) -> bytes:
    """32 bytes of a condition or market id; one of 31 bytes is filled up on the right."""
    return bytes.fromhex(text.removeprefix("0x")).ljust(32, b"\0")
