"""Frames of a Polygon node read into values, and the narrow questions that are put to it (polymarket.md 2.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from domain.copytrade.chain_logs import read_log
from domain.copytrade.chain_values import ChainFill, ChainMove
from domain.copytrade.chain_words import RawLog, UnreadableLog, padded
from domain.copytrade.contracts import Contracts, Speaks
from gateways.evm.shapes import Hash, Log, Quantity, Shape, parse
from gateways.protocols import Quarantined

WALLETS_PER_FILTER: Final = 200
"""Providers take a few hundred values of one topic."""

SOURCE: Final = "polygon"


class Filter(NamedTuple):
    """One eth_subscribe or eth_getLogs. A followed wallet stands in exactly one of its topics."""

    addresses: list[str]
    topics: list[Any]

    def params(self) -> dict[str, Any]:
        return {"address": self.addresses, "topics": self.topics}


class Head(Shape):
    number: Quantity
    hash: Hash
    parentHash: Hash
    timestamp: Quantity


class VenueLog(Log):
    """Some nodes put the block's time into a log."""

    blockTimestamp: Quantity | None = None

    def raw(self) -> RawLog:
        return RawLog(
            self.address,
            self.topics,
            self.data,
            self.blockNumber,
            self.blockHash,
            self.transactionHash,
            self.logIndex,
            self.removed,
        )

    def told(self) -> dict[str, Any]:
        """What we understood of it, as JSON: a node's other fields are kept nowhere."""
        return {
            **self.model_dump(exclude={"data", "topics"}),
            "topics": list(self.topics),
            "data": "0x" + self.data.hex(),
        }


class SeenLog(NamedTuple):
    """A log of a wallet, read. `block_time` in seconds, when the node said it."""

    said: ChainFill | ChainMove
    block_time: int | None
    raw: dict[str, Any]


def filters(contracts: Contracts, wallets: Sequence[str], blocks: tuple[int, int] | None = None) -> list[Filter]:
    """Every fill in both roles, split, merge, redemption and conversion of these wallets, and nothing else.

    Args:  blocks  a range that is read afterwards: contracts of that time speak too. None: those in use.
    """
    return [one for part in _parts(wallets) for one in _filters(contracts, part, blocks) if one.addresses]


def _parts(wallets: Sequence[str]) -> Iterator[list[str]]:
    known = sorted({padded(wallet) for wallet in wallets})
    for start in range(0, len(known), WALLETS_PER_FILTER):
        yield known[start : start + WALLETS_PER_FILTER]


def _filters(contracts: Contracts, people: list[str], blocks: tuple[int, int] | None) -> list[Filter]:
    def those(*ways: Speaks) -> list[str]:
        return contracts.that_speak(*ways) if blocks is None else contracts.that_spoke(*blocks, *ways)

    topics = contracts.topics
    moved = [topics.position_split, topics.positions_merge, topics.payout_redemption, topics.neg_risk_split]
    moved += [topics.neg_risk_merge, topics.neg_risk_redemption, topics.positions_converted]
    in_modules = [topics.module_split, topics.module_merge, topics.module_redeem]
    # the taker of a log is never looked for: it tells of the other side's order
    return [
        Filter(those(Speaks.EXCHANGE), [topics.order_filled, None, people]),
        Filter(those(Speaks.EXCHANGE_V1), [topics.order_filled_v1, None, people]),
        Filter(those(Speaks.TOKENS, Speaks.NEG_RISK), [moved, people]),
        Filter(those(Speaks.MODULE), [in_modules, None, None, people]),
    ]


def seen_log(contracts: Contracts, raw: Any) -> SeenLog | None:
    """A log as sent; None when it tells nothing of a wallet.

    Raises: Quarantined when it is no log, or one of ours in an unknown shape.
    """
    log = parse(VenueLog, raw, SOURCE, "log")
    try:
        said = read_log(contracts, log.raw())
    except UnreadableLog as odd:
        raise Quarantined(SOURCE, "log", str(odd), raw) from odd
    if not isinstance(said, ChainFill | ChainMove):
        return None
    return SeenLog(said, log.blockTimestamp, log.told())
