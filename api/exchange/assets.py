"""Listing an asset, and what stands about it: curve, prices, pools, caps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from api.deps import Deps
from api.dispatch import Dispatch
from api.exchange.market_views import AssetPage, AssetStatus, AssetView
from api.http import bodies, paging
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import PLAIN, WHOLE, Input, Moment, Name, amount_of, storable
from api.http.scopes import STAFF, Principal
from domain.exchange import curve
from domain.exchange.assets import FEE_BPS, PRICE_MAX, SLOPE_MAX, AssetDefaults, AssetPlan, check_plan
from domain.exchange.curve import K_DECIMALS, Curve
from domain.shared.errors import Rejected
from domain.shared.money import MICROS_MAX, USDC_DECIMALS, format_usdc
from storage.database import Connection
from storage.intents.assets import open_asset
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.reads import market as reads
from storage.reads.base import Row

TAG: Final = "Exchange: market"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
SYMBOL_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,15}$"
REQUEST_EXAMPLE: Final = {
    "symbol": "ACME",
    "name": "Acme Observatory",
    "p0_usdc": "1",
    "k_usdc": "0.01",
    "soft_cap_usdc": "2500",
    "hard_cap_usdc": "25000",
    "oracle_queries": ["Acme Observatory news"],
    "breaker_bps": 1500,
    "fee_bps": 50,
}
EXAMPLE: Final = {
    "spot_price_usdc": "1.5",
    "display_price_usdc": "1.48",
    "id": _ID,
    "symbol": "ACME",
    "name": "Acme Observatory",
    "status": "active",
    "p0_usdc": "1",
    "k_usdc": "0.01",
    "fee_bps": 50,
    "lp_part_bps": 9000,
    "breaker_bps": 1500,
    "soft_cap_usdc": "2500",
    "hard_cap_usdc": "25000",
    "contributed_usdc": "2500",
    "funding_deadline": "2026-11-28T04:00:00.000000Z",
    "oracle_queries": ["Acme Observatory news"],
    "total_supply": "50",
    "reserve_usdc": "62.5",
    "lp_principal_usdc": "2500",
    "lp_fees_usdc": "0.3",
    "volume_24h_usdc": "62.5",
    "trades": 2,
    "halted_until": None,
    "activated_at": "2026-11-21T04:10:00.000000Z",
    "cancelled_at": None,
    "created_by": _ID,
    "operation_id": _ID,
    "created_at": "2026-11-21T04:00:00.000000Z",
}
_FUNDING: Final = EXAMPLE | {
    "status": "funding",
    "spot_price_usdc": "1",
    "display_price_usdc": "1",
    "contributed_usdc": "0",
    "total_supply": "0",
    "reserve_usdc": "0",
    "lp_principal_usdc": "0",
    "lp_fees_usdc": "0",
    "volume_24h_usdc": "0",
    "trades": 0,
    "activated_at": None,
}


def _positive(whole: int, decimals: int) -> str:
    """A pattern of decimals above zero with up to `whole` digits before the point."""
    small = "|".join(
        "0" * zeros + "[1-9]" + (f"[0-9]{{0,{decimals - zeros - 1}}}" if decimals - zeros > 1 else "")
        for zeros in range(decimals)
    )
    return rf"^([1-9][0-9]{{0,{whole - 1}}}(\.[0-9]{{1,{decimals}}})?|0\.({small}))$"


def _decimal(decimals: int, lowest: int, highest: int) -> BeforeValidator:
    def read(value: Any, info: ValidationInfo) -> int:
        found = amount_of(value, info, decimals, highest)
        if found < lowest:
            raise PydanticCustomError("amount", "the amount must be above zero")
        return found

    return BeforeValidator(read)


def _schema(pattern: str, description: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": description, "examples": [example]})


StartPrice = Annotated[
    int, _decimal(USDC_DECIMALS, 1, PRICE_MAX), _schema(_positive(6, 6), "USDC per share, at most 6 decimals", "1")
]
Slope = Annotated[
    int,
    _decimal(K_DECIMALS, 0, SLOPE_MAX),
    _schema(r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,18})?$", "USDC per share squared, at most 18 decimals", "0.01"),
]
Cap = Annotated[
    int, _decimal(USDC_DECIMALS, 1, MICROS_MAX), _schema(_positive(12, 6), "USDC, at most 6 decimals", "2500")
]
Query = Annotated[
    str,
    StringConstraints(min_length=3, max_length=200),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "minLength": 3, "maxLength": 200, "pattern": PLAIN}),
]


class NewAsset(Input):
    """What is left out gets the default of this installation. `symbol` is kept in upper case; `breaker_bps` 0 switches
    the circuit breaker off; the hard cap is not below the soft cap; the deadline is at most 90 days away."""

    symbol: Annotated[str, StringConstraints(pattern=SYMBOL_PATTERN)]
    name: Name
    p0_usdc: StartPrice | None = None
    k_usdc: Slope | None = None
    soft_cap_usdc: Cap | None = None
    hard_cap_usdc: Cap | None = None
    funding_deadline: Moment | None = None
    oracle_queries: Annotated[tuple[Query, ...], Field(max_length=10)] = ()
    breaker_bps: Annotated[int, Field(ge=0, le=10_000), WHOLE] | None = None
    fee_bps: Annotated[int, Field(ge=FEE_BPS[0], le=FEE_BPS[1]), WHOLE] | None = None


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def planned(data: NewAsset, defaults: AssetDefaults, now: datetime) -> AssetPlan:
    """The asset asked for, completed by defaults. Raises Rejected as check_plan."""
    plan = AssetPlan(
        symbol=data.symbol.upper(),
        name=data.name,
        p0_micros=_or(data.p0_usdc, defaults.p0_micros),
        k_atto=_or(data.k_usdc, defaults.k_atto),
        soft_cap_micros=_or(data.soft_cap_usdc, defaults.soft_cap_micros),
        hard_cap_micros=_or(data.hard_cap_usdc, defaults.hard_cap_micros),
        funding_deadline=data.funding_deadline or now + timedelta(days=defaults.funding_days),
        oracle_queries=data.oracle_queries,
        breaker_bps=_or(data.breaker_bps, defaults.breaker_bps),
        fee_bps=_or(data.fee_bps, defaults.fee_bps),
        lp_part_bps=defaults.lp_part_bps,
    )
    check_plan(plan, now)
    return plan


def body_of(row: Row) -> str:
    """An asset's JSON with the price on its curve, which is also shown until there is another one."""
    spot = curve.spot(Curve(row["p0_micros"], row["k_atto"]), row["supply_atto"])
    shown = spot if row["display_micros"] is None else row["display_micros"]
    return bodies.splice(row["body"], spot_price_usdc=format_usdc(spot), display_price_usdc=format_usdc(shown))


@post("/api/exchange/assets", status_code=202,
      **guarded("List an asset", "amount_precision", "symbol_taken", tag=TAG, scopes=("system:write",), roles=STAFF,
                body=True, keyed=True, request_example=REQUEST_EXAMPLE, response_example=_FUNDING))  # fmt: skip
async def create(
    request: Request[Any, Any, Any], deps: Deps, dispatch: Dispatch, principal: Principal, data: JSONBody[NewAsset]
) -> Response[AssetView]:
    """Begins with a funding round, which is a process: contributions until the soft cap makes the asset active, or
    until the deadline, after which everything is refunded. Needs an `Idempotency-Key`.
    """
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        plan = planned(data, deps.config.asset_defaults, datetime.now(UTC))
        opened.append(await open_asset(connection, plan, created_by=principal.account_id))
        return await _made(connection, opened[0].subject_id)

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("funding_round", opened[0])
    return response


async def _made(connection: Connection, asset_id: str) -> Stored:
    listing = reads.ASSETS
    cursor = await connection.execute(
        f"SELECT ({listing.body})::text AS body, {listing.extra} FROM {listing.source} WHERE a.id = %s", [asset_id]
    )
    row = await cursor.fetchone()
    assert row is not None
    return json_answer(202, body_of(row), location=f"/api/exchange/assets/{asset_id}")


@get("/api/exchange/assets",
     **guarded("List assets", "invalid_cursor", tag=TAG, scopes=("exchange:read",),
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_assets(
    request: Request[Any, Any, Any],
    deps: Deps,
    status: Annotated[AssetStatus | None, QueryParameter(required=False)] = None,
    symbol: Annotated[str | None, QueryParameter(required=False, pattern=SYMBOL_PATTERN)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[AssetPage]:
    """Every asset, newest first."""
    found = await reads.assets(
        deps.reads, status=status, symbol=symbol, limit=limit, after=paging.after(request, cursor)
    )
    return paging.answer(request, [body_of(r) for r in found.rows], found.next_key)


@get("/api/exchange/assets/{asset_id:uuid}",
     **guarded("Read an asset", tag=TAG, scopes=("exchange:read",), response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, asset_id: FromPath[UUID]) -> Response[AssetView]:
    """Curve, prices, pools, caps, and whether it trades; as of now."""
    row = await reads.asset(deps.reads, str(asset_id))
    if row is None:
        raise Rejected("not_found", "no such asset")
    return bodies.json_response(body_of(row))
