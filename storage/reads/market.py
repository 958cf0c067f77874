"""The market as users see it: assets with their pools, orders with their verdicts, positions.

Prices on the curve are left to domain.exchange.curve: what it needs comes as extra columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.exchange.curve import Curve
from domain.exchange.trading import Market
from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_all, fetch_item, fetch_one, fetch_page, moment, shares, usdc


def _pool(bucket: str) -> str:
    return f"""(SELECT {usdc("coalesce(sum(b.balance), 0)")} FROM platform.balances b
               WHERE b.account = 'assets:' || a.id || ':{bucket}' AND b.unit = 'USDC')"""


ASSETS: Final = Listing(
    body=f"""json_build_object('id', a.id, 'symbol', a.symbol, 'name', a.name, 'status', a.status,
             'p0_usdc', {usdc("a.p0_micros")}, 'k_usdc', {shares("a.k_atto")}, 'fee_bps', a.fee_bps,
             'lp_part_bps', a.lp_part_bps, 'breaker_bps', a.breaker_bps, 'soft_cap_usdc', {usdc("a.soft_cap_micros")},
             'hard_cap_usdc', {usdc("a.hard_cap_micros")}, 'contributed_usdc', (
               SELECT {usdc("coalesce(sum(c.amount_micros), 0)")} FROM exchange.contributions c
               WHERE c.asset_id = a.id AND c.status IN ('accepted', 'refunded')),
             'funding_deadline', {moment("a.funding_deadline")}, 'oracle_queries', to_json(a.oracle_queries),
             'total_supply', {shares("a.supply_atto")}, 'reserve_usdc', {_pool("reserve")},
             'lp_principal_usdc', {_pool("lp_principal")}, 'lp_fees_usdc', {_pool("lp_fees")},
             'volume_24h_usdc', (SELECT {usdc("coalesce(sum(v.pool_micros), 0)")} FROM exchange.trades v
               WHERE v.asset_id = a.id AND v.status = 'filled'
                 AND v.executed_at > clock_timestamp() - interval '24 hours'),
             'trades', a.fills, 'halted_until', (SELECT {moment("h.until")} FROM exchange.asset_halts h
               WHERE h.asset_id = a.id AND h.ended_at IS NULL),
             'activated_at', {moment("a.activated_at")}, 'cancelled_at', {moment("a.cancelled_at")},
             'created_by', a.created_by, 'operation_id', a.operation_id, 'created_at', {moment("a.created_at")})""",
    source="exchange.assets a LEFT JOIN exchange.asset_prices d ON d.asset_id = a.id",
    key="a.id",
    extra="a.p0_micros, a.k_atto, a.supply_atto, d.display_micros",
)
# A buy pays exactly what it asked, a sale gives exactly what it asked: so both are known from the start.
TRADES: Final = Listing(
    body=f"""json_build_object('id', t.id, 'asset_id', t.asset_id, 'account_id', t.account_id, 'side', t.side,
             'status', t.status,
             'shares', CASE WHEN t.side = 'sell' THEN {shares("t.asked")} ELSE {shares("t.shares_atto")} END,
             'amount_usdc', CASE WHEN t.side = 'buy' THEN {usdc("t.asked")} ELSE {usdc("t.amount_micros")} END,
             'fee_usdc', {usdc("t.fee_micros")},
             'price_usdc', {usdc("div(t.pool_micros * 1000000000000000000., t.shares_atto)")},
             'min_shares_out', CASE WHEN t.side = 'buy' THEN {shares("t.min_out")} END,
             'min_usdc_out', CASE WHEN t.side = 'sell' THEN {usdc("t.min_out")} END,
             'spot_before_usdc', {usdc("t.spot_before_micros")}, 'spot_after_usdc', {usdc("t.spot_after_micros")},
             'realised_pnl_usdc', {usdc("t.realised_micros")}, 'reject_code', t.reject_code,
             'created_at', {moment("t.created_at")}, 'executed_at', {moment("t.executed_at")})""",
    source="exchange.trades t",
    key="t.id",
    extra="t.account_id AS owner, t.status::text AS status",
)
POSITIONS: Final = Listing(
    body=f"""json_build_object('account_id', p.account_id, 'asset_id', p.asset_id, 'symbol', a.symbol,
             'asset_status', a.status, 'shares', {shares("p.shares_atto")},
             'average_cost_usdc', {usdc("div(p.cost_micros * 1000000000000000000., nullif(p.shares_atto, 0))")},
             'cost_usdc', {usdc("p.cost_micros")}, 'realised_pnl_usdc', {usdc("p.realised_micros")},
             'updated_at', {moment("p.updated_at")})""",
    source="exchange.positions p JOIN exchange.assets a ON a.id = p.asset_id",
    key="p.asset_id",
    extra="a.p0_micros, a.k_atto, a.supply_atto, p.shares_atto, p.cost_micros",
)
_MARKET: Final = """
SELECT a.status::text AS status, a.p0_micros, a.k_atto, a.fee_bps, a.lp_part_bps, a.supply_atto, a.lp_shares_micros,
  coalesce((SELECT c.enabled FROM platform.controls c WHERE c.name = 'exchange.trading'), true) AS enabled
FROM exchange.assets a WHERE a.id = %s
"""


def market_of(row: Row) -> Market:
    """The market an order is foreseen in, from the columns of `market`; without the breaker, which depends on the
    minute in which the order is carried out."""
    return Market(
        curve=Curve(row["p0_micros"], row["k_atto"]),
        fee_bps=row["fee_bps"],
        lp_part_bps=row["lp_part_bps"],
        breaker_bps=0,
        status=row["status"],
        supply=row["supply_atto"],
        lp_shares=row["lp_shares_micros"],
    )


async def asset(pool: Pool, asset_id: str) -> Row | None:
    return await fetch_item(pool, ASSETS, asset_id)


async def assets(pool: Pool, *, status: str | None, symbol: str | None, limit: int, after: str | None) -> Found:
    filters = [("a.status = %s::text::exchange.asset_status", status), ("a.symbol = upper(%s)", symbol)]
    return await fetch_page(pool, ASSETS, filters, limit=limit, after=after)


async def market(pool: Pool, asset_id: str) -> Row | None:
    """What a quote is made from, and whether trading is switched on."""
    return await fetch_one(pool, _MARKET, [asset_id])


async def trade(pool: Pool, trade_id: str) -> Row | None:
    return await fetch_item(pool, TRADES, trade_id)


async def trades(
    pool: Pool, *, account_id: str | None, asset_id: str | None, status: str | None, limit: int, after: str | None
) -> Found:
    filters = [
        ("t.account_id = %s::uuid", account_id),
        ("t.asset_id = %s::uuid", asset_id),
        ("t.status = %s::text::exchange.trade_status", status),
    ]
    return await fetch_page(pool, TRADES, filters, limit=limit, after=after)


async def verdicts(pool: Pool, trade_ids: Sequence[str]) -> list[Row]:
    """Id and JSON of those orders that have their verdict."""
    return await fetch_all(
        pool,
        f"""SELECT t.id, ({TRADES.body})::text AS body FROM exchange.trades t
            WHERE t.id = ANY(%s::uuid[]) AND t.status <> 'pending'""",
        [list(trade_ids)],
    )


async def positions(pool: Pool, *, account_id: str, limit: int, after: str | None) -> Found:
    """One account's holdings, also those it has sold out of, newest asset first."""
    return await fetch_page(pool, POSITIONS, [("p.account_id = %s::uuid", account_id)], limit=limit, after=after)
