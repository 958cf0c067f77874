"""Effects on sales that come again and again: a plan under the next number of its act, `sale:{id}:{act}:{n}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.launchpad.tax_cycle import Due
from domain.launchpad.transactions import Plan
from storage.database import Connection
from storage.launchpad.transactions import plan

KIND: Final = "sale"
FEES_MOST: Final = 4_000_000
"""Lamports of the platform's wallet for one transaction; some have to open a token account."""
OPEN: Final = ("planned", "landed")
_NEWEST: Final = """
SELECT t.key, split_part(t.key, ':', 4)::int AS number, t.status::text AS status,
  EXISTS (SELECT 1 FROM launchpad.transaction_attempts a WHERE a.transaction_id = t.id
    AND a.status IN ('signed', 'landed')) AS tried
FROM launchpad.transactions t WHERE t.subject_kind = 'sale' AND t.subject_id = %s AND split_part(t.key, ':', 3) = %s
ORDER BY number DESC LIMIT 1 FOR UPDATE OF t
"""
_GIVE_UP: Final = """
UPDATE launchpad.transactions SET status = 'abandoned', updated_at = clock_timestamp() WHERE key = %s
"""


async def write_dues(connection: Connection, dues: Sequence[Due], platform: str) -> tuple[str, ...]:
    """The key of each, paid for by this wallet.

    One on its way is the answer. One that was never sent, or ran out, is given up: what it said may be out of date.
    """
    return tuple([await _key(connection, due, platform) for due in dues])


async def _key(connection: Connection, due: Due, platform: str) -> str:
    newest = await (await connection.execute(_NEWEST, [due.sale_id, due.act])).fetchone()
    if newest is not None and newest["status"] in OPEN:
        if newest["tried"]:
            return str(newest["key"])
        await connection.execute(_GIVE_UP, [newest["key"]])
    number = newest["number"] + 1 if newest is not None else 1
    wanted = Plan(
        key=f"sale:{due.sale_id}:{due.act}:{number}",
        subject_kind=KIND,
        subject_id=due.sale_id,
        payer=platform,
        instructions=due.instructions,
        most_lamports=FEES_MOST,
    )
    await plan(connection, wanted)
    return wanted.key
