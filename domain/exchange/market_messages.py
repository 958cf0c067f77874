"""What the `MarketEngine` workflow and its activity say to each other."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RunMarket(BaseModel):
    """Engine `number` of those that the assets are spread over."""

    model_config = ConfigDict(frozen=True)
    number: int


class MarketRan(BaseModel):
    """The engine handed over its turn; it gave so many verdicts in it."""

    model_config = ConfigDict(frozen=True)
    verdicts: int = 0
