"""The schema as SQLAlchemy tables: the source for Alembic and for a test that compares both with the database."""

from storage.tables import (
    copying,
    copytrade,
    exchange,
    launchpad,
    ledger,
    liquidity,
    market,
    platform,
    portfolios,
    pricing,
    sales,
)
from storage.tables.base import metadata

__all__ = [
    "copying",
    "copytrade",
    "exchange",
    "launchpad",
    "ledger",
    "liquidity",
    "market",
    "metadata",
    "platform",
    "portfolios",
    "pricing",
    "sales",
]
