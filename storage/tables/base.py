"""Metadata, naming convention and the few column shorthands used by every table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, MetaData, Numeric, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ENUM

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SCHEMAS = ("platform", "exchange", "copytrade", "launchpad")


def uuid_key() -> Column[Any]:
    """Primary key: a UUIDv7 made by the writer, so that ids sort by time."""
    return Column("id", Uuid, primary_key=True)


def at(name: str, *, default: bool = False, nullable: bool = True, index: bool = False) -> Column[Any]:
    """A moment in UTC. With `default`, the database's clock at the start of the statement."""
    if default:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp(), index=index)
    return Column(name, DateTime(timezone=True), nullable=nullable, index=index)


def created_at() -> Column[Any]:
    return at("created_at", default=True)


def micros(name: str, *, nullable: bool = False, default: int | None = None) -> Column[Any]:
    """USDC micros."""
    return Column(name, BigInteger, nullable=nullable, server_default=None if default is None else text(str(default)))


def uint256(name: str, *, nullable: bool = False) -> Column[Any]:
    """Anything the EVM can hold: wei, raw token amounts."""
    return Column(name, Numeric(78, 0), nullable=nullable)


def words(name: str, *, nullable: bool = False, default: str | None = None, **kw: Any) -> Column[Any]:
    return Column(name, Text, nullable=nullable, server_default=default, **kw)


def choice(name: str, schema: str, *values: str) -> ENUM:
    """A native enum type."""
    return ENUM(*values, name=name, schema=schema, metadata=metadata)


def atto(name: str, *, default: int | None = None, nullable: bool = False) -> Column[Any]:
    """Shares in units of 10^-18, and other wide integers."""
    server_default = None if default is None else text(str(default))
    return Column(name, Numeric(38, 0), nullable=nullable, server_default=server_default)


def of_asset(*, index: bool = False) -> Column[Any]:
    return Column("asset_id", Uuid, ForeignKey("exchange.assets.id"), nullable=False, index=index)


def of_account(*, index: bool = False) -> Column[Any]:
    return Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=index)


def of_operation() -> Column[Any]:
    return Column("operation_id", Uuid, ForeignKey("platform.operations.id"), nullable=True, index=True)
