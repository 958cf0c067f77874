"""Do the venue's API and the chain tell the same? Compared by what both must agree on: sums per transaction, wallet,
token and side (polymarket.md 3.2). Single rows cannot be paired, for the API gives them no id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from domain.copytrade.venue import Side


class SumKey(NamedTuple):
    tx_hash: str
    wallet: str
    token_id: str
    side: str


class Sum(NamedTuple):
    """Micros. `usdc` of the chain is before the fee, of the API what its rows say."""

    shares: int
    usdc: int
    fee: int
    rows: int

    def __add__(self, other: object) -> Sum:
        if not isinstance(other, Sum):
            return NotImplemented
        return Sum(*(a + b for a, b in zip(self, other, strict=True)))


class Difference(NamedTuple):
    """Both sides of what does not agree; None where a side has nothing."""

    key: SumKey
    api: Sum | None
    chain: Sum | None
    what: str


ROUNDING: Final = 1
"""Micros a row of the API may be off: its amounts have gone through a float."""


def summed(rows: Iterable[tuple[SumKey, Sum]]) -> dict[SumKey, Sum]:
    found: dict[SumKey, Sum] = {}
    for key, value in rows:
        found[key] = found[key] + value if key in found else value
    return found


def differences(api: Mapping[SumKey, Sum], chain: Mapping[SumKey, Sum]) -> list[Difference]:
    """What does not agree, in the order of the keys."""
    found = []
    for key in sorted(api.keys() | chain.keys()):
        ours, theirs = api.get(key), chain.get(key)
        what = _compare(key, ours, theirs)
        if what:
            found.append(Difference(key, ours, theirs, what))
    return found


def _compare(key: SumKey, api: Sum | None, chain: Sum | None) -> str:
    if api is None:
        return "missing in the API"
    if chain is None:
        return "missing on the chain"
    slack = ROUNDING * api.rows
    if abs(api.shares - chain.shares) > slack:
        return "shares differ"
    # a BUY's usdc_size includes the fee; whether a SELL's is net of it is not known yet, so both are taken
    accepted = [chain.usdc + chain.fee] if key.side == Side.BUY else [chain.usdc - chain.fee, chain.usdc]
    return "" if any(abs(api.usdc - usdc) <= slack for usdc in accepted) else "USDC differs"
