"""Copytrade by hand: leaders, markets, portfolios and their ledger, marks, written as the product writes them.

For tests of one part without its neighbours. Every function takes a DSN and returns the id it made.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from storage.events import new_id

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def wallet() -> str:
    return "0x" + secrets.token_hex(20)


def condition() -> str:
    return "0x" + secrets.token_hex(32)


def token() -> str:
    return str(secrets.randbits(255))


async def rows(dsn: str, statement: LiteralString, *parameters: Any) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(dsn, row_factory=dict_row) as connection:
        connection.adapters.register_loader("uuid", TextLoader)
        given = parameters[0] if len(parameters) == 1 and isinstance(parameters[0], dict) else parameters
        cursor = await connection.execute(statement, given or None)
        return await cursor.fetchall() if cursor.description else []


async def leader(dsn: str, label: str = "leader", *, since: datetime = NOON, mode: str = "full") -> str:
    """A followed user whose baseline is taken; returns its id."""
    user, operator, address = new_id(), new_id(), wallet()
    await rows(dsn, "INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'operator', 'operator')", operator)
    await rows(
        dsn,
        """INSERT INTO copytrade.followed_users (id, label, profile, profile_wallet, mode, bankroll_micros, created_by,
             followed_since, baseline_at) VALUES (%s, %s, %s, %s, %s::copytrade.follow_mode, %s, %s, %s, %s)""",
        *(user, label, address, address, mode, 10_000_000_000, operator, since, since),
    )
    await rows(dsn, "INSERT INTO copytrade.followed_wallets (wallet, followed_user_id) VALUES (%s, %s)", address, user)
    await rows(
        dsn,
        """INSERT INTO copytrade.effective_configs (followed_user_id, general_version, config)
           SELECT %s, general_version, config FROM copytrade.effective_configs WHERE followed_user_id IS NULL
           ORDER BY version DESC LIMIT 1""",
        user,
    )
    return user


async def market(
    dsn: str, *, tokens: int = 2, closes_at: datetime | None = None, event_id: str = "", fee_ppm: int | None = None
) -> tuple[str, list[str]]:
    """A market that trades; returns its condition and its tokens by place."""
    condition_id, made = condition(), [token() for _ in range(tokens)]
    await rows(
        dsn,
        """INSERT INTO copytrade.markets (condition_id, question, event_id, closes_at, tick_micros, min_order_micros,
             fee_rate_ppm, fee_exponent, read_at) VALUES (%s, 'Will it?', %s, %s, 10000, 5000000, %s, %s, %s)""",
        *(condition_id, event_id, closes_at, fee_ppm, None if fee_ppm is None else 1, NOON),
    )
    for place, one in enumerate(made):
        await rows(
            dsn,
            "INSERT INTO copytrade.outcome_assets (token_id, condition_id, place, outcome) VALUES (%s, %s, %s, %s)",
            *(one, condition_id, place, ("Yes", "No", "Maybe")[place]),
        )
    return condition_id, made


async def portfolio(dsn: str, scope: str, user: str | None = None, *, opened_at: datetime = NOON) -> str:
    """An empty portfolio; returns its id."""
    portfolio_id = new_id()
    await rows(
        dsn,
        """INSERT INTO copytrade.portfolios (id, portfolio_scope, followed_user_id, opened_at)
           VALUES (%s, %s::copytrade.portfolio_scope, %s, %s)""",
        *(portfolio_id, scope, user, opened_at),
    )
    return portfolio_id


async def line(
    dsn: str,
    portfolio_id: str,
    kind: str,
    *,
    cash: int = 0,
    token_id: str = "",
    condition_id: str = "",
    shares: int = 0,
    cost: int = 0,
    realized: int = 0,
    at: datetime = NOON,
    event_time: datetime | None = None,
    ref: str | None = None,
    source: str | None = None,
    price: int | None = None,
) -> None:
    """One ledger line with what it did to the position and the portfolio, booked at `at`."""
    deposit = cash + cost if kind == "DEPOSIT" else 0
    await rows(
        dsn,
        """WITH p AS (
             UPDATE copytrade.portfolios SET cash_micros = cash_micros + %(cash)s,
               contributed_micros = contributed_micros + %(deposit)s, realized_micros = realized_micros + %(realized)s
             WHERE id = %(id)s RETURNING epoch
           ), h AS (
             INSERT INTO copytrade.positions AS h (portfolio_id, token_id, condition_id, share_micros, cost_micros,
               realized_micros)
             SELECT %(id)s, %(token)s, %(condition)s, %(shares)s, %(cost)s, %(realized)s WHERE %(token)s <> ''
             ON CONFLICT (portfolio_id, token_id) DO UPDATE SET share_micros = h.share_micros + excluded.share_micros,
               cost_micros = h.cost_micros + excluded.cost_micros,
               realized_micros = h.realized_micros + excluded.realized_micros)
           INSERT INTO copytrade.ledger_entries (portfolio_id, epoch, source_followed_user_id, entry_type, ref_id,
             condition_id, token_id, share_delta_micros, cash_delta_micros, cost_delta_micros, realized_micros,
             price_micros, event_time, created_at)
           SELECT %(id)s, epoch, %(source)s::uuid, %(kind)s::copytrade.ledger_entry_type, %(ref)s, %(condition)s,
             %(token)s, %(shares)s, %(cash)s, %(cost)s, %(realized)s, %(price)s, %(event)s, %(at)s FROM p""",
        {
            **{"id": portfolio_id, "kind": kind, "cash": cash, "deposit": deposit, "token": token_id},
            **{"condition": condition_id, "shares": shares, "cost": cost, "realized": realized},
            **{"price": price, "ref": ref or new_id(), "source": source, "event": event_time or at, "at": at},
        },
    )


async def mark(dsn: str, token_id: str, micros: int, at: datetime, source: str = "mid") -> None:
    """A mark in the bucket of its moment."""
    bucket = at - timedelta(seconds=at.second % 30, microseconds=at.microsecond)
    await rows(
        dsn,
        """INSERT INTO copytrade.mark_prices (token_id, bucket_time, mark_micros, source, observed_at)
           VALUES (%s, %s, %s, %s::copytrade.mark_source, %s)""",
        *(token_id, bucket, micros, source, at),
    )
