"""Logs of the chain as rows: a hint for the feed, a check of its rows, never a portfolio's business (copytrade.md 2).

A log is one row per block it stood in: after a reorganisation the same transaction comes again in another block, and
the first row is marked `removed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from domain.copytrade.chain_messages import ArrivedLog
from storage.books import Books
from storage.database import WireJson

CHANNEL: Final = "copytrade_trigger"

_RECORD: Final = """
INSERT INTO copytrade.chain_logs AS c (tx_hash, log_index, block_hash, block_number, block_time, contract, kind, wallet,
  role, token_id, condition_id, side, share_micros, usdc_micros, fee_micros, followed_user_id, arrived_at, raw)
SELECT l.tx_hash, l.log_index, l.block_hash, l.block_number, l.block_time, l.contract, l.kind, l.wallet, l.role,
  l.token_id, l.condition_id, l.side, l.share_micros, l.usdc_micros, l.fee_micros, w.followed_user_id, l.arrived_at,
  l.raw
FROM json_to_recordset(%s) AS l(tx_hash text, log_index int, block_hash text, block_number bigint,
  block_time timestamptz, contract text, kind text, wallet text, role text, token_id text, condition_id text,
  side copytrade.trade_side, share_micros bigint, usdc_micros bigint, fee_micros bigint, arrived_at timestamptz,
  raw jsonb)
JOIN copytrade.followed_wallets w USING (wallet)
ORDER BY l.block_number, l.log_index
ON CONFLICT (tx_hash, log_index, block_hash) DO UPDATE SET removed = false WHERE c.removed
RETURNING wallet
"""
_ROSTER: Final = """
SELECT w.wallet FROM copytrade.followed_wallets w JOIN copytrade.followed_users u ON u.id = w.followed_user_id
WHERE u.enabled AND u.unfollowed_at IS NULL
"""
_BLOCKS: Final = """
SELECT DISTINCT block_number, block_hash FROM copytrade.chain_logs
WHERE block_number >= %s AND arrived_at > clock_timestamp() - interval '1 hour' AND NOT removed
"""


class ChainLogStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def roster(self) -> frozenset[str]:
        """Every wallet whose fills are worth knowing now."""
        async with self.books.begin() as book:
            rows = await (await book.connection.execute(_ROSTER)).fetchall()
        return frozenset(row["wallet"] for row in rows)

    async def record(self, logs: Sequence[ArrivedLog]) -> int:
        """Write logs of followed wallets; the feed looks at these wallets when this commits.

        Returns: how many were new, or had been taken back and are there again.
        """
        if not logs:
            return 0
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_RECORD, [WireJson([log._asdict() for log in logs])])
            wallets = [row["wallet"] for row in await cursor.fetchall()]
            for wallet in sorted(set(wallets)):
                await book.connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, wallet])
        return len(wallets)

    async def take_back(self, logs: Sequence[tuple[str, int, str]]) -> int:
        """The node says `removed`: these (transaction, index, block) never happened. Returns: rows marked."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """UPDATE copytrade.chain_logs c SET removed = true, verified_at = NULL, mismatch = NULL
                   FROM unnest(%s::text[], %s::int[], %s::text[]) AS l(tx_hash, log_index, block_hash)
                   WHERE (c.tx_hash, c.log_index, c.block_hash) = (l.tx_hash, l.log_index, l.block_hash)
                     AND NOT c.removed""",
                [[tx for tx, _, _ in logs], [index for _, index, _ in logs], [block for _, _, block in logs]],
            )
            return cursor.rowcount

    async def take_back_blocks(self, block_hashes: Sequence[str]) -> int:
        """These blocks are not part of the chain any more. Returns: rows marked."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """UPDATE copytrade.chain_logs SET removed = true, verified_at = NULL, mismatch = NULL
                   WHERE block_hash = ANY(%s) AND NOT removed
                     AND arrived_at > clock_timestamp() - interval '1 hour'""",
                [list(block_hashes)],
            )
            return cursor.rowcount

    async def blocks_since(self, number: int) -> dict[int, set[str]]:
        """Blocks of the last hour's rows, from `number` on: what a reorganisation may have undone."""
        async with self.books.begin() as book:
            rows = await (await book.connection.execute(_BLOCKS, [number])).fetchall()
        found: dict[int, set[str]] = {}
        for row in rows:
            found.setdefault(row["block_number"], set()).add(row["block_hash"])
        return found

    async def date_blocks(self, times: Mapping[str, int]) -> None:
        """Block times by hash, in seconds, for rows whose log did not say it."""
        async with self.books.begin() as book:
            await book.connection.execute(
                """UPDATE copytrade.chain_logs c SET block_time = b.at
                   FROM unnest(%s::text[], %s::timestamptz[]) AS b(hash, at)
                   WHERE c.block_hash = b.hash AND c.block_time IS NULL
                     AND c.arrived_at > clock_timestamp() - interval '1 hour'""",
                [list(times), [datetime.fromtimestamp(seconds, UTC) for seconds in times.values()]],
            )
