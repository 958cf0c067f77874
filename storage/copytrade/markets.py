"""Facts of markets, what resolutions say, and the activity events that had to wait for either."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.copytrade.feed_messages import ResolutionRead
from domain.copytrade.normalise import Move
from domain.copytrade.shadow import Moved, Seen
from domain.copytrade.venue import Kind, Market
from domain.shared.events import Event
from storage.copytrade.event_rows import name_tokens
from storage.copytrade.fence import ingesting
from storage.copytrade.ingest import Converted, Folded, Receipts, claim, clock, fold, unclaimed
from storage.database import Connection, Pool, WireJson, transaction
from storage.events import emit

_WRITE: Final = """
INSERT INTO copytrade.markets AS m (condition_id, gamma_id, slug, question, event_id, neg_risk, neg_risk_market_id,
  version, closes_at, active, closed, accepting_orders, tick_micros, min_order_micros, fee_rate_ppm, fee_exponent,
  fee_takers_only, read_at)
SELECT v.*, clock_timestamp() FROM json_to_recordset(%s) AS v(condition_id text, gamma_id text, slug text,
  question text, event_id text, neg_risk bool, neg_risk_market_id text, version text, closes_at timestamptz,
  active bool, closed bool, accepting_orders bool, tick bigint, min_order bigint, fee_rate int, fee_exponent int,
  fee_takers_only bool)
ORDER BY v.condition_id
ON CONFLICT (condition_id) DO UPDATE SET gamma_id = excluded.gamma_id, slug = excluded.slug,
  question = excluded.question, event_id = excluded.event_id, neg_risk = excluded.neg_risk,
  neg_risk_market_id = excluded.neg_risk_market_id, version = excluded.version, closes_at = excluded.closes_at,
  active = excluded.active, closed = excluded.closed, accepting_orders = excluded.accepting_orders,
  tick_micros = coalesce(excluded.tick_micros, m.tick_micros),
  min_order_micros = coalesce(excluded.min_order_micros, m.min_order_micros), fee_rate_ppm = excluded.fee_rate_ppm,
  fee_exponent = excluded.fee_exponent, fee_takers_only = excluded.fee_takers_only, read_at = excluded.read_at
"""
_PLACES: Final = """
UPDATE copytrade.outcome_assets a SET place = v.place, outcome = v.outcome, condition_id = v.condition_id
FROM json_to_recordset(%s) AS v(token_id text, condition_id text, place int, outcome text)
WHERE a.token_id = v.token_id AND (a.place, a.outcome, a.condition_id) IS DISTINCT FROM
  (v.place, v.outcome, v.condition_id)
"""
_UNREAD: Final = """
SELECT condition_id FROM copytrade.markets WHERE read_at IS NULL ORDER BY created_at DESC LIMIT %s
"""
_STALE: Final = """
SELECT m.condition_id FROM copytrade.markets m
WHERE m.condition_id > %s AND (m.read_at IS NULL OR NOT m.closed OR EXISTS (
  SELECT 1 FROM copytrade.outcome_assets a JOIN copytrade.positions p USING (token_id)
  WHERE a.condition_id = m.condition_id AND p.share_micros <> 0))
ORDER BY m.condition_id LIMIT %s
"""
_LACKING: Final = """
SELECT c.id AS condition_id, m.read_at IS NULL AS unread, m.payouts IS NULL AS unresolved
FROM unnest(%s::text[]) AS c(id) LEFT JOIN copytrade.markets m ON m.condition_id = c.id
"""
_RESOLUTIONS: Final = """
UPDATE copytrade.markets m SET resolution_status = v.status, resolution_read_at = clock_timestamp(),
  payouts = coalesce(v.payouts, m.payouts),
  resolved_at = CASE WHEN v.payouts IS NULL THEN m.resolved_at
    ELSE coalesce(m.resolved_at, to_timestamp(v.resolved_at), clock_timestamp()) END
FROM json_to_recordset(%s) AS v(condition_id text, status text, payouts bigint[], resolved_at bigint)
WHERE m.condition_id = v.condition_id
RETURNING m.condition_id, v.payouts IS NOT NULL AS resolved
"""
_READY: Final = """
SELECT v.id, v.followed_user_id, v.wallet, v.tx_hash, v.kind, v.condition_id, v.token_id, v.share_micros, v.usdc_micros,
  v.event_time, v.backfilled
FROM copytrade.activity_applications a JOIN copytrade.activity_events v ON v.id = a.event_id
LEFT JOIN copytrade.markets m ON m.condition_id = v.condition_id
WHERE a.state = 'waiting' AND CASE v.kind WHEN 'CONVERSION' THEN v.tx_hash = ANY(%(txs)s)
  WHEN 'REDEEM' THEN m.payouts IS NOT NULL AND m.read_at IS NOT NULL ELSE m.read_at IS NOT NULL END
ORDER BY v.event_time, v.ordinal LIMIT 500 FOR UPDATE OF a
"""
_KNOWN_TOKENS: Final = "SELECT token_id FROM copytrade.outcome_assets WHERE token_id = ANY(%s::text[])"
_CONVERSIONS: Final = """
SELECT DISTINCT v.tx_hash, v.wallet, min(a.created_at) AS since
FROM copytrade.activity_applications a JOIN copytrade.activity_events v ON v.id = a.event_id
WHERE a.state = 'waiting' AND v.kind = 'CONVERSION' GROUP BY 1, 2 ORDER BY since LIMIT %s
"""


class Lacking(NamedTuple):
    """Markets whose facts, and whose payouts, are not known."""

    facts: list[str]
    payouts: list[str]


class MarketStore:
    def __init__(self, pool: Pool, seed: str) -> None:
        self.pool, self.seed = pool, seed
        self.converted = Converted

    async def unread(self, limit: int) -> list[str]:
        """Markets of which only the id is known, newest first."""
        return await self._ids(_UNREAD, [limit])

    async def stale(self, after: str, limit: int) -> list[str]:
        """A page of the markets whose facts may still change."""
        return await self._ids(_STALE, [after, limit])

    async def lacking(self, conditions: Sequence[str]) -> Lacking:
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(_LACKING, [list(conditions)])
            rows = await cursor.fetchall()
        unread = [row["condition_id"] for row in rows if row["unread"] is not False]
        return Lacking(unread, [row["condition_id"] for row in rows if row["unresolved"] is not False])

    async def write(self, markets: Iterable[Market]) -> None:
        """Facts as the venue tells them now; blacklist and payouts stay."""
        found = list(markets)
        if not found:
            return
        tokens = {t.token_id: (m.condition_id, t.outcome) for m in found for t in m.tokens}
        places = [
            {"token_id": t.token_id, "condition_id": m.condition_id, "place": t.place, "outcome": t.outcome}
            for m in found
            for t in m.tokens
        ]
        async with transaction(self.pool) as connection:
            await connection.execute(_WRITE, [WireJson([_facts(market) for market in found])])
            await name_tokens(connection, tokens)
            await connection.execute(_PLACES, [WireJson(places)])

    async def write_resolutions(self, found: Sequence[ResolutionRead]) -> list[str]:
        """How far each has come; returns the markets that are resolved. Payouts once known are never taken back."""
        if not found:
            return []
        rows = [one.model_dump(mode="json") for one in found]
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(_RESOLUTIONS, [WireJson(rows)])
            return [row["condition_id"] for row in await cursor.fetchall() if row["resolved"]]

    async def strangers(self, tokens: Collection[str]) -> list[str]:
        """Which of these tokens belong to no market that is known."""
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(_KNOWN_TOKENS, [sorted(tokens)])
            known = {row["token_id"] for row in await cursor.fetchall()}
        return sorted(set(tokens) - known)

    async def conversions(self, limit: int) -> list[Converted]:
        """Conversions that wait for their receipts."""
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(_CONVERSIONS, [limit])
            return [Converted(row["tx_hash"], row["wallet"]) for row in await cursor.fetchall()]

    async def apply_waiting(self, receipts: Receipts | None = None) -> int:
        """Book what had waited and can be booked now, in order of time; it is copied as of now. Returns how many."""
        async with transaction(self.pool) as connection:
            await ingesting(connection)
            known = await unclaimed(connection, receipts or {})
            rows = await (await connection.execute(_READY, {"txs": [one.tx_hash for one in known]})).fetchall()
            if not rows:
                return 0
            events = [_folded(row, known) for row in rows]
            await fold(connection, events, self.seed, await clock(connection), {})
            payload: dict[str, str | int | bool | list[str] | None] = {"events": len(rows)}
            await emit(connection, Event(topic="copytrade", type="waiting_applied", payload=payload))
            return len(rows)

    async def _ids(self, statement: Any, values: list[Any]) -> list[str]:
        async with transaction(self.pool) as connection:
            return [row["condition_id"] for row in await (await connection.execute(statement, values)).fetchall()]


async def payouts_of(connection: Connection, condition_id: str) -> dict[str, int]:
    """What each token of a resolved market pays, by place and never by label; empty while either is not known."""
    cursor = await connection.execute(
        """SELECT a.token_id, m.payouts[a.place + 1] AS payout FROM copytrade.outcome_assets a
           JOIN copytrade.markets m USING (condition_id)
           WHERE condition_id = %s AND a.place IS NOT NULL AND m.payouts IS NOT NULL""",
        [condition_id],
    )
    return {row["token_id"]: row["payout"] for row in await cursor.fetchall() if row["payout"] is not None}


def _facts(market: Market) -> dict[str, Any]:
    fees = market.fees
    return {
        "condition_id": market.condition_id,
        "gamma_id": market.gamma_id,
        "slug": market.slug,
        "question": market.question,
        "event_id": market.event_id,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": market.neg_risk_market_id,
        "version": market.version,
        "closes_at": market.closes_at,
        "active": market.active,
        "closed": market.closed,
        "accepting_orders": market.accepting_orders,
        "tick": market.tick_micros,
        "min_order": market.min_order_micros,
        "fee_rate": fees.rate_ppm if fees else 0,
        "fee_exponent": fees.exponent if fees else 1,
        "fee_takers_only": fees.takers_only if fees else True,
    }


def _folded(row: Mapping[str, Any], receipts: dict[Converted, Moved]) -> Folded:
    what = Move(Kind(row["kind"]), row["share_micros"], row["usdc_micros"])
    moved = claim(receipts, row["tx_hash"], row["wallet"]) if what.kind is Kind.CONVERSION else None
    seen = Seen(row["id"], row["condition_id"], row["token_id"], row["event_time"], what, moved)
    return Folded(row["followed_user_id"], seen, not row["backfilled"])
