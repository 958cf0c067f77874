"""Alembic's entry. The connection is handed in by `storage.migrate`; locks are short so that a deploy never blocks."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from storage.tables import metadata
from storage.tables.base import SCHEMAS


def run(connection: Connection) -> None:
    connection.execute(text("SET lock_timeout = '4s'"))
    connection.execute(text("SET statement_timeout = '60s'"))
    for schema in SCHEMAS:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        version_table_schema="platform",
        include_name=lambda name, kind, _parent: kind != "schema" or name in SCHEMAS,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
