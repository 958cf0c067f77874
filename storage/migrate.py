"""Bring the database to the newest revision, or say what is missing. One migrator at a time (advisory lock)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

ROOT = Path(__file__).parent
_LOCK = 7_200_001


def engine(dsn: str) -> Engine:
    """A plain synchronous engine for a libpq DSN."""
    return create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1))


def config(connection: Connection | None = None) -> Config:
    settings = Config(ROOT.parent / "alembic.ini")
    settings.attributes["connection"] = connection
    return settings


def upgrade(dsn: str) -> list[str]:
    """Apply what is missing; return the revisions applied, oldest first."""
    source = engine(dsn)
    with source.connect() as guard, source.connect() as connection:
        guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        todo = pending(dsn)
        if todo:
            command.upgrade(config(connection), "head")
    source.dispose()
    return todo


def pending(dsn: str) -> list[str]:
    """Revisions the code knows and the database lacks, oldest first. A database that a newer release has migrated lacks
    none: an older release runs on it."""
    source = engine(dsn)
    with source.connect() as connection:
        exists = connection.execute(text("SELECT to_regclass('platform.alembic_version')")).scalar()
        at = None
        if exists:
            at = MigrationContext.configure(
                connection, opts={"version_table_schema": "platform"}
            ).get_current_revision()
    source.dispose()
    script = ScriptDirectory.from_config(config())
    if at is not None and at not in {r.revision for r in script.walk_revisions()}:
        return []
    return [r.revision for r in reversed(list(script.iterate_revisions("head", at or "base")))]
