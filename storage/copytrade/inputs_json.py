"""Inputs of a decision as JSON, and back: what `group_inputs.facts` holds. Whole numbers only, times as ISO texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from domain.copytrade.config import CopyConfig
from domain.copytrade.inputs import Flags, Inputs, Mark, MarketFacts
from domain.copytrade.venue import Book, FeeSchedule, Level
from storage.copytrade.windows import windows_of


def book_json(book: Book) -> dict[str, Any]:
    """The sorted book in micros: what was decided from, beside the venue's own JSON."""
    return book._asdict() | {"bids": [list(b) for b in book.bids], "asks": [list(a) for a in book.asks]}


def book_of(value: Mapping[str, Any] | None) -> Book | None:
    if value is None:
        return None
    sides = {side: tuple(Level(*level) for level in value[side]) for side in ("bids", "asks")}
    return Book(**(dict(value) | sides))


def rules_of(stored: str | Mapping[str, Any]) -> CopyConfig:
    """Stored rules, as text or as read from JSON. Most groups are decided under the same, so texts are remembered."""
    return _parsed(stored) if isinstance(stored, str) else CopyConfig.model_validate(stored)


@lru_cache(maxsize=256)
def _parsed(text: str) -> CopyConfig:
    return CopyConfig.model_validate_json(text)


def inputs_of(row: Mapping[str, Any]) -> Inputs:
    """A row of storage.copytrade.inputs.READ as the value that decisions are made from."""
    facts = row["facts"]
    market = facts["market"]
    closes_at, fees = market["closes_at"], market["fees"]
    return Inputs(
        group_key=row["group_key"],
        requested_at=row["requested_at"],
        received_at=row["received_at"],
        book=book_of(facts.get("book")),
        book_age_ms=facts.get("book_age_ms"),
        market=MarketFacts(
            condition_id=market["condition_id"],
            event_id=market["event_id"],
            neg_risk=market["neg_risk"],
            legs=tuple(market["legs"]),
            closes_at=datetime.fromisoformat(closes_at) if closes_at else None,
            accepting_orders=market["accepting_orders"],
            closed=market["closed"],
            tick=market["tick"],
            min_order=market["min_order"],
            fees=FeeSchedule(*fees) if fees else None,
        ),
        marks={
            token: Mark(price, source, datetime.fromisoformat(at))
            for token, (price, source, at) in facts["marks"].items()
        },
        markets={token: (condition, event) for token, (condition, event) in facts["markets"].items()},
        config=rules_of(row["config"]),
        config_version=row["config_version"],
        general=rules_of(row["general"]),
        general_version=row["general_version"],
        flags=Flags(**facts["flags"]),
        leader_exposure=facts.get("leader_exposure"),
        windows=windows_of(facts),
    )
