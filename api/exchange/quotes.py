"""What an order would do now: the same function as the trade's, on a copy of the market."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from litestar import Response, post
from litestar.params import JSONBody
from pydantic import ConfigDict, Field

from api.deps import Deps
from api.exchange.market_views import QuoteView, Side
from api.exchange.trades import BY_SIDE, REFUSALS, TAG, asked_of
from api.http import bodies
from api.http.documented import guarded
from api.http.inputs import WHOLE, Id, Input, Shares, Usdc
from domain.exchange import quotes, trading
from domain.exchange.curve import SHARE_DECIMALS
from domain.exchange.trading import Fill, Order
from domain.shared.errors import Rejected
from domain.shared.money import format_amount, format_usdc
from storage.reads import market as reads

_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_REQUEST_EXAMPLE: Final = {"asset_id": _ID, "side": "buy", "amount_usdc": "100.25", "slippage_bps": 50}
_EXAMPLE: Final = {
    "asset_id": _ID,
    "side": "buy",
    "shares": "73.065",
    "amount_usdc": "100.25",
    "fee_usdc": "0.50125",
    "price_usdc": "1.365204",
    "price_before_usdc": "1",
    "price_after_usdc": "1.73065",
    "price_impact_bps": 7307,
    "slippage_bps": 50,
    "min_shares_out": "72.699675",
    "expires_at": "2026-11-21T04:00:10Z",
}


class QuoteRequest(Input):
    """A buy names `amount_usdc`, a sale `shares`. `slippage_bps`: how much less than foreseen the limit bears."""

    model_config = ConfigDict(json_schema_extra=BY_SIDE)
    asset_id: Id
    side: Side
    amount_usdc: Usdc | None = None
    shares: Shares | None = None
    slippage_bps: Annotated[int, Field(ge=0, le=5_000), WHOLE] = 50


def _shown(data: QuoteRequest, fill: Fill, now: datetime) -> dict[str, Any]:
    least = quotes.least_out(data.side, fill, data.slippage_bps)
    limit = ("min_shares_out", SHARE_DECIMALS) if data.side == "buy" else ("min_usdc_out", 6)
    expires = (now + timedelta(seconds=quotes.LASTS_S)).replace(tzinfo=None)
    return {
        "asset_id": data.asset_id,
        "side": data.side,
        "shares": format_amount(fill.shares, SHARE_DECIMALS),
        "amount_usdc": format_usdc(fill.amount),
        "fee_usdc": format_usdc(fill.fee),
        "price_usdc": format_usdc(quotes.average_price(fill)),
        "price_before_usdc": format_usdc(fill.spot_before),
        "price_after_usdc": format_usdc(fill.spot_after),
        "price_impact_bps": quotes.impact_bps(fill),
        "slippage_bps": data.slippage_bps,
        limit[0]: format_amount(least, limit[1]),
        "expires_at": f"{expires.isoformat(timespec='microseconds')}Z",
    }


@post("/api/exchange/quotes", status_code=200,
      **guarded("Quote an order", "amount_precision", *REFUSALS, tag=TAG, scopes=("exchange:read",), body=True,
                request_example=_REQUEST_EXAMPLE, response_example=_EXAMPLE))  # fmt: skip
async def quote(deps: Deps, data: JSONBody[QuoteRequest]) -> Response[QuoteView]:
    """For someone who can pay for it; the circuit breaker is not asked. Nothing is reserved: pass the suggested limit
    on with the order.
    """
    asked = asked_of(data.side, data.amount_usdc, data.shares)
    row = await reads.market(deps.reads, data.asset_id)
    if row is None:
        raise Rejected("not_found", "no such asset")
    if not row["enabled"]:
        raise Rejected("trading_disabled")
    fill = trading.quote(reads.market_of(row), Order(data.side, asked))
    if isinstance(fill, str):
        raise Rejected(fill)
    return bodies.encoded(_shown(data, fill, datetime.now(UTC)))
