"""Prices over time: raw ticks, or candles."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel

from api.deps import Deps
from api.exchange.views import Usdc
from api.http import paging
from api.http.asked import From, To, moment_of
from api.http.documented import guarded
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from storage.reads import prices as reads

TAG: Final = "Exchange: prices"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_EXAMPLE: Final = {
    "id": 4711,
    "asset_id": _ID,
    "ticked_at": "2026-11-21T04:00:00.000000Z",
    "cause": "trade",
    "display_price_usdc": "1.75",
    "market_price_usdc": "2",
    "market_low_usdc": "1.9",
    "market_high_usdc": "2",
    "volume_usdc": "120.5",
    "volume_5m_usdc": "1000",
    "weight_bps": 7500,
    "fundamental_price_usdc": "1",
}
Interval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]


class TickView(BaseModel):
    """`market_low_usdc`, `market_high_usdc` and `volume_usdc` are those of the trades this tick sums up."""

    id: int
    asset_id: str
    ticked_at: datetime
    cause: Literal["trade", "oracle", "heartbeat"]
    display_price_usdc: Usdc
    market_price_usdc: Usdc
    market_low_usdc: Usdc
    market_high_usdc: Usdc
    volume_usdc: Usdc
    volume_5m_usdc: Usdc
    weight_bps: int
    fundamental_price_usdc: str


class CandleView(BaseModel):
    """`start` is a multiple of the interval since 1970. Open and close are those of the ticks inside."""

    start: datetime
    display_open_usdc: Usdc
    display_high_usdc: Usdc
    display_low_usdc: Usdc
    display_close_usdc: Usdc
    market_open_usdc: Usdc
    market_high_usdc: Usdc
    market_low_usdc: Usdc
    market_close_usdc: Usdc
    volume_usdc: Usdc
    ticks: int


class PricePage(BaseModel):
    """Ticks without `interval`, candles with it."""

    items: list[TickView] | list[CandleView]
    next_cursor: str | None


@get("/api/exchange/assets/{asset_id:uuid}/ticks",
     **guarded("List prices", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [_EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_ticks(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    asset_id: FromPath[UUID],
    start: From = None,
    ends: To = None,
    interval: Annotated[Interval | None, QueryParameter(required=False, description="Candles of this length.")] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[PricePage]:
    """Newest first. Without `interval` every tick; with it candles of display and market price and volume, where a page
    spans at most `limit` intervals and leaves out those without a tick."""
    begin, end = moment_of(start, "from"), moment_of(ends, "to")
    after = paging.after(request, cursor)
    if interval is None:
        found = await reads.ticks(deps.reads, str(asset_id), begin=begin, end=end, limit=limit, after=after)
    else:
        found = await reads.candles(
            deps.reads, str(asset_id), interval=interval, begin=begin, end=end, limit=limit, after=after
        )
    if not found.rows and not await reads.known(deps.reads, str(asset_id)):
        raise Rejected("not_found", "no such asset")
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)
