"""Answers kept by Idempotency-Key, so that a repeated request is answered and not repeated.

Scope is (principal, method, path, key). For an intent that lives in the database, claim, intent and answer are one
transaction: a crash leaves all or nothing. For an effect outside, the claim is committed first and marks the request
as in flight; if its process dies, another request takes it over after 30 s, and the effect is idempotent by itself.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from psycopg.types.json import Jsonb

from domain.shared.errors import Rejected
from storage.database import Connection

KEPT: Final = "7 days"
TAKEN_OVER_AFTER: Final = "30 seconds"

_FIND: Final = """
SELECT body_hash, status, headers, body, created_at < clock_timestamp() - %(kept)s::interval AS forgotten,
       locked_at < clock_timestamp() - %(taken)s::interval AS stale
FROM platform.idempotency_keys
WHERE principal = %(principal)s AND method = %(method)s AND path = %(path)s AND key = %(key)s
"""
_SAVE: Final = """
INSERT INTO platform.idempotency_keys (principal, method, path, key, body_hash, status, headers, body)
VALUES (%(principal)s, %(method)s, %(path)s, %(key)s, %(body_hash)s, %(status)s, %(headers)s, %(body)s)
ON CONFLICT (principal, method, path, key) DO UPDATE SET status = excluded.status, headers = excluded.headers,
  body = excluded.body, body_hash = excluded.body_hash, locked_at = clock_timestamp()
"""
_OF_KEY: Final = "principal = %(principal)s AND method = %(method)s AND path = %(path)s AND key = %(key)s"


class Claim(NamedTuple):
    """One request as idempotency sees it."""

    principal: str
    method: str
    path: str
    key: str
    body_hash: bytes


class Stored(NamedTuple):
    """An answer: status, headers, body."""

    status: int
    headers: dict[str, str]
    body: bytes


async def find(connection: Connection, claim: Claim) -> Stored | None:
    """The stored answer, or None when this request must be carried out now; holds the key until the transaction ends.

    Raises: Rejected idempotency_in_flight (another request holds the key), idempotency_key_reused (other body).
    """
    name = "\x1f".join(claim[:4])
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 7)) AS held", [name])
    row = await cursor.fetchone()
    if row is None or not row["held"]:
        raise Rejected("idempotency_in_flight", "the first request with this key is still being answered")
    names = claim._asdict() | {"kept": KEPT, "taken": TAKEN_OVER_AFTER}
    found = await (await connection.execute(_FIND, names)).fetchone()
    if found is None:
        return None
    if found["forgotten"]:
        await release(connection, claim)
        return None
    if bytes(found["body_hash"]) != claim.body_hash:
        raise Rejected("idempotency_key_reused", "this key came with another body before")
    if found["status"] is not None:
        return Stored(found["status"], found["headers"] or {}, bytes(found["body"] or b""))
    if not found["stale"]:
        raise Rejected("idempotency_in_flight", "the first request with this key is still being answered")
    return None


async def save(connection: Connection, claim: Claim, answer: Stored | None) -> None:
    """Keep the answer; None marks the request as in flight from now on."""
    values = {
        "status": answer.status if answer else None,
        "headers": Jsonb(answer.headers) if answer else None,
        "body": answer.body if answer else None,
    }
    await connection.execute(_SAVE, claim._asdict() | values)


async def release(connection: Connection, claim: Claim) -> None:
    """Forget the key: the request did nothing and may come again."""
    await connection.execute(f"DELETE FROM platform.idempotency_keys WHERE {_OF_KEY}", claim._asdict())
