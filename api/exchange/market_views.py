"""What market routes answer, for the document; the JSON itself is made by Postgres."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from api.exchange.views import Usdc

AssetStatus = Literal["funding", "active", "halted", "cancelled"]
Side = Literal["buy", "sell"]
TradeStatus = Literal["pending", "filled", "rejected"]


class AssetView(BaseModel):
    """`spot_price_usdc`: what the next share costs on the curve. `display_price_usdc`: the price to show, weighed with
    the fundamental one. `reserve_usdc` backs the shares; `lp_principal_usdc` and `lp_fees_usdc` are the providers'.
    `contributed_usdc`: accepted in the funding round, also what was refunded. `volume_24h_usdc`: what moved in the
    reserve.
    """

    id: str
    symbol: str
    name: str
    status: AssetStatus
    p0_usdc: str
    k_usdc: str
    fee_bps: int
    lp_part_bps: int
    breaker_bps: int
    soft_cap_usdc: Usdc
    hard_cap_usdc: Usdc
    contributed_usdc: Usdc
    funding_deadline: datetime
    oracle_queries: list[str]
    total_supply: str
    spot_price_usdc: Usdc
    display_price_usdc: Usdc
    reserve_usdc: Usdc
    lp_principal_usdc: Usdc
    lp_fees_usdc: Usdc
    volume_24h_usdc: Usdc
    trades: int
    halted_until: datetime | None
    activated_at: datetime | None
    cancelled_at: datetime | None
    created_by: str
    operation_id: str | None
    created_at: datetime


class AssetPage(BaseModel):
    items: list[AssetView]
    next_cursor: str | None


class QuoteView(BaseModel):
    """`amount_usdc`: paid with fee on a buy, received after fee on a sale. Not a promise: the order is decided anew."""

    asset_id: str
    side: Side
    shares: str
    amount_usdc: Usdc
    fee_usdc: Usdc
    price_usdc: Usdc
    price_before_usdc: Usdc
    price_after_usdc: Usdc
    price_impact_bps: int
    slippage_bps: int
    min_shares_out: str | None = None
    min_usdc_out: Usdc | None = None
    expires_at: datetime


class TradeView(BaseModel):
    """`amount_usdc`: paid with fee on a buy, received after fee on a sale; null while nobody knows. `price_usdc`: the
    average price on the curve, without fee. `reject_code` says why an order was not carried out."""

    id: str
    asset_id: str
    account_id: str
    side: Side
    status: TradeStatus
    shares: str | None
    amount_usdc: Usdc | None
    fee_usdc: Usdc | None
    price_usdc: Usdc | None
    min_shares_out: str | None
    min_usdc_out: Usdc | None
    spot_before_usdc: Usdc | None
    spot_after_usdc: Usdc | None
    realised_pnl_usdc: str | None
    reject_code: str | None
    created_at: datetime
    executed_at: datetime | None


class TradePage(BaseModel):
    items: list[TradeView]
    next_cursor: str | None


class PositionView(BaseModel):
    """`average_cost_usdc` of one share, fees included, rounded down; null when nothing is held. `value_usdc` and
    `unrealised_pnl_usdc` are at the spot price: selling moves it, so a sale of everything brings less."""

    account_id: str
    asset_id: str
    symbol: str
    asset_status: AssetStatus
    shares: str
    average_cost_usdc: Usdc | None
    cost_usdc: Usdc
    spot_price_usdc: Usdc
    value_usdc: Usdc
    unrealised_pnl_usdc: str
    realised_pnl_usdc: str
    updated_at: datetime


class PositionPage(BaseModel):
    items: list[PositionView]
    next_cursor: str | None
