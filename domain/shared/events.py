"""What happened, as the outbox tells it: topic, type, version, and a small JSON payload of strings and integers.

An event is written in the transaction it reports, so it exists exactly if the change does.
Topics are what `GET /api/events?topics=` and webhooks subscribe to.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

TOPICS: Final = ("accounts", "deposits", "withdrawals", "custody", "operations", "system")


class Event(BaseModel):
    """`account_id` limits who may see it; None means operators only."""

    model_config = ConfigDict(frozen=True)
    topic: str
    type: str
    payload: dict[str, str | int | bool | None]
    account_id: str | None = None
    version: int = 1
