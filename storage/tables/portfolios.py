"""Copytrade: paper portfolios, their append-only ledger, positions, marks and snapshots."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import at, choice, created_at, metadata, micros, of_operation, uuid_key, words
from storage.tables.copying import portfolio_scope
from storage.tables.copytrade import SCHEMA, of_user

entry_type = choice(
    "ledger_entry_type",
    SCHEMA,
    *("TRADE_FILL", "MERGE", "SPLIT", "REDEEM", "CONVERSION", "FEE", "MARK", "SETTLEMENT", "DEPOSIT", "CLOSE"),
)
close_status = choice("paper_close_status", SCHEMA, "requested", "closed", "rejected")
mark_source = choice("mark_source", SCHEMA, "mid", "last_trade", "payout", "cost")


def of_portfolio(*, primary_key: bool = False) -> Column[str]:
    return Column("portfolio_id", Uuid, ForeignKey("copytrade.portfolios.id"), nullable=False, primary_key=primary_key)


# Whoever changes a portfolio locks its row first. Sums of its ledger since the last reset (`epoch`).
portfolios = Table(
    "portfolios",
    metadata,
    uuid_key(),
    Column("portfolio_scope", portfolio_scope, nullable=False),
    of_user(nullable=True, index=True),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    micros("cash_micros", default=0),
    # bankroll and paper cash put in, less what was taken out
    micros("contributed_micros", default=0),
    micros("realized_micros", default=0),
    micros("fees_micros", default=0),
    # of equity less contributions, since the drawdown was last reset; and when the limit was passed. By decisions only,
    # so that a replay comes out the same
    micros("peak_pnl_micros", default=0),
    at("drawdown_latched_at"),
    # the same by snapshots, every minute: a decision takes it over with its inputs (domain/copytrade/windows.py)
    micros("watched_peak_micros", default=0),
    at("watched_latched_at"),
    at("drawdown_reset_at"),
    at("opened_at", nullable=False),
    created_at(),
    Index(
        "uq_portfolios_scope",
        "portfolio_scope",
        "followed_user_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    schema=SCHEMA,
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    of_portfolio(),
    Column("epoch", Integer, nullable=False),
    # whose trade it copies, in EXEC_GLOBAL
    Column("source_followed_user_id", Uuid, ForeignKey("copytrade.followed_users.id"), index=True),
    Column("entry_type", entry_type, nullable=False),
    # a trade event, activity event, attempt, settlement or deposit
    words("ref_id"),
    words("condition_id", default=""),
    words("token_id", default=""),
    micros("share_delta_micros"),
    micros("cash_delta_micros"),
    # what it did to the cost of the position, and what it realised, at average cost
    micros("cost_delta_micros"),
    micros("realized_micros"),
    micros("price_micros", nullable=True),
    at("event_time", nullable=False),
    created_at(),
    Index("uq_ledger_entries_ref", "portfolio_id", "ref_id", "entry_type", "token_id", "epoch", unique=True),
    Index("ix_ledger_entries_event_time", "portfolio_id", "event_time"),
    Index("ix_ledger_entries_token_id", "token_id", "id"),
    schema=SCHEMA,
)

# Kept when empty: `settled` numbers the settlements of a token, so that one bought again is settled again.
positions = Table(
    "positions",
    metadata,
    of_portfolio(primary_key=True),
    Column("token_id", Text, primary_key=True),
    words("condition_id"),
    micros("share_micros"),
    micros("cost_micros"),
    micros("realized_micros", default=0),
    Column("settled", Integer, nullable=False, server_default=text("0")),
    at("updated_at", default=True),
    created_at(),
    Index("ix_positions_held", "token_id", postgresql_where=text("share_micros <> 0")),
    schema=SCHEMA,
)

mark_prices = Table(
    "mark_prices",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("bucket_time", at("bucket_time").type, primary_key=True),
    micros("mark_micros"),
    Column("source", mark_source, nullable=False),
    at("observed_at", nullable=False),
    created_at(),
    schema=SCHEMA,
)


def snapshot_table(name: str) -> Table:
    return Table(
        name,
        metadata,
        of_portfolio(primary_key=True),
        Column("bucket_time", at("bucket_time").type, primary_key=True),
        micros("equity_micros"),
        micros("cash_micros"),
        micros("exposure_micros"),
        micros("unrealized_pnl_micros"),
        micros("realized_pnl_micros"),
        micros("contributed_micros"),
        # positions without a mark: their cost stands in
        Column("unpriced", Integer, nullable=False, server_default=text("0")),
        Column("epoch", Integer, nullable=False),
        # the newest ledger entry it contains
        Column("ledger_id", BigInteger, nullable=False),
        created_at(),
        schema=SCHEMA,
    )


portfolio_snapshots = snapshot_table("portfolio_snapshots")
# minutes are kept for 30 days, hours for ever
portfolio_hours = snapshot_table("portfolio_hours")

# An operator's wish to have snapshots made again from the ledger, and how far it has come.
snapshot_rebuilds = Table(
    "snapshot_rebuilds",
    metadata,
    uuid_key(),
    # lines where they were booked, which gives what was stored; or where they happened
    Column("by_event_time", Boolean, nullable=False),
    # null: every portfolio
    Column("portfolio_id", Uuid, ForeignKey("copytrade.portfolios.id"), index=True),
    Column("requested_by", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=True),
    # the last portfolio worked on, and its newest minute that is written
    Column("at_portfolio_id", Uuid),
    at("at_minute"),
    Column("snapshots", BigInteger, nullable=False, server_default=text("0")),
    Column("changed", BigInteger, nullable=False, server_default=text("0")),
    at("finished_at"),
    of_operation(),
    created_at(),
    schema=SCHEMA,
)

# An operator's wish to sell a position at the book, as a paper order would have been filled; one book, kept.
paper_closes = Table(
    "paper_closes",
    metadata,
    uuid_key(),
    Column("portfolio_id", Uuid, ForeignKey("copytrade.portfolios.id"), nullable=False, index=True),
    words("token_id"),
    # null: all of it
    micros("share_micros", nullable=True),
    words("reason", default=""),
    Column("requested_by", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=True),
    Column("status", close_status, nullable=False, server_default=text("'requested'")),
    # the venue's own JSON, and the sorted book that was walked
    Column("raw", JSONB),
    Column("book", JSONB),
    at("received_at"),
    micros("filled_share_micros", default=0),
    micros("filled_notional_micros", default=0),
    micros("fee_micros", default=0),
    micros("vwap_price_micros", nullable=True),
    words("failure_code", nullable=True),
    at("decided_at"),
    of_operation(),
    created_at(),
    schema=SCHEMA,
)
