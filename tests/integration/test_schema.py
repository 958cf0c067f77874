"""The tables as written in Python, the migrated database, and the rules both must follow."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Float, Integer, Numeric, SmallInteger, Table, inspect
from sqlalchemy.types import Double

from storage.migrate import engine, pending, upgrade
from storage.tables import metadata
from storage.tables.base import SCHEMAS

TABLES = sorted(metadata.tables.values(), key=lambda table: str(table))
names = pytest.mark.parametrize("table", TABLES, ids=str)

PROJECTIONS = {"platform.balances", "platform.operation_steps", "platform.postings"}
"""Another row says when: a line is as old as its transfer, a balance as its lines, a step as its operation."""
CREATED = {"platform.operations": "started_at"}
"""Tables whose moment of creation has a name of its own."""


def keys_that_help(table: Table) -> Iterator[list[str]]:
    """Leading columns of every index over all rows."""
    yield [column.name for column in table.primary_key.columns]
    for index in table.indexes:
        if index.dialect_options["postgresql"]["where"] is None:
            yield [column.name for column in index.columns]
    for constraint in table.constraints:
        if constraint.__class__.__name__ == "UniqueConstraint":
            yield [column.name for column in constraint.columns]  # type: ignore[attr-defined]


def test_the_migrated_database_is_what_the_tables_say(database: str) -> None:
    source = engine(database)
    with source.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "version_table_schema": "platform",
                "include_name": lambda name, kind, _parent: kind != "schema" or name in SCHEMAS,
                "compare_type": True,
            },
        )
        assert compare_metadata(context, metadata) == []
    source.dispose()


def test_checks_are_the_same_on_both_sides(database: str) -> None:
    """Alembic does not compare CHECK constraints."""
    source = engine(database)
    for table in TABLES:
        ours = {c.name for c in table.constraints if c.__class__.__name__ == "CheckConstraint"}
        there = {c["name"] for c in inspect(source).get_check_constraints(table.name, table.schema)}
        assert ours == there, table
    source.dispose()


def test_migrating_again_changes_nothing(database: str) -> None:
    assert pending(database) == []
    assert upgrade(database) == []


def test_an_empty_database_misses_every_revision(postgres_empty: str) -> None:
    todo = pending(postgres_empty)
    assert todo
    assert upgrade(postgres_empty) == todo


@pytest.fixture
def postgres_empty(database: str) -> str:
    """A database of the same server without any table."""
    base, _, name = database.rpartition("/")
    name, mark, options = name.partition("?")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_empty")
    return f"{base}/{name}_empty{mark}{options}"


@names
def test_every_foreign_key_has_an_index(table: Table) -> None:
    """EX-004: without one, a delete or a join over the key reads the whole table."""
    for key in table.foreign_key_constraints:
        columns = [column.name for column in key.columns]
        assert any(leading[: len(columns)] == columns for leading in keys_that_help(table)) or partial_not_null(
            table, columns
        ), f"{table}: {columns}"


def partial_not_null(table: Table, columns: list[str]) -> bool:
    """An index over every row that has the key at all serves as well."""
    for index in table.indexes:
        where = index.dialect_options["postgresql"]["where"]
        if [c.name for c in index.columns] == columns and str(where) == f"{columns[0]} IS NOT NULL":
            return True
    return False


def test_every_foreign_key_of_the_database_has_an_index(database: str) -> None:
    """The same, asked of Postgres itself."""
    with psycopg.connect(database) as connection:
        found = connection.execute(
            """SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c
               WHERE c.contype = 'f' AND c.connamespace::regnamespace::text = ANY(%s) AND NOT EXISTS (
                 SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid
                   AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] = c.conkey)""",
            [list(SCHEMAS)],
        ).fetchall()
    assert found == []


@names
def test_every_table_says_since_when(table: Table) -> None:
    """EX-005."""
    if str(table) in PROJECTIONS:
        return
    column = table.columns.get(CREATED.get(str(table), "created_at"))
    assert column is not None, f"{table} has no created_at"
    assert not column.nullable
    assert column.server_default is not None, "the database's clock, not a writer's"
    assert column.type.timezone is True  # type: ignore[attr-defined]


@names
def test_money_and_counts_are_whole_numbers(table: Table) -> None:
    for column in table.columns:
        assert not isinstance(column.type, Float | Double), f"{table}.{column.name} can lose a unit"
        if isinstance(column.type, Numeric):
            assert (column.type.scale, column.type.asdecimal) == (0, True), f"{table}.{column.name}"
            least = 20 if table.schema == "launchpad" else 38  # a token of Solana is counted in 64 bits
            assert (column.type.precision or 0) >= least, f"{table}.{column.name} is narrower than what it counts"


def test_no_column_of_the_database_is_a_float(database: str) -> None:
    with psycopg.connect(database) as connection:
        found = connection.execute(
            """SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
               WHERE table_schema = ANY(%s) AND (data_type IN ('real', 'double precision', 'money')
                 OR (data_type = 'numeric' AND coalesce(numeric_scale, -1) <> 0)
                 OR data_type = 'timestamp without time zone')""",
            [list(SCHEMAS)],
        ).fetchall()
    assert found == []


@names
def test_names_are_plain_and_the_unit_comes_last(table: Table) -> None:
    assert table.name == table.name.lower()
    assert table.name.endswith("s") or table.name in ("audit_log", "outbox", "quarantine"), "tables are plural"
    assert table.schema in SCHEMAS
    for column in table.columns:
        assert column.name.replace("_", "").isalnum()
        assert column.name == column.name.lower()
        if column.name.endswith("_micros"):
            assert isinstance(column.type, BigInteger)
        if column.name.endswith("_wei"):
            assert isinstance(column.type, Numeric)
        if column.name.endswith("_at"):
            assert column.type.__class__.__name__ == "DateTime"
        if "block" in column.name and isinstance(column.type, Integer):
            assert isinstance(column.type, BigInteger), f"{table}.{column.name}: block numbers outgrow an int"
        assert not (isinstance(column.type, SmallInteger) and column.primary_key)


@names
def test_constraints_and_indexes_are_named_by_the_convention(table: Table) -> None:
    for index in table.indexes:
        prefix = "uq_" if index.unique else "ix_"
        assert str(index.name).startswith(prefix + table.name), index.name
        assert len(str(index.name)) <= 63
    for constraint in table.constraints:
        assert str(constraint.name).startswith(("pk_", "fk_", "uq_", "ck_")), constraint
        assert len(str(constraint.name)) <= 63


def test_books_and_audit_log_are_guarded(database: str) -> None:
    """The triggers live in SQL beside the migration: none may get lost."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            """SELECT tgrelid::regclass::text, tgname, tgdeferrable, tginitdeferred FROM pg_trigger
               WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'platform.%' AND tgenabled = 'O'"""
        ).fetchall()
    guards = {(table, name) for table, name, _, _ in rows}
    assert {
        ("platform.transfers", "append_only"),
        ("platform.postings", "append_only"),
        ("platform.audit_log", "append_only"),
        ("platform.transfers", "transfer_balanced"),
        ("platform.postings", "postings_summed"),
        ("platform.balances", "follow_postings"),
    } <= guards
    assert ("platform.transfers", "transfer_balanced", True, True) in rows, "checked when the transaction ends"
