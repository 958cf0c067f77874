"""The routes we call: which lane each waits in, and how often we allow ourselves to call it.

Limits are Cloudflare's per address over a sliding 10 s (polymarket.md 1.6). Ours stay below them: what a bucket can
let through in any 10 s, `burst + 10 · per_s`, is less than `venue_per_10s`. `per_s` is smoothed by the overall bucket.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple


class Lane(IntEnum):
    """Who goes first when the overall limit makes callers wait (CT-208)."""

    TRADES = 0
    BOOKS = 1
    MARKS = 2
    METADATA = 3


class Route(NamedTuple):
    """`name`: the metric's label. `path` may hold one `{}`. `cached`: a CDN keeps answers, each URL is made new."""

    name: str
    service: str
    path: str
    lane: Lane
    per_s: float
    burst: int
    venue_per_10s: int
    cached: bool = False


DATA: Final = "data"
CLOB: Final = "clob"
GAMMA: Final = "gamma"

ACTIVITY: Final = Route("data_activity", DATA, "/v2/activity", Lane.TRADES, 20, 40, 400, cached=True)
TRADES: Final = Route("data_trades", DATA, "/v2/trades", Lane.TRADES, 10, 20, 200, cached=True)
POSITIONS: Final = Route("data_positions", DATA, "/v2/positions", Lane.METADATA, 10, 20, 150, cached=True)
VALUE: Final = Route("data_value", DATA, "/v2/value", Lane.METADATA, 5, 10, 1_000, cached=True)
RESOLUTIONS: Final = Route("data_resolutions", DATA, "/v2/resolutions", Lane.METADATA, 10, 20, 1_000, cached=True)
STATUS: Final = Route("data_status", DATA, "/v2/status", Lane.METADATA, 5, 10, 1_000, cached=True)

ACTIVITY_V1: Final = Route("data_v1_activity", DATA, "/activity", Lane.TRADES, 10, 20, 1_000, cached=True)
TRADES_V1: Final = Route("data_v1_trades", DATA, "/trades", Lane.TRADES, 10, 20, 200, cached=True)
POSITIONS_V1: Final = Route("data_v1_positions", DATA, "/positions", Lane.METADATA, 10, 20, 150, cached=True)
VALUE_V1: Final = Route("data_v1_value", DATA, "/value", Lane.METADATA, 5, 10, 1_000, cached=True)

BOOK: Final = Route("clob_book", CLOB, "/book", Lane.BOOKS, 50, 100, 1_500)
BOOKS: Final = Route("clob_books", CLOB, "/books", Lane.BOOKS, 20, 40, 500)
MIDPOINTS: Final = Route("clob_midpoints", CLOB, "/midpoints", Lane.MARKS, 20, 40, 500)
PRICES: Final = Route("clob_prices", CLOB, "/prices", Lane.MARKS, 20, 40, 500)
LAST_TRADES: Final = Route("clob_last_trades", CLOB, "/last-trades-prices", Lane.MARKS, 20, 40, 500)
LAST_TRADE: Final = Route("clob_last_trade", CLOB, "/last-trade-price", Lane.MARKS, 20, 40, 1_500)
TIME: Final = Route("clob_time", CLOB, "/time", Lane.METADATA, 5, 10, 9_000)
MARKET: Final = Route("clob_market", CLOB, "/markets/{}", Lane.METADATA, 10, 20, 9_000)
CLOB_MARKET: Final = Route("clob_clob_market", CLOB, "/clob-markets/{}", Lane.METADATA, 10, 20, 9_000)

MARKETS: Final = Route("gamma_markets", GAMMA, "/markets", Lane.METADATA, 10, 20, 300)
PROFILE: Final = Route("gamma_profile", GAMMA, "/public-profile", Lane.METADATA, 5, 10, 4_000)
SEARCH: Final = Route("gamma_search", GAMMA, "/public-search", Lane.METADATA, 5, 10, 350)

ROUTES: Final = (
    *(ACTIVITY, TRADES, POSITIONS, VALUE, RESOLUTIONS, STATUS),
    *(ACTIVITY_V1, TRADES_V1, POSITIONS_V1, VALUE_V1),
    *(BOOK, BOOKS, MIDPOINTS, PRICES, LAST_TRADES, LAST_TRADE, TIME, MARKET, CLOB_MARKET),
    *(MARKETS, PROFILE, SEARCH),
)
