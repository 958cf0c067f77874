"""The schema as SQLAlchemy tables: the source for Alembic and for a test that compares both with the database."""

from storage.tables import copying, copytrade, exchange, ledger, liquidity, market, platform, portfolios, pricing
from storage.tables.base import metadata

__all__ = [
    "copying",
    "copytrade",
    "exchange",
    "ledger",
    "liquidity",
    "market",
    "metadata",
    "platform",
    "portfolios",
    "pricing",
]
