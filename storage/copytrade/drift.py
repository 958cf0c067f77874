"""Where shadow and venue disagree, token by token. Found and told; never corrected by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from domain.copytrade.drift import Difference, differences
from domain.copytrade.venue import VenuePosition
from storage.copytrade.chain_state import ask_reread
from storage.copytrade.shadow import SETTLED
from storage.database import Connection, Pool, transaction
from storage.events import raise_alert, resolve_alert

ALERT_AFTER: Final = 3

_LEADERS: Final = """
SELECT id FROM copytrade.followed_users WHERE baseline_at IS NOT NULL AND unfollowed_at IS NULL ORDER BY id
"""
_WALLETS: Final = "SELECT wallet FROM copytrade.followed_wallets WHERE followed_user_id = %s ORDER BY wallet"
_HELD: Final = """
SELECT p.token_id, p.share_micros, m.payouts IS NOT NULL AS resolved FROM copytrade.positions p
JOIN copytrade.portfolios f ON f.id = p.portfolio_id
LEFT JOIN copytrade.outcome_assets o USING (token_id) LEFT JOIN copytrade.markets m ON m.condition_id = o.condition_id
WHERE f.portfolio_scope = 'SHADOW_USER' AND f.followed_user_id = %s
"""
# A shadow that is only behind differs by something else at each look; what was lost stays lost.
_KEEP: Final = """
INSERT INTO copytrade.shadow_drifts AS d (followed_user_id, token_id, shadow_micros, venue_micros, checked_at)
SELECT %s, v.token_id, v.shadow, v.venue, clock_timestamp()
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS v(token_id, shadow, venue)
ON CONFLICT (followed_user_id, token_id) DO UPDATE SET shadow_micros = excluded.shadow_micros,
  venue_micros = excluded.venue_micros, checked_at = excluded.checked_at,
  seen = CASE WHEN d.venue_micros - d.shadow_micros = excluded.venue_micros - excluded.shadow_micros THEN d.seen + 1
    ELSE 1 END
"""
_AGREE: Final = "DELETE FROM copytrade.shadow_drifts WHERE followed_user_id = %s AND token_id <> ALL(%s::text[])"
_LASTING: Final = """
SELECT token_id, shadow_micros, venue_micros FROM copytrade.shadow_drifts
WHERE followed_user_id = %s AND seen >= %s ORDER BY token_id
"""
_KNOWN: Final = """
SELECT tx_hash, token_id, side::text AS side, share_micros, count(*) AS times FROM copytrade.trade_events
WHERE followed_user_id = %s AND event_time >= %s GROUP BY 1, 2, 3, 4
"""


class Fill(NamedTuple):
    """What the trades feed says of a fill: enough to count it."""

    tx_hash: str
    token_id: str
    side: str
    shares: int


class Kept(NamedTuple):
    tokens: int
    lasting: int


class DriftStore:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def leaders(self) -> list[str]:
        async with transaction(self.pool) as connection:
            return [row["id"] for row in await (await connection.execute(_LEADERS)).fetchall()]

    async def wallets(self, user_id: str) -> list[str]:
        async with transaction(self.pool) as connection:
            return [row["wallet"] for row in await (await connection.execute(_WALLETS, [user_id])).fetchall()]

    async def compare(self, user_id: str, positions: Sequence[VenuePosition]) -> Kept:
        """Keep what differs now, forget what agrees again; after three looks in a row at one difference an operator is
        told."""
        async with transaction(self.pool) as connection:
            found = differences(*await _shadow(connection, user_id), _summed(positions))
            await _keep(connection, user_id, found)
            lasting = await (await connection.execute(_LASTING, [user_id, ALERT_AFTER])).fetchall()
            if lasting:
                first = lasting[0]
                detail = (
                    f"{len(lasting)} tokens; {first['token_id']}: shadow {first['shadow_micros']}, "
                    f"venue {first['venue_micros']} micros"
                )
                await raise_alert(connection, "shadow_drift", user_id, detail, tokens=len(lasting))
            elif not found:
                await resolve_alert(connection, "shadow_drift", user_id, "drift")
            return Kept(len(found), len(lasting))

    async def missing(self, user_id: str, fills: Mapping[Fill, int], since: datetime) -> int:
        """Fills of the trades feed that the books do not have, or not as often. Returns how many.

        They are asked for again from `since` on.
        """
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(_KNOWN, [user_id, since])
            known = {
                Fill(row["tx_hash"], row["token_id"], row["side"], row["share_micros"]): row["times"]
                for row in await cursor.fetchall()
            }
            lost: int = sum(max(0, times - known.get(fill, 0)) for fill, times in fills.items())
            if lost:
                await ask_reread(connection, since)
            return lost


async def _shadow(connection: Connection, user_id: str) -> tuple[dict[str, int], dict[str, int]]:
    """Shares by token, and of resolved markets those that are settled but not redeemed yet."""
    rows = await (await connection.execute(_HELD, [user_id])).fetchall()
    held = {row["token_id"]: row["share_micros"] for row in rows}
    resolved = [row["token_id"] for row in rows if row["resolved"]]
    settled = {token: 0 for token in resolved}
    if resolved:
        cursor = await connection.execute(SETTLED, {"tokens": sorted(resolved), "users": [user_id]})
        settled |= {row["token_id"]: row["shares"] for row in await cursor.fetchall()}
    return held, settled


async def _keep(connection: Connection, user_id: str, found: Iterable[Difference]) -> None:
    rows = list(found)
    tokens = [one.token_id for one in rows]
    await connection.execute(_AGREE, [user_id, tokens])
    if rows:
        columns = tokens, [one.shadow for one in rows], [one.venue for one in rows]
        await connection.execute(_KEEP, [user_id, *columns])


def _summed(positions: Iterable[VenuePosition]) -> dict[str, int]:
    """Over all wallets of the leader."""
    found: dict[str, int] = {}
    for one in positions:
        found[one.token_id] = found.get(one.token_id, 0) + one.shares
    return found
