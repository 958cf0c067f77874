"""Groups as the feed leaves them, portfolios with a bankroll, and what became of them: for tests of copying alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.copytrade.groups import GroupKind, group_key, window_of
from tests.world.copytrade import line, portfolio, rows

USDC = 10**6
BANKROLL = 10_000 * USDC


async def bankroll(dsn: str, user: str | None, micros: int = BANKROLL) -> str:
    """An executable portfolio (None: the global one) with its paper cash."""
    made = await portfolio(dsn, "EXEC_USER" if user else "EXEC_GLOBAL", user)
    await line(dsn, made, "DEPOSIT", cash=micros, ref=f"bankroll:{user}")
    return made


async def group(
    dsn: str,
    user: str,
    condition_id: str,
    tokens: str | list[str],
    kind: str = "BUY",
    *,
    shares: int = 2_000 * USDC,
    price: int = 500_000,
    detect_time: datetime | None = None,
    event_time: datetime | None = None,
    due_at: datetime | None = None,
    number: int = 0,
) -> str:
    """A group detected now that is due in a moment; returns its key."""
    tokens = [tokens] if isinstance(tokens, str) else tokens
    detected = detect_time or datetime.now(UTC)
    happened = event_time or detected - timedelta(seconds=1)
    start, end = window_of(happened, 2_000)
    key = group_key(user, tokens, GroupKind(kind), start, number)
    notional = shares * price // USDC
    await rows(
        dsn,
        """INSERT INTO copytrade.event_groups (group_key, followed_user_id, kind, condition_id, token_ids, window_start,
             window_end, event_time, detect_time, frozen_at, due_at, jitter_ms, number, share_micros, notional_micros,
             price_micros, usdc_micros, fee_micros, fills, dispatched_at)
           VALUES (%s, %s, %s::copytrade.group_kind, %s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s, %s, %s, %s, 0, 1,
             clock_timestamp())""",
        *(key, user, kind, condition_id, tokens, start, end, happened, detected, detected),
        *(due_at or detected + timedelta(milliseconds=750), number, shares, notional, price),
        -notional if kind in ("BUY", "SPLIT") else notional,
    )
    return key


async def attempts(dsn: str, key: str | None = None) -> list[dict[str, Any]]:
    """What was decided, in order."""
    return await rows(
        dsn,
        """SELECT * FROM copytrade.copy_attempts WHERE %(key)s::text IS NULL OR group_key = %(key)s ORDER BY ordinal""",
        {"key": key},
    )


async def inputs(dsn: str, key: str) -> dict[str, Any]:
    [row] = await rows(dsn, "SELECT * FROM copytrade.group_inputs WHERE group_key = %s", key)
    return row
