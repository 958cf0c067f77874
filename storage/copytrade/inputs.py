"""The inputs of a group: read in one statement at its due time, kept once for ever. The first persisted wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from psycopg.types.json import Jsonb

from domain.copytrade.asked import Asked
from domain.copytrade.groups import Group
from domain.copytrade.inputs import Inputs
from storage.copytrade import groups
from storage.copytrade.inputs_json import book_json, inputs_of
from storage.copytrade.windows import WINDOWS
from storage.database import Connection, Pool, alone

CONTROL: Final = "copytrade.engine"
"""Off: everything due is skipped with ENGINE_PAUSED (design/copytrade.md 8)."""

_GROUP: Final = f"""
SELECT {groups.COLUMNS}, EXISTS (SELECT 1 FROM copytrade.group_inputs i WHERE i.group_key = g.group_key) AS taken
FROM copytrade.event_groups g WHERE g.group_key = %s
"""
# The leg that is sold when the leader merges or redeems and the policy says so: of which most is held.
_HELD_LEG: Final = """
SELECT p.token_id FROM copytrade.event_groups g
JOIN copytrade.followed_users u ON u.id = g.followed_user_id AND u.leg_policy = 'sell_held'
JOIN copytrade.portfolios f ON f.portfolio_scope = 'EXEC_GLOBAL'
  OR f.portfolio_scope = 'EXEC_USER' AND f.followed_user_id = u.id
JOIN copytrade.positions p ON p.portfolio_id = f.id AND p.token_id = ANY(g.token_ids) AND p.share_micros > 0
WHERE g.group_key = %s GROUP BY p.token_id ORDER BY max(p.share_micros) DESC, p.token_id LIMIT 1
"""
# Marks also of tokens that groups not yet decided may bring in before this one is decided. Without its indentation: the
# driver remembers what it made of a statement only up to 4,096 characters.
_FACTS: Final = " ".join(
    f"""
WITH g AS (SELECT * FROM copytrade.event_groups WHERE group_key = %(key)s),
held AS (
  SELECT p.token_id FROM g, copytrade.portfolios f JOIN copytrade.positions p ON p.portfolio_id = f.id
  WHERE p.share_micros <> 0 AND (f.portfolio_scope = 'EXEC_GLOBAL'
    OR f.portfolio_scope = 'EXEC_USER' AND f.followed_user_id = g.followed_user_id)
  UNION SELECT t FROM copytrade.event_groups w, unnest(w.token_ids) t WHERE w.global_decided_at IS NULL
  UNION SELECT unnest(g.token_ids) FROM g
), tokens AS (
  SELECT h.token_id, m.mark_micros, m.source, m.observed_at, coalesce(a.condition_id, '') AS condition_id,
    coalesce(k.event_id, '') AS event_id
  FROM held h LEFT JOIN copytrade.outcome_assets a USING (token_id)
  LEFT JOIN copytrade.markets k ON k.condition_id = a.condition_id
  LEFT JOIN LATERAL (SELECT * FROM copytrade.mark_prices p WHERE p.token_id = h.token_id
    ORDER BY p.bucket_time DESC LIMIT 1) m ON true
), own AS (
  SELECT version, config FROM copytrade.effective_configs WHERE followed_user_id = (SELECT followed_user_id FROM g)
  ORDER BY version DESC LIMIT 1
), general AS (
  SELECT version FROM copytrade.effective_configs WHERE followed_user_id IS NULL ORDER BY version DESC LIMIT 1
)
SELECT coalesce((SELECT version FROM own), (SELECT version FROM general)) AS config_version,
  (SELECT version FROM general) AS general_version,
  jsonb_build_object(
    'market', jsonb_build_object(
      'condition_id', g.condition_id, 'event_id', coalesce(k.event_id, ''), 'neg_risk', coalesce(k.neg_risk, false),
      'legs', coalesce((SELECT jsonb_agg(token_id ORDER BY place) FROM copytrade.outcome_assets a
        WHERE a.condition_id = g.condition_id AND a.place IS NOT NULL), '[]'),
      'closes_at', k.closes_at, 'accepting_orders', coalesce(k.accepting_orders, true),
      'closed', coalesce(k.closed OR k.resolved_at IS NOT NULL, false), 'tick', k.tick_micros,
      'min_order', k.min_order_micros,
      'fees', CASE WHEN k.fee_rate_ppm > 0
        THEN jsonb_build_array(k.fee_rate_ppm, coalesce(k.fee_exponent, 1), k.fee_takers_only) END),
    'marks', coalesce((SELECT jsonb_object_agg(token_id, jsonb_build_array(mark_micros, source, observed_at))
      FROM tokens WHERE mark_micros IS NOT NULL), '{{}}'),
    'markets', (SELECT jsonb_object_agg(token_id, jsonb_build_array(condition_id, event_id)) FROM tokens),
    'flags', jsonb_build_object(
      'paused', NOT coalesce((SELECT enabled FROM platform.controls WHERE name = %(control)s), true),
      'enabled', u.enabled AND u.unfollowed_at IS NULL, 'mode', u.mode, 'blacklisted', coalesce(k.blacklisted, false),
      'leg_policy', u.leg_policy),
    'leader_exposure', (SELECT sum(greatest(0, coalesce(floor(p.share_micros::numeric * m.mark_micros / 1000000),
        p.cost_micros)))::bigint
      FROM copytrade.portfolios f JOIN copytrade.positions p ON p.portfolio_id = f.id AND p.share_micros > 0
      LEFT JOIN LATERAL (SELECT mark_micros FROM copytrade.mark_prices WHERE token_id = p.token_id
        ORDER BY bucket_time DESC LIMIT 1) m ON true
      WHERE f.portfolio_scope = 'SHADOW_USER' AND f.followed_user_id = u.id
        AND (SELECT config -> 'sizing' ->> 'sizing_mode' FROM own) = 'budgeted_dynamic'),
    'windows', {WINDOWS}) AS facts
FROM g JOIN copytrade.followed_users u ON u.id = g.followed_user_id
LEFT JOIN copytrade.markets k ON k.condition_id = g.condition_id
""".split()
)
_KEEP: Final = """
INSERT INTO copytrade.group_inputs (group_key, requested_at, received_at, lateness_us, requests, book, book_source,
  facts, config_version, general_version)
VALUES (%(key)s, %(requested_at)s, %(received_at)s, %(lateness_us)s, %(requests)s, %(book)s, %(source)s, %(facts)s,
  %(config_version)s, %(general_version)s)
ON CONFLICT (group_key) DO NOTHING
"""
READ: Final = """
SELECT i.group_key, i.requested_at, i.received_at, i.facts, i.config_version, i.general_version,
  c.config::text AS config, d.config::text AS general
FROM unnest(%s::text[]) AS k(group_key) JOIN copytrade.group_inputs i USING (group_key)
JOIN copytrade.effective_configs c ON c.version = i.config_version
JOIN copytrade.effective_configs d ON d.version = i.general_version
"""


class DueGroup(NamedTuple):
    """`taken`: its inputs are kept already."""

    group: Group
    taken: bool


class Facts(NamedTuple):
    config_version: int
    general_version: int
    facts: dict[str, Any]


class InputsStore:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def group(self, key: str) -> DueGroup | None:
        row = await self._row(_GROUP, [key])
        return None if row is None else DueGroup(groups.group_of(row), row["taken"])

    async def held_leg(self, key: str) -> str | None:
        """Which token's book a MERGE or REDEEM needs; None: none."""
        row = await self._row(_HELD_LEG, [key])
        return None if row is None else str(row["token_id"])

    async def facts(self, key: str) -> Facts:
        """Everything but the book, as of now, in one statement."""
        row = await self._row(_FACTS, {"key": key, "control": CONTROL})
        assert row is not None
        return Facts(**row)

    async def keep(self, group: Group, asked: Asked, facts: Facts) -> None:
        """Persist; a row that is there already stays as it is."""
        book = None if asked.book is None else book_json(asked.book)
        late = asked.requested_at - group.due_at
        async with alone(self.pool) as connection:
            await connection.execute(
                _KEEP,
                {
                    "key": group.group_key,
                    "requested_at": asked.requested_at,
                    "received_at": asked.received_at,
                    "lateness_us": late.days * 86_400_000_000 + late.seconds * 1_000_000 + late.microseconds,
                    "requests": asked.requests,
                    "book": None if asked.raw is None else Jsonb(asked.raw),
                    "source": asked.source,
                    "facts": Jsonb(facts.facts | {"book": book, "book_age_ms": asked.age_ms}),
                    "config_version": facts.config_version,
                    "general_version": facts.general_version,
                },
            )

    async def _row(self, statement: str, arguments: Any) -> dict[str, Any] | None:
        async with alone(self.pool) as connection:
            return await (await connection.execute(statement, arguments, prepare=True)).fetchone()


async def read_inputs(connection: Connection, keys: Sequence[str]) -> dict[str, Inputs]:
    """The inputs of these groups; a group without is left out."""
    rows = await (await connection.execute(READ, [list(keys)])).fetchall()
    return {row["group_key"]: inputs_of(row) for row in rows}
