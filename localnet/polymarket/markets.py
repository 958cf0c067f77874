"""Markets and the events they stand in: what is asked, what a trade costs, how far the question has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from localnet.polymarket import names
from localnet.polymarket.numbers import ONE


class Stage(StrEnum):
    """How far a market has come. A proposal may be disputed; payouts exist once it is resolved."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Open, but the CLOB takes no orders."""
    CLOSED = "closed"
    PROPOSED = "proposed"
    DISPUTED = "disputed"
    RESOLVED = "resolved"


NEXT: dict[Stage, tuple[Stage, ...]] = {
    Stage.ACTIVE: (Stage.PAUSED, Stage.CLOSED, Stage.PROPOSED, Stage.RESOLVED),
    Stage.PAUSED: (Stage.ACTIVE, Stage.CLOSED, Stage.PROPOSED, Stage.RESOLVED),
    Stage.CLOSED: (Stage.PROPOSED, Stage.RESOLVED),
    Stage.PROPOSED: (Stage.DISPUTED, Stage.RESOLVED),
    Stage.DISPUTED: (Stage.PROPOSED, Stage.RESOLVED),
    Stage.RESOLVED: (),
}


@dataclass(frozen=True)
class Fees:
    """A taker pays shares · rate · (p(1−p))^exponent; makers get a part of it back daily."""

    kind: str
    rate_ppm: int
    exponent: int = 1
    rebate_ppm: int = 250_000


FEES: dict[str, Fees] = {
    "crypto": Fees("crypto_fees_v2", 70_000, rebate_ppm=200_000),
    "sports": Fees("sports_fees_v2", 30_000),
    "finance": Fees("finance_fees_v2", 40_000),
    "politics": Fees("politics_fees_v2", 40_000),
    "tech": Fees("tech_fees_v2", 40_000),
    "economics": Fees("economics_fees_v2", 50_000),
    "culture": Fees("culture_fees_v2", 50_000),
    "weather": Fees("weather_fees_v2", 50_000),
    "geopolitics": Fees("", 0),
}


@dataclass(frozen=True)
class Token:
    """One outcome. Labels are for people, the place decides."""

    id: str
    place: int
    label: str


@dataclass
class Market:
    """One question with two outcomes. `ends_at` (seconds) need not be when it closes, None: nobody said."""

    condition_id: str
    gamma_id: str
    slug: str
    question: str
    tokens: tuple[Token, Token]
    event: Event
    category: str
    fees: Fees
    tick: int = 10_000
    min_order: int = 5 * ONE
    ends_at: int | None = None
    version: str = "v1"
    neg_risk: bool = False
    seconds_delay: int = 0
    starts_at: int = 0
    stage: Stage = Stage.ACTIVE
    payouts: tuple[int, int] | None = None
    was_disputed: bool = False
    closed_at: int | None = None
    changed_at: int = 0
    resolved_block: int = 0
    volume: int = 0

    @property
    def question_id(self) -> str:
        return "0x" + names.digest(0, "question", self.condition_id).hex()

    @property
    def short_id(self) -> str:
        """The condition as Gamma writes it: a v2 condition without its zero byte."""
        return self.condition_id[:-2] if self.version == "v2" else self.condition_id

    @property
    def closed(self) -> bool:
        return self.stage not in (Stage.ACTIVE, Stage.PAUSED)

    @property
    def accepts_orders(self) -> bool:
        return self.stage is Stage.ACTIVE

    def other(self, token: Token) -> Token:
        return self.tokens[1 - token.place]


@dataclass
class Event:
    """What Gamma groups markets by; of a neg-risk event exactly one question ends with YES."""

    id: str
    slug: str
    title: str
    category: str
    neg_risk: bool = False
    markets: list[Market] = field(default_factory=list)

    @property
    def neg_risk_market_id(self) -> str:
        if not self.neg_risk:
            return ""
        return "0x" + names.digest(0, "neg-risk", self.slug)[:31].hex() + "00"
