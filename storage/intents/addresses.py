"""Deposit addresses: an index is taken under lock, once per account, and never given twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.database import Connection
from storage.events import audit, emit, new_id

_LOCK: Final = 7_200_021
FIRST_INDEX: Final = 1
"""Index 0 belonged to the hot wallet in the old plan (exchange.md 7) and stays unused."""
LAST_INDEX: Final = 2**31 - 1


class DepositAddress(NamedTuple):
    """`address` in lower case."""

    address: str
    derivation_path: str


async def assign(
    connection: Connection, *, account_id: str, chain_id: int, derive: Callable[[int], str], principal: str
) -> DepositAddress:
    """The account's address on this chain: the one in use, or the next free index.

    Args:  derive  index → lower-case address below the account xpub.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    cursor = await connection.execute(
        """SELECT address, derivation_path FROM exchange.deposit_addresses
           WHERE account_id = %s AND chain_id = %s AND retired_at IS NULL""",
        [account_id, chain_id],
    )
    row = await cursor.fetchone()
    if row is not None:
        return DepositAddress(row["address"], row["derivation_path"])
    cursor = await connection.execute(
        "SELECT coalesce(max(derivation_index) + 1, %s) AS next FROM exchange.deposit_addresses WHERE chain_id = %s",
        [FIRST_INDEX, chain_id],
    )
    row = await cursor.fetchone()
    assert row is not None
    index = int(row["next"])
    if index > LAST_INDEX:
        raise Rejected("conflict", "every address of this xpub is taken")
    path, address = f"m/44'/60'/0'/0/{index}", derive(index)
    await connection.execute(
        """INSERT INTO exchange.deposit_addresses (id, account_id, chain_id, derivation_index, derivation_path, address)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        [new_id(), account_id, chain_id, index, path, address],
    )
    await audit(connection, principal, "deposit_address_assigned", account_id, address=address, index=index)
    await emit(
        connection,
        Event(
            topic="accounts",
            type="deposit_address_assigned",
            account_id=account_id,
            payload={"id": account_id, "address": address, "chain_id": chain_id},
        ),
    )
    return DepositAddress(address, path)


async def retire(connection: Connection, *, account_id: str, chain_id: int, principal: str) -> bool:
    """Take the address out of use; money sent to it is still credited. False when there was none."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    cursor = await connection.execute(
        """UPDATE exchange.deposit_addresses SET retired_at = clock_timestamp()
           WHERE account_id = %s AND chain_id = %s AND retired_at IS NULL RETURNING address""",
        [account_id, chain_id],
    )
    row = await cursor.fetchone()
    if row is not None:
        await audit(connection, principal, "deposit_address_retired", account_id, address=row["address"])
    return row is not None
