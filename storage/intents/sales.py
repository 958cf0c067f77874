"""What wallets hand in for a sale: found again by its bytes, kept, and given a process, in one transaction."""

from __future__ import annotations

from typing import Final

from domain.launchpad.transactions import SignedWire
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.intents.opened import Opened
from storage.intents.solana import submit
from storage.launchpad.trades import KIND, open_trade

_ISSUED: Final = """
SELECT t.id, coalesce(t.account_id = %s, false) AS own
FROM launchpad.transaction_attempts a JOIN launchpad.transactions t ON t.id = a.transaction_id
WHERE a.message = %s AND t.subject_kind = %s AND t.subject_id = %s
ORDER BY own DESC, a.status = 'signed' DESC, t.id LIMIT 1
"""


async def belongs_to(connection: Connection, transaction_id: str, account_id: str) -> None:
    """Note which account has asked for a trade."""
    await connection.execute(
        "UPDATE launchpad.transactions SET account_id = %s WHERE id = %s", [account_id, transaction_id]
    )


async def submit_trade(
    connection: Connection, sale_id: str, signed: SignedWire, *, platform: str, account_id: str
) -> Opened:
    """Keep the signed bytes and open their process; the same bytes again are the same operation.

    Raises: Rejected transaction_altered when these bytes were not issued for this sale, not_found when another account
            asked for them, and as `submit`.
    """
    cursor = await connection.execute(_ISSUED, [account_id, signed.message, KIND, sale_id])
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("transaction_altered", "these are not bytes that were issued for this sale")
    if not row["own"]:
        raise Rejected("not_found", "this account has not asked for this transaction")
    kept = await submit(connection, row["id"], signed, platform=platform)
    summary = f"{kept.key.split(':')[1].capitalize()} in sale {sale_id}"
    operation_id = await open_trade(connection, kept.transaction_id, summary, account_id)
    workflow_id = ids.sale_trade(kept.transaction_id)
    return Opened(kept.transaction_id, operation_id, workflow_id, account_id, summary)


async def operation_status(connection: Connection, operation_id: str) -> str:
    """`running`, unless the same bytes were handed in before."""
    cursor = await connection.execute(
        "SELECT status::text AS status FROM platform.operations WHERE id = %s", [operation_id]
    )
    row = await cursor.fetchone()
    assert row is not None, "it was opened in this transaction or an earlier one"
    return str(row["status"])
