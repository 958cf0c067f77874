"""Canonical events as rows, set-wise: each fill and each move once, by what the venue says of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec

from domain.copytrade.normalise import Move, Recorded, Trade
from domain.copytrade.readings import Taken
from storage.database import Connection, WireJson

SOURCE: Final = "POLYMARKET_API"

_MARKETS: Final = """
INSERT INTO copytrade.markets (condition_id) SELECT unnest(%s::text[]) ON CONFLICT (condition_id) DO NOTHING
"""
_ASSETS: Final = """
INSERT INTO copytrade.outcome_assets (token_id, condition_id, outcome)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT (token_id) DO NOTHING
"""
_COMMON: Final[LiteralString] = """
  'POLYMARKET_API', v.source_id, v.user_id, v.wallet, v.tx_hash, v.condition_id, v.token_id, v.shares, v.usdc,
  v.occurrence, to_timestamp(v.at), %(now)s, v.baseline, %(backfilled)s, v.raw
"""
_COMMON_TYPES: Final[LiteralString] = """
  id uuid, source_id text, user_id uuid, wallet text, tx_hash text, condition_id text, token_id text, shares bigint,
  usdc bigint, occurrence int, at bigint, baseline bool, raw jsonb
"""
_COMMON_COLUMNS: Final[LiteralString] = """
  source, source_id, followed_user_id, wallet, tx_hash, condition_id, token_id, share_micros, usdc_micros, occurrence,
  event_time, detect_time, baseline, backfilled, raw
"""
_TRADES: Final = f"""
INSERT INTO copytrade.trade_events (id, side, price_micros, notional_micros, fee_micros, {_COMMON_COLUMNS})
SELECT v.id, v.side, v.price, v.notional, v.fee, {_COMMON}
FROM json_to_recordset(%(rows)s) AS v({_COMMON_TYPES}, side copytrade.trade_side, price bigint, notional bigint,
  fee bigint)
ON CONFLICT (source, source_id) DO NOTHING RETURNING id
"""
_ACTIVITIES: Final = f"""
INSERT INTO copytrade.activity_events (id, kind, {_COMMON_COLUMNS})
SELECT v.id, v.kind, {_COMMON} FROM json_to_recordset(%(rows)s) AS v({_COMMON_TYPES}, kind text)
ON CONFLICT (source, source_id) DO NOTHING RETURNING id
"""
_WALLETS: Final = """
INSERT INTO copytrade.followed_wallets (wallet, followed_user_id) SELECT * FROM unnest(%s::text[], %s::uuid[])
ON CONFLICT (wallet) DO NOTHING
"""


async def know_markets(connection: Connection, taken: Sequence[Taken]) -> None:
    """Rows of the markets and tokens that events name; facts are read later. In order of their keys, as everywhere."""
    conditions = sorted({one.row.condition_id for one in taken if isinstance(one.event, Trade)})
    moves = {one.row.condition_id for one in taken if isinstance(one.event, Move) and one.row.condition_id}
    await name_markets(connection, sorted({*conditions, *moves}))
    tokens = {
        one.row.token_id: (one.row.condition_id, one.row.outcome)
        for one in taken
        if one.row.token_id and not isinstance(one.event, Recorded)
    }
    await name_tokens(connection, tokens)


async def name_markets(connection: Connection, conditions: Sequence[str]) -> None:
    if conditions:
        await connection.execute(_MARKETS, [list(conditions)])


async def name_tokens(connection: Connection, tokens: Mapping[str, tuple[str, str]]) -> None:
    """Args:  tokens  condition and label by token."""
    rows = sorted(tokens.items())
    if rows:
        columns = [token for token, _ in rows], [of[0] for _, of in rows], [of[1] for _, of in rows]
        await connection.execute(_ASSETS, list(columns))


async def insert(
    connection: Connection, taken: Sequence[Taken], now: datetime, baseline: Collection[str], *, backfilled: bool
) -> set[str]:
    """Write what is not there yet. Returns the ids of the events that are new.

    Args:  baseline  event ids of before following began.
    """
    new: set[str] = set()
    trades = [_row(one, one.event_id in baseline) for one in taken if isinstance(one.event, Trade)]
    others = [_row(one, one.event_id in baseline) for one in taken if not isinstance(one.event, Trade)]
    for statement, rows in ((_TRADES, trades), (_ACTIVITIES, others)):
        if rows:
            values = {"rows": WireJson(rows), "now": now, "backfilled": backfilled}
            cursor = await connection.execute(statement, values)
            new |= {row["id"] for row in await cursor.fetchall()}
    return new


async def know_wallets(connection: Connection, taken: Sequence[Taken]) -> None:
    """Keep addresses a leader trades from that a payload tells of (CT-054)."""
    wallets = sorted({(one.row.wallet, one.user_id) for one in taken})
    if wallets:
        await connection.execute(_WALLETS, [[wallet for wallet, _ in wallets], [user for _, user in wallets]])


def _row(one: Taken, baseline: bool) -> dict[str, Any]:
    row, event = one.row, one.event
    common: dict[str, Any] = {
        "id": one.event_id,
        "source_id": one.source_id,
        "user_id": one.user_id,
        "wallet": row.wallet,
        "tx_hash": row.tx_hash,
        "condition_id": row.condition_id,
        "token_id": row.token_id,
        "shares": event.shares,
        "usdc": event.usdc,
        "occurrence": one.occurrence,
        "at": row.timestamp,
        "baseline": baseline,
        "raw": msgspec.Raw((row.raw or "{}").encode()),
    }
    if isinstance(event, Trade):
        return common | {
            "side": event.side,
            "price": event.price,
            "notional": event.notional,
            "fee": event.fee,
        }
    return common | {"kind": event.kind}
