"""The rules of copying, versioned. Whoever changes a part writes the merged whole in the same transaction.

So the next decision follows the change, and no reader ever merges (ADR 0017).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from domain.copytrade.config import CopyConfig, Override, effective
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.events import audit

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('copytrade.config', 0))"
_NEWEST_PART: Final = """
SELECT version, config FROM copytrade.config_versions WHERE followed_user_id IS NOT DISTINCT FROM %s
ORDER BY version DESC LIMIT 1
"""
_NEWEST: Final = """
SELECT version, config FROM copytrade.effective_configs WHERE followed_user_id IS NOT DISTINCT FROM %s
ORDER BY version DESC LIMIT 1
"""
_ADD_PART: Final = """
INSERT INTO copytrade.config_versions (scope, followed_user_id, config, actor, reason)
VALUES (%s, %s, %s, %s, %s) RETURNING version
"""
_ADD: Final = """
INSERT INTO copytrade.effective_configs (followed_user_id, general_version, user_version, config)
VALUES (%s, %s, %s, %s) RETURNING version
"""


class Versioned(NamedTuple):
    version: int
    config: CopyConfig


async def newest(connection: Connection, user_id: str | None) -> Versioned:
    """The rules in force for a followed user; None: the general ones, which always exist."""
    row = await (await connection.execute(_NEWEST, [user_id])).fetchone()
    if row is None:
        raise Rejected("not_found", "no such followed user")
    return Versioned(row["version"], CopyConfig.model_validate(row["config"]))


async def override_of(connection: Connection, user_id: str) -> Override:
    """The keys that a user's rules have of their own."""
    row = await (await connection.execute(_NEWEST_PART, [user_id])).fetchone()
    return {} if row is None else dict(row["config"])


async def change_general(connection: Connection, changes: Override, *, actor: str, reason: str) -> int:
    """Put these keys over the general rules, for every followed user. Returns the version now in force.

    Raises: Rejected validation_failed (for a user too, whose own keys no longer fit).
    """
    await connection.execute(_LOCK)
    part = await (await connection.execute(_NEWEST_PART, [None])).fetchone()
    assert part is not None
    general = _merged(CopyConfig.model_validate(part["config"]), changes)
    row = await (
        await connection.execute(_ADD_PART, ["GLOBAL", None, Jsonb(general.model_dump()), actor, reason])
    ).fetchone()
    assert row is not None
    await audit(connection, actor, "copy_rules_changed", "general", reason=reason, version=row["version"])
    version = await _materialise(connection, None, row["version"], None, general)
    users = await connection.execute("SELECT id FROM copytrade.followed_users WHERE unfollowed_at IS NULL ORDER BY id")
    for user in await users.fetchall():
        await follow_general(connection, str(user["id"]))
    return version


async def change_user(connection: Connection, user_id: str, override: Override, *, actor: str, reason: str) -> int:
    """Give a user these keys of its own and no others; what is absent is inherited. Returns the version now in force.

    Raises: Rejected validation_failed.
    """
    await connection.execute(_LOCK)
    sections = {name: dict(keys) for name, keys in override.items()}
    part = await (await connection.execute(_ADD_PART, ["USER", user_id, Jsonb(sections), actor, reason])).fetchone()
    assert part is not None
    await audit(connection, actor, "copy_rules_changed", user_id, reason=reason, version=part["version"])
    return await follow_general(connection, user_id)


async def follow_general(connection: Connection, user_id: str) -> int:
    """Merge a user's rules anew and keep the result. Returns its version."""
    general = await (await connection.execute(_NEWEST_PART, [None])).fetchone()
    own = await (await connection.execute(_NEWEST_PART, [user_id])).fetchone()
    assert general is not None
    merged = _merged(CopyConfig.model_validate(general["config"]), own["config"] if own else {})
    return await _materialise(connection, user_id, general["version"], own["version"] if own else None, merged)


async def _materialise(
    connection: Connection, user_id: str | None, general: int, own: int | None, config: CopyConfig
) -> int:
    row = await (await connection.execute(_ADD, [user_id, general, own, Jsonb(config.model_dump())])).fetchone()
    assert row is not None
    return int(row["version"])


def _merged(general: CopyConfig, changes: Mapping[str, Any]) -> CopyConfig:
    try:
        return effective(general, changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/" + "/".join(str(part) for part in first["loc"])
        raise Rejected("validation_failed", first["msg"], pointer=place) from error
