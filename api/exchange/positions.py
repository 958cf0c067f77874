"""What an account holds, what it cost, and what it is worth at the spot price."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get

from api.deps import Deps
from api.exchange.market_views import PositionPage
from api.exchange.trades import TAG
from api.http import bodies, paging
from api.http.asked import AccountFilter
from api.http.documented import guarded
from api.http.scopes import Principal
from domain.exchange import curve
from domain.exchange.curve import SHARE, Curve
from domain.shared.money import format_usdc, mul_div_floor
from storage.reads import market as reads
from storage.reads.base import Row

_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
EXAMPLE: Final = {
    "spot_price_usdc": "1.5",
    "value_usdc": "75",
    "unrealised_pnl_usdc": "12.1",
    "account_id": _ID,
    "asset_id": _ID,
    "symbol": "ACME",
    "asset_status": "active",
    "shares": "50",
    "average_cost_usdc": "1.258",
    "cost_usdc": "62.9",
    "realised_pnl_usdc": "0",
    "updated_at": "2026-11-21T04:00:00.000000Z",
}


def body_of(row: Row) -> str:
    """A position's JSON, valued at the price of the next share on the curve."""
    spot = curve.spot(Curve(row["p0_micros"], row["k_atto"]), row["supply_atto"])
    value = mul_div_floor(row["shares_atto"], spot, SHARE)
    return bodies.splice(
        row["body"],
        spot_price_usdc=format_usdc(spot),
        value_usdc=format_usdc(value),
        unrealised_pnl_usdc=format_usdc(value - row["cost_micros"]),
    )


@get("/api/exchange/positions",
     **guarded("List positions", "invalid_cursor", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_positions(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[PositionPage]:
    """One account's, its own without `account_id`: shares, average cost, realised profit, and unrealised profit at the
    spot price. Positions that were sold stay, with zero shares, for what they realised. Newest asset first.
    """
    owner = str(account_id or principal.account_id)
    principal.must_see(owner)
    found = await reads.positions(deps.reads, account_id=owner, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [body_of(r) for r in found.rows], found.next_key, csv_allowed=True)
