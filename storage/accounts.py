"""Accounts, API keys and sessions: who may ask. Secrets are stored as sha256 (keys, sessions) or argon2id (passwords).

A key has 256 random bits, so a plain hash of it cannot be searched; a password has not, hence argon2.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import psycopg

from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.database import Connection, Pool, transaction
from storage.events import audit, emit, new_id
from storage.reads.base import reading

KEY_PREFIX: Final = "hf_"
BOOTSTRAP_NAME: Final = "operator bootstrap"
_BOOTSTRAP_LOCK: Final = 7_200_020
_PREFIX_LENGTH: Final = 11
_TOUCH_AFTER: Final = "1 minute"

_BY_KEY = """
SELECT k.id AS key_id, k.scopes, k.last_used_at IS NULL OR k.last_used_at < now() - %(touch)s::interval AS stale,
       a.id AS account_id, a.name, a.role::text AS role
FROM platform.api_keys k JOIN platform.accounts a ON a.id = k.account_id
WHERE k.key_hash = %(hash)s AND k.revoked_at IS NULL AND NOT a.disabled
  AND (k.expires_at IS NULL OR k.expires_at > now())
"""
_BY_SESSION = """
SELECT s.csrf_token, a.id AS account_id, a.name, a.role::text AS role
FROM platform.sessions s JOIN platform.accounts a ON a.id = s.account_id
WHERE s.token_hash = %s AND s.expires_at > now() AND NOT a.disabled
"""


def new_key() -> str:
    """A fresh API key: `hf_` and 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a key or a session token."""
    return hashlib.sha256(secret.encode()).digest()


async def find_key(reads: Pool, writes: Pool, api_key: str) -> dict[str, Any] | None:
    """The account and scopes behind a valid key, or None. Notes the use, at most once a minute."""
    async with reading(reads) as connection:
        cursor = await connection.execute(_BY_KEY, {"hash": digest(api_key), "touch": _TOUCH_AFTER})
        row = await cursor.fetchone()
    if row is not None and row["stale"]:
        async with transaction(writes) as connection:
            await connection.execute("UPDATE platform.api_keys SET last_used_at = now() WHERE id = %s", [row["key_id"]])
    return row


async def find_session(reads: Pool, token: str) -> dict[str, Any] | None:
    """The account behind a session token that has not expired, or None."""
    async with reading(reads) as connection:
        return await (await connection.execute(_BY_SESSION, [digest(token)])).fetchone()


async def find_login(reads: Pool, email: str) -> dict[str, Any] | None:
    """Id, role and password hash of the enabled account with this e-mail, or None."""
    async with reading(reads) as connection:
        cursor = await connection.execute(
            """SELECT id AS account_id, name, role::text AS role, password_hash FROM platform.accounts
               WHERE lower(email) = lower(%s) AND NOT disabled AND password_hash IS NOT NULL""",
            [email],
        )
        return await cursor.fetchone()


async def open_session(writes: Pool, account_id: str, hours: int) -> tuple[str, str, datetime]:
    """Start a session; return its token (for the cookie alone), its CSRF token and its end."""
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    async with transaction(writes) as connection:
        await connection.execute("DELETE FROM platform.sessions WHERE expires_at < now()")
        cursor = await connection.execute(
            """INSERT INTO platform.sessions (token_hash, account_id, csrf_token, expires_at)
               VALUES (%s, %s, %s, now() + make_interval(hours => %s)) RETURNING expires_at""",
            [digest(token), account_id, csrf, hours],
        )
        row = await cursor.fetchone()
        await audit(connection, account_id, "login", account_id)
    assert row is not None
    return token, csrf, row["expires_at"]


async def close_session(writes: Pool, token: str) -> None:
    """End a session; unknown ones are left alone."""
    async with transaction(writes) as connection:
        await connection.execute("DELETE FROM platform.sessions WHERE token_hash = %s", [digest(token)])


async def add_account(
    connection: Connection, *, principal: str, name: str, role: str, email: str | None, password_hash: str | None
) -> str:
    """Insert an account and tell who did it; return its id.

    Raises: Rejected email_taken.
    """
    account_id = new_id()
    try:
        await connection.execute(
            """INSERT INTO platform.accounts (id, name, role, email, password_hash)
               VALUES (%s, %s, %s::platform.account_role, %s, %s)""",
            [account_id, name, role, email, password_hash],
        )
    except psycopg.errors.UniqueViolation as error:
        raise Rejected("email_taken", "another account uses this e-mail") from error
    await audit(connection, principal, "account_created", account_id, role=role)
    payload: dict[str, str | int | bool | None] = {"id": account_id, "role": role}
    await emit(connection, Event(topic="accounts", type="account_created", account_id=account_id, payload=payload))
    return account_id


async def add_key(
    connection: Connection,
    *,
    principal: str,
    account_id: str,
    api_key: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
) -> str:
    """Insert a key (its hash); return the key's id."""
    key_id = new_id()
    await connection.execute(
        """INSERT INTO platform.api_keys (id, account_id, key_hash, prefix, scopes, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        [key_id, account_id, digest(api_key), api_key[:_PREFIX_LENGTH], sorted(scopes), expires_at],
    )
    await audit(connection, principal, "api_key_created", account_id, key_id=key_id, scopes=sorted(scopes))
    return key_id


async def revoke_key(connection: Connection, *, principal: str, account_id: str, key_id: str) -> bool:
    """Revoke a key for good; False when the account has no such key. Revoking twice changes nothing."""
    cursor = await connection.execute(
        """UPDATE platform.api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp())
           WHERE id = %s AND account_id = %s RETURNING id""",
        [key_id, account_id],
    )
    if await cursor.fetchone() is None:
        return False
    await audit(connection, principal, "api_key_revoked", account_id, key_id=key_id)
    return True


async def ensure_admin(pool: Pool, api_key: str) -> str:
    """Make `api_key` an administrator's key; return the account's id. Safe to repeat, also by two at once.

    For the command line alone: this is how the first key of an installation comes to be.
    """
    async with transaction(pool) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_BOOTSTRAP_LOCK])
        cursor = await connection.execute(
            "SELECT account_id FROM platform.api_keys WHERE key_hash = %s", [digest(api_key)]
        )
        row = await cursor.fetchone()
        if row is not None:
            return str(row["account_id"])
        cursor = await connection.execute(
            "SELECT id FROM platform.accounts WHERE name = %s AND role = 'admin' ORDER BY id LIMIT 1",
            [BOOTSTRAP_NAME],
        )
        row = await cursor.fetchone()
        account_id = (
            str(row["id"])
            if row is not None
            else await add_account(
                connection, principal="bootstrap", name=BOOTSTRAP_NAME, role="admin", email=None, password_hash=None
            )
        )
        await add_key(
            connection, principal="bootstrap", account_id=account_id, api_key=api_key, scopes=sorted(ADMIN_SCOPES)
        )
        return account_id


ADMIN_SCOPES: Final = (
    "accounts:write",
    "approvals:write",
    "copytrade:read",
    "copytrade:write",
    "exchange:read",
    "exchange:trade",
    "exchange:withdraw",
    "launchpad:read",
    "launchpad:write",
    "system:read",
    "system:write",
    "webhooks:write",
)
"""Same list as api.http.scopes.EVERY (a test compares them); storage does not know the API."""
