"""What happened, as the outbox tells it: topic, type, version, and a small JSON payload of strings, integers and
lists of strings.

An event is written in the transaction it reports, so it exists exactly if the change does.
Topics are what `GET /api/events?topics=` and webhooks subscribe to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict

TOPICS: Final = (
    "accounts",
    "deposits",
    "withdrawals",
    "custody",
    "assets",
    "trades",
    "prices",
    "oracle",
    "liquidity",
    "copytrade",
    "launchpad",
    "operations",
    "system",
)

PUBLIC_TOPICS: Final = frozenset({"assets", "prices", "oracle", "launchpad"})
"""Market data: an event of these that belongs to no account is for everybody who is signed in."""


class Event(BaseModel):
    """`account_id` limits who may see it: that account and operators. None means operators only, or everybody on a
    public topic; such an event names no person."""

    model_config = ConfigDict(frozen=True)
    topic: str
    type: str
    payload: Mapping[str, str | int | bool | list[str] | None]
    account_id: str | None = None
    version: int = 1
