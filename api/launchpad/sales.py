"""Sales: how they stand, what a trade would cost, what wallets have in them."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.deps import Deps
from api.http import bodies, paging
from api.http.documented import guarded
from api.launchpad.sale_chain import live, row_of
from api.launchpad.sale_views import (
    POSITION_EXAMPLE,
    QUOTE_EXAMPLE,
    SALE_EXAMPLE,
    PositionPage,
    QuoteAsk,
    QuoteView,
    SaleView,
    Side,
)
from api.launchpad.standing import sol
from domain.launchpad import curves, quotes
from domain.launchpad.addresses import ADDRESS_PATTERN
from domain.launchpad.curves import DECIMALS_MOST, PRICE_DECIMALS, Curve
from domain.launchpad.quotes import Market, Quote
from domain.launchpad.request import SHAPES
from domain.launchpad.sale_life import CANCELLED, shown
from domain.launchpad.trade_rules import check_open, market_of
from domain.launchpad.vesting import vested
from domain.shared.errors import Rejected
from domain.shared.money import format_amount
from storage.reads import sales as reads
from storage.reads.base import Row

TAG: Final = "Launchpad"
_VESTS: Final = ("lamports", "tokens")
Wallet = Annotated[
    str | None, QueryParameter(required=False, pattern=ADDRESS_PATTERN, description="Only this wallet's.")
]


def body_of(row: Row, team: Row | None) -> bytes:
    """The sale's figures, from its row. `team`: what vests, of a sale that has graduated."""
    curve = Curve(
        SHAPES[row["curve_type"]], row["initial_price"], row["target_price"], row["sale_supply"], row["decimals"]
    )
    return msgspec.json.encode(
        {
            "status": shown(row["status"]),
            "cancelled": row["status"] == CANCELLED,
            "sold": format_amount(row["sold"], row["decimals"]),
            "raised_sol": sol(row["raised_lamports"]),
            "spot_price_sol": format_amount(curves.spot(curve, row["sold"]), PRICE_DECIMALS),
            "soft_cap_sol": sol(row["soft_cap_lamports"]),
            "hard_cap_sol": sol(row["hard_cap_lamports"]),
            "ends_at": row["ends_at_text"],
            "vesting": _vesting(row, team) if team is not None else None,
        }
    )


def _vesting(row: Row, team: Row) -> dict[str, object]:
    decimals, elapsed = row["decimals"], max(0, int(row["counters"].get("at", 0)) - team["starts_at"])
    by_now = [vested(int(team[name]), elapsed, row["cliff_seconds"], row["vest_seconds"]) for name in _VESTS]
    return {
        "sol": sol(team["lamports"]),
        "tokens": format_amount(int(team["tokens"]), decimals),
        "vested_sol": sol(by_now[0]),
        "vested_tokens": format_amount(by_now[1], decimals),
        "claimed_sol": sol(int(team["claimed_lamports"])),
        "claimed_tokens": format_amount(int(team["claimed_tokens"]), decimals),
        "cliff_at": team["cliff_at"],
        "ends_at": team["ends_at"],
    }


def units_of(asked: int, decimals: int, pointer: str) -> int:
    """Billionths of a token as base units.

    Raises: Rejected amount_precision when the token has fewer decimals.
    """
    units, rest = divmod(asked, int(10 ** (DECIMALS_MOST - decimals)))
    if rest:
        raise Rejected("amount_precision", f"the token has {decimals} decimals", pointer=pointer)
    return units


def quoted(quote: Quote, side: Side, decimals: int) -> dict[str, str | None]:
    """A quote as it is answered."""
    return {
        "tokens": format_amount(quote.tokens, decimals),
        "sol": sol(quote.total),
        "tax_sol": sol(quote.tax),
        "max_sol": sol(quote.limit) if side == "buy" else None,
        "min_sol": sol(quote.limit) if side == "sell" else None,
    }


@get("/api/launchpad/sales/{sale_id:uuid}",
     **guarded("Read a sale", tag=TAG, scopes=("launchpad:read",), response_example=SALE_EXAMPLE))  # fmt: skip
async def read(deps: Deps, sale_id: FromPath[UUID]) -> Response[SaleView]:
    """How far it is, as the chain has made it final."""
    row = await row_of(deps, sale_id)
    return bodies.json_response(body_of(row, await reads.vesting(deps.reads, row["id"])))


@get("/api/launchpad/sales/{sale_id:uuid}/positions",
     **guarded("List a sale's positions", "invalid_cursor", tag=TAG, scopes=("launchpad:read",),
               response_example={"items": [POSITION_EXAMPLE], "next_cursor": None}))  # fmt: skip
async def positions(
    request: Request[Any, Any, Any],
    deps: Deps,
    sale_id: FromPath[UUID],
    wallet: Wallet = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[PositionPage]:
    """What each wallet has bought, sold and got back here."""
    row = await row_of(deps, sale_id)
    found = await reads.positions(
        deps.reads, row["id"], wallet=wallet, limit=limit, after=paging.after(request, cursor)
    )
    return paging.answer(request, [one["body"] for one in found.rows], found.next_key)


@post("/api/launchpad/sales/{sale_id:uuid}/quote", status_code=200,
      **guarded("Quote a trade in a sale", "amount_precision", "amount_too_small", "sale_not_open", "tokens_missing",
                "launchpad_off", "solana_unavailable", tag=TAG, scopes=("launchpad:read",), body=True,
                request_example={"side": "buy", "sol": "0.5"}, response_example=QUOTE_EXAMPLE))  # fmt: skip
async def quote(deps: Deps, sale_id: FromPath[UUID], data: JSONBody[QuoteAsk]) -> Response[QuoteView]:
    """From the chain as it is confirmed now. A token's transfer fee comes off what is bought, and counts in what is
    sold."""
    found = await live(deps, sale_id)
    check_open(found.sale, found.now, selling=data.side == "sell")
    market = market_of(found.sale, found.row["transfer_fee_bps"])
    made = _quote(data, market, found.row["decimals"])
    return bodies.json_response(msgspec.json.encode(quoted(made, data.side, found.row["decimals"])))


def _quote(data: QuoteAsk, market: Market, decimals: int) -> Quote:
    if (data.sol is None) == (data.tokens is None):
        raise Rejected("validation_failed", "a quote takes either sol or tokens", pointer="/sol")
    if data.sol is not None:
        made = quotes.buy_for if data.side == "buy" else quotes.sell_for
        return made(market, data.sol, data.slippage_bps)
    tokens = units_of(data.tokens or 0, decimals, "/tokens")
    return (quotes.buy if data.side == "buy" else quotes.sell)(market, tokens, data.slippage_bps)
