"""What the venue says, as values: activity rows, books, markets, positions, resolutions. No I/O.

The gateways parse every wire format (Data API v2 and v1, CLOB, Gamma, chain logs) into these and nothing else leaves
them. Amounts are integers of micros: USDC, shares and prices (0 to 1,000,000). Addresses and hashes are lower case.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

ONE: Final = 1_000_000
"""One share, one USDC, a price of 1."""


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class Kind(StrEnum):
    """Types of an activity row. The first five move positions, the rest only cash."""

    TRADE = "TRADE"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    CONVERSION = "CONVERSION"
    MIGRATION = "MIGRATION"
    REWARD = "REWARD"
    YIELD = "YIELD"
    MAKER_REBATE = "MAKER_REBATE"
    TAKER_REBATE = "TAKER_REBATE"
    REFERRAL_REWARD = "REFERRAL_REWARD"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TIP = "TIP"


class ActivityRow(NamedTuple):
    """One row of `/v2/activity`, or the same thing told by another route. Decimals as the venue wrote them.

    `token_id`, `condition_id` and `side` are "" where the row has none (polymarket.md 0.6). The venue gives no id.
    """

    wallet: str
    kind: Kind
    condition_id: str
    token_id: str
    side: str
    size: Decimal
    usdc_size: Decimal | None
    price: Decimal
    tx_hash: str
    timestamp: int
    is_combo: bool = False
    title: str = ""
    slug: str = ""
    outcome: str = ""
    raw: str = ""
    """The row as JSON text, key order kept: what quarantine and `record` store."""


class Feed(NamedTuple):
    """Rows of a window in the venue's order, oldest first. Up to and with the second `through` none is missing.

    `complete`: the whole window was read. Otherwise it was cut before the first second that may be incomplete, so that
    no transaction is torn; go on at `through + 1`. `held_back`: rows that went to quarantine instead.
    """

    rows: tuple[ActivityRow, ...]
    through: int
    complete: bool
    held_back: int = 0


class Level(NamedTuple):
    """So many shares at a price, both in micros."""

    price: int
    size: int


class Book(NamedTuple):
    """One L2 book, best first: bids descending, asks ascending (domain.copytrade.books sorts them)."""

    token_id: str
    condition_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    changed_at_ms: int
    """Last change of the book at the venue, not when it was read."""
    hash: str
    tick_micros: int
    min_order_micros: int
    neg_risk: bool


class FeeSchedule(NamedTuple):
    """fee = shares · rate · (p(1−p))^exponent for takers, per level, rounded to 5 decimals (polymarket.md 3.6)."""

    rate_ppm: int
    exponent: int
    takers_only: bool = True


class Token(NamedTuple):
    """An outcome of a market, by its place: labels never decide anything."""

    token_id: str
    place: int
    outcome: str


class Market(NamedTuple):
    """What Gamma and the CLOB say of a market. None: the venue does not say."""

    condition_id: str
    gamma_id: str
    slug: str
    question: str
    event_id: str
    tokens: tuple[Token, ...]
    neg_risk: bool
    neg_risk_market_id: str
    version: str
    closes_at: datetime | None
    active: bool
    closed: bool
    accepting_orders: bool
    tick_micros: int | None
    min_order_micros: int | None
    fees: FeeSchedule | None


class VenuePosition(NamedTuple):
    """A row of `/v2/positions` (or v1): what the wallet holds of a token. None: the venue does not know."""

    wallet: str
    token_id: str
    condition_id: str
    shares: int
    avg_price: int | None
    current_price: int | None
    outcome: str
    event_id: str
    last_event_at: int | None


class Resolution(NamedTuple):
    """A row of `/v2/resolutions`. `payouts`: micros of USDC per share of each outcome; None before it is resolved."""

    condition_id: str
    status: str
    payouts: tuple[int, ...] | None
    resolved_at: int | None


class Profile(NamedTuple):
    """Who a profile URL, a name or an address is: the wallet that trades."""

    wallet: str
    name: str
    pseudonym: str


class LastTrade(NamedTuple):
    """None of a token nobody has traded: the venue then says 0.5 with an empty side, which is no price."""

    token_id: str
    price: int
    side: Side


class ClobMarket(NamedTuple):
    """What the CLOB charges and takes in a market. `fees` None: it charges none."""

    token_ids: tuple[str, ...]
    tick_micros: int
    neg_risk: bool
    fees: FeeSchedule | None


class VenueStatus(NamedTuple):
    """How fresh the Data API says it is. `lag_s`: its slowest projection, by name in `worst`."""

    computed_at: datetime | None
    age_s: int
    lag_s: int
    worst: str
    behind_blocks: int
    newest_block: int | None
