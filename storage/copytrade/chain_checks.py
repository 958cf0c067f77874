"""Do chain and API tell the same of the leaders' fills? Compared on sums; what differs is listed, and alerted.

The rows of the API stay what they are: a difference is an operator's to look into, never a correction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from domain.copytrade.chain_sums import Sum, SumKey, differences, summed
from storage.books import Books
from storage.database import Connection
from storage.events import raise_alert, resolve_alert

INDEXING_S: Final = 20
"""How long the API may take to show what is on the chain before the two are compared."""
PATIENCE_S: Final = 120
"""Until then a difference may still be a row that comes late."""
WINDOW: Final = "1 hour"
BATCH: Final = 500

_DUE: Final = f"""
SELECT l.tx_hash, l.wallet, min(l.arrived_at) > clock_timestamp() - %(patience)s * interval '1 second' AS early
FROM copytrade.chain_logs l JOIN copytrade.followed_users u ON u.id = l.followed_user_id
WHERE l.verified_at IS NULL AND NOT l.removed AND l.kind = 'fill'
  AND l.arrived_at > clock_timestamp() - interval '{WINDOW}'
  AND l.arrived_at < clock_timestamp() - %(indexing)s * interval '1 second'
  AND u.unfollowed_at IS NULL AND u.baseline_at IS NOT NULL
  AND coalesce(l.block_time, l.arrived_at) > u.followed_since
GROUP BY l.tx_hash, l.wallet ORDER BY min(l.arrived_at) LIMIT {BATCH}
"""
_CHAIN: Final = """
SELECT l.id, l.tx_hash, l.wallet, l.token_id, l.side::text AS side, l.share_micros, l.usdc_micros, l.fee_micros
FROM copytrade.chain_logs l JOIN unnest(%s::text[], %s::text[]) AS d(tx_hash, wallet) USING (tx_hash, wallet)
WHERE l.kind = 'fill' AND NOT l.removed ORDER BY l.id FOR NO KEY UPDATE OF l
"""
_API: Final = """
SELECT e.tx_hash, e.wallet, e.token_id, e.side::text AS side, e.share_micros, e.usdc_micros, e.fee_micros
FROM copytrade.trade_events e JOIN unnest(%s::text[], %s::text[]) AS d(tx_hash, wallet) USING (tx_hash, wallet)
WHERE e.is_canonical
"""
_MARK: Final = """
UPDATE copytrade.chain_logs l SET mismatch = nullif(v.what, ''),
  verified_at = CASE WHEN v.what = '' THEN clock_timestamp() END
FROM unnest(%s::bigint[], %s::text[]) AS v(id, what)
WHERE l.id = v.id AND (v.what = '' OR l.mismatch IS DISTINCT FROM v.what)
"""
_STANDING: Final = f"""
SELECT count(DISTINCT (tx_hash, wallet, token_id, side)) AS count, min(tx_hash || ': ' || mismatch) AS example
FROM copytrade.chain_logs
WHERE mismatch IS NOT NULL AND NOT removed AND arrived_at > clock_timestamp() - interval '{WINDOW}'
"""
_UNTOLD: Final = """
SELECT count(*) AS count FROM copytrade.trade_events e
JOIN copytrade.followed_wallets w USING (wallet) JOIN copytrade.followed_users u ON u.id = w.followed_user_id
WHERE u.enabled AND u.unfollowed_at IS NULL AND e.is_canonical AND NOT e.baseline AND NOT e.backfilled
  AND e.event_time > greatest(%(since)s, w.created_at) + %(margin)s * interval '1 second'
  AND e.event_time BETWEEN clock_timestamp() - interval '10 minutes'
    AND clock_timestamp() - %(margin)s * interval '1 second'
  AND NOT EXISTS (SELECT 1 FROM copytrade.chain_logs l
    WHERE l.tx_hash = e.tx_hash AND l.wallet = e.wallet AND NOT l.removed)
"""


class Verified(NamedTuple):
    """`agreed`, `differing`: sums looked at now. `standing`: differences of the last hour, all told."""

    agreed: int
    differing: int
    standing: int


class ChainCheckStore:
    """Args:  alert_after  so many standing differences call an operator.   patience_s  see PATIENCE_S."""

    def __init__(
        self, books: Books, *, alert_after: int = 3, indexing_s: float = INDEXING_S, patience_s: float = PATIENCE_S
    ) -> None:
        self.books = books
        self.alert_after, self.indexing_s, self.patience_s = alert_after, indexing_s, patience_s

    async def verify(self) -> Verified:
        """Compare what has not agreed yet, in one transaction; later calls look at differences again."""
        async with self.books.begin() as book:
            connection = book.connection
            waits = {"indexing": self.indexing_s, "patience": self.patience_s}
            due = await (await connection.execute(_DUE, waits)).fetchall()
            agreed, differing = await self._compare(connection, due) if due else (0, 0)
            row = await (await connection.execute(_STANDING)).fetchone()
            standing = row["count"] if row else 0
            if standing >= self.alert_after:
                detail = f"{standing} fills differ between chain and API, for one {row['example'] if row else ''}"
                await raise_alert(connection, "chain_mismatch", "polygon", detail, differing=standing)
            elif standing == 0:
                await resolve_alert(connection, "chain_mismatch", "polygon", "verification")
        return Verified(agreed, differing, standing)

    async def _compare(self, connection: Connection, due: list[dict[str, Any]]) -> tuple[int, int]:
        keys = [[row["tx_hash"] for row in due], [row["wallet"] for row in due]]
        chain = await (await connection.execute(_CHAIN, keys)).fetchall()
        api = await (await connection.execute(_API, keys)).fetchall()
        found = {one.key: one.what for one in differences(summed(_sums(api)), summed(_sums(chain)))}
        early = {(row["tx_hash"], row["wallet"]) for row in due if row["early"]}
        ids: list[int] = []
        verdicts: list[str] = []
        for row in chain:
            key = _key(row)
            what = found.get(key, "")
            if what and (key.tx_hash, key.wallet) in early:
                continue
            ids.append(row["id"])
            verdicts.append(what)
        await connection.execute(_MARK, [ids, verdicts])
        return len({_key(row) for row in chain} - found.keys()), len(found)

    async def untold(self, since: datetime, margin_s: float) -> int:
        """Fills the API shows and the chain did not tell of, though the socket stood: it lies.

        Args:  since  from when on the subscription stood.   margin_s  for both to arrive.
        """
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_UNTOLD, {"since": since, "margin": margin_s})
            row = await cursor.fetchone()
        return row["count"] if row else 0


def _key(row: dict[str, Any]) -> SumKey:
    return SumKey(row["tx_hash"], row["wallet"], row["token_id"], row["side"])


def _sums(rows: Iterable[dict[str, Any]]) -> Iterable[tuple[SumKey, Sum]]:
    return ((_key(row), Sum(row["share_micros"], row["usdc_micros"], row["fee_micros"], 1)) for row in rows)
