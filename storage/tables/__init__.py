"""The schema as SQLAlchemy tables: the source for Alembic and for a test that compares both with the database."""

from storage.tables import exchange, ledger, liquidity, market, platform, pricing
from storage.tables.base import metadata

__all__ = ["exchange", "ledger", "liquidity", "market", "metadata", "platform", "pricing"]
