"""copytrade

Revision: 0003   After: 0002
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_checkpoints")),
        schema="copytrade",
    )
    op.create_table(
        "mark_prices",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("bucket_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mark_micros", sa.BigInteger(), nullable=False),
        sa.Column(
            "source",
            postgresql.ENUM("mid", "last_trade", "payout", "cost", name="mark_source", schema="copytrade"),
            nullable=False,
        ),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("token_id", "bucket_time", name=op.f("pk_mark_prices")),
        schema="copytrade",
    )
    op.create_table(
        "markets",
        sa.Column("condition_id", sa.Text(), nullable=False),
        sa.Column("gamma_id", sa.Text(), server_default="", nullable=False),
        sa.Column("slug", sa.Text(), server_default="", nullable=False),
        sa.Column("question", sa.Text(), server_default="", nullable=False),
        sa.Column("event_id", sa.Text(), server_default="", nullable=False),
        sa.Column("neg_risk", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("neg_risk_market_id", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("accepting_orders", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("tick_micros", sa.BigInteger(), nullable=True),
        sa.Column("min_order_micros", sa.BigInteger(), nullable=True),
        sa.Column("fee_rate_ppm", sa.Integer(), nullable=True),
        sa.Column("fee_exponent", sa.Integer(), nullable=True),
        sa.Column("fee_takers_only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("blacklisted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("resolution_status", sa.Text(), server_default="", nullable=False),
        sa.Column("payouts", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("condition_id", name=op.f("pk_markets")),
        schema="copytrade",
    )
    op.create_index(op.f("ix_markets_closes_at"), "markets", ["closes_at"], unique=False, schema="copytrade")
    op.create_index("ix_markets_event_id", "markets", ["event_id"], unique=False, schema="copytrade")
    op.create_table(
        "outcome_assets",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("condition_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["condition_id"], ["copytrade.markets.condition_id"], name=op.f("fk_outcome_assets_condition_id_markets")
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_outcome_assets")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_outcome_assets_condition_id"), "outcome_assets", ["condition_id"], unique=False, schema="copytrade"
    )
    op.create_table(
        "followed_users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("profile_wallet", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "mode",
            postgresql.ENUM("full", "reduce_only", "off", name="follow_mode", schema="copytrade"),
            server_default=sa.text("'full'"),
            nullable=False,
        ),
        sa.Column(
            "leg_policy",
            postgresql.ENUM("sell_held", "hold", "skip", name="leg_policy", schema="copytrade"),
            server_default=sa.text("'hold'"),
            nullable=False,
        ),
        sa.Column("bankroll_micros", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("followed_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("baseline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unfollowed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_followed_users_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followed_users")),
        sa.UniqueConstraint("profile_wallet", name=op.f("uq_followed_users_profile_wallet")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_followed_users_operation_id"), "followed_users", ["operation_id"], unique=False, schema="copytrade"
    )
    op.create_table(
        "activity_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "source",
            postgresql.ENUM(
                "POLYMARKET_API", "POLYMARKET_CHAIN", "POLYMARKET_POSITIONS", name="event_source", schema="copytrade"
            ),
            nullable=False,
        ),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("is_canonical", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("condition_id", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("share_micros", sa.BigInteger(), nullable=False),
        sa.Column("usdc_micros", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detect_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("baseline", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("backfilled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_activity_events_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_events")),
        sa.UniqueConstraint("ordinal", name=op.f("uq_activity_events_ordinal")),
        sa.UniqueConstraint("source", "source_id", name=op.f("uq_activity_events_source_source_id")),
        schema="copytrade",
    )
    op.create_index("ix_activity_events_tx_hash", "activity_events", ["tx_hash"], unique=False, schema="copytrade")
    op.create_index(
        "ix_activity_events_user",
        "activity_events",
        ["followed_user_id", "event_time"],
        unique=False,
        schema="copytrade",
    )
    op.create_table(
        "backfills",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_backfills_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfills")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_backfills_followed_user_id"), "backfills", ["followed_user_id"], unique=False, schema="copytrade"
    )
    op.create_table(
        "chain_logs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("token_id", sa.Text(), server_default="", nullable=False),
        sa.Column("condition_id", sa.Text(), server_default="", nullable=False),
        sa.Column("side", postgresql.ENUM("BUY", "SELL", name="trade_side", schema="copytrade"), nullable=True),
        sa.Column("share_micros", sa.BigInteger(), nullable=False),
        sa.Column("usdc_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mismatch", sa.Text(), nullable=True),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_chain_logs_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_logs")),
        sa.UniqueConstraint(
            "tx_hash", "log_index", "block_hash", name=op.f("uq_chain_logs_tx_hash_log_index_block_hash")
        ),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_chain_logs_followed_user_id"), "chain_logs", ["followed_user_id"], unique=False, schema="copytrade"
    )
    op.create_index("ix_chain_logs_arrived_at", "chain_logs", ["arrived_at"], unique=False, schema="copytrade")
    op.create_index("ix_chain_logs_wallet", "chain_logs", ["wallet", "block_number"], unique=False, schema="copytrade")
    op.create_table(
        "config_tests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=True),
        sa.Column("done", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_config_tests_followed_user_id_followed_users"),
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_config_tests_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_config_tests")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_config_tests_followed_user_id"), "config_tests", ["followed_user_id"], unique=False, schema="copytrade"
    )
    op.create_index(
        op.f("ix_config_tests_operation_id"), "config_tests", ["operation_id"], unique=False, schema="copytrade"
    )
    op.create_table(
        "config_versions",
        sa.Column("version", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("scope", postgresql.ENUM("GLOBAL", "USER", name="config_scope", schema="copytrade"), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=True),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("(scope = 'GLOBAL') = (followed_user_id IS NULL)", name=op.f("ck_config_versions_scope")),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_config_versions_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_config_versions")),
        schema="copytrade",
    )
    op.create_index(
        "ix_config_versions_user", "config_versions", ["followed_user_id", "version"], unique=False, schema="copytrade"
    )
    op.create_table(
        "effective_configs",
        sa.Column("version", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=True),
        sa.Column("general_version", sa.BigInteger(), nullable=False),
        sa.Column("user_version", sa.BigInteger(), nullable=True),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_effective_configs_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_effective_configs")),
        schema="copytrade",
    )
    op.create_index(
        "ix_effective_configs_user",
        "effective_configs",
        ["followed_user_id", "version"],
        unique=False,
        schema="copytrade",
    )
    op.create_table(
        "event_groups",
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            postgresql.ENUM(
                "BUY", "SELL", "SPLIT", "MERGE", "REDEEM", "CONVERSION", name="group_kind", schema="copytrade"
            ),
            nullable=False,
        ),
        sa.Column("condition_id", sa.Text(), nullable=False),
        sa.Column("token_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detect_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("jitter_ms", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("share_micros", sa.BigInteger(), nullable=False),
        sa.Column("notional_micros", sa.BigInteger(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("usdc_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("fills", sa.Integer(), nullable=False),
        sa.Column(
            "source_type",
            postgresql.ENUM("IMMEDIATE", "BUFFER", "AGGREGATOR", name="copy_source", schema="copytrade"),
            server_default=sa.text("'AGGREGATOR'"),
            nullable=False,
        ),
        sa.Column("buffered_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("global_decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_event_groups_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("group_key", name=op.f("pk_event_groups")),
        schema="copytrade",
    )
    op.create_index(
        "ix_event_groups_global_undecided",
        "event_groups",
        ["detect_time", "group_key"],
        unique=False,
        schema="copytrade",
        postgresql_where=sa.text("global_decided_at IS NULL"),
    )
    op.create_index(
        "ix_event_groups_order", "event_groups", ["detect_time", "group_key"], unique=False, schema="copytrade"
    )
    op.create_index(
        "ix_event_groups_undispatched",
        "event_groups",
        ["due_at"],
        unique=False,
        schema="copytrade",
        postgresql_where=sa.text("dispatched_at IS NULL"),
    )
    op.create_index(
        "ix_event_groups_user", "event_groups", ["followed_user_id", "detect_time"], unique=False, schema="copytrade"
    )
    op.create_index(
        "ix_event_groups_user_undecided",
        "event_groups",
        ["followed_user_id", "detect_time", "group_key"],
        unique=False,
        schema="copytrade",
        postgresql_where=sa.text("user_decided_at IS NULL"),
    )
    op.create_table(
        "followed_wallets",
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_followed_wallets_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("wallet", name=op.f("pk_followed_wallets")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_followed_wallets_followed_user_id"),
        "followed_wallets",
        ["followed_user_id"],
        unique=False,
        schema="copytrade",
    )
    op.create_table(
        "portfolios",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "portfolio_scope",
            postgresql.ENUM("SHADOW_USER", "EXEC_USER", "EXEC_GLOBAL", name="portfolio_scope", schema="copytrade"),
            nullable=False,
        ),
        sa.Column("followed_user_id", sa.Uuid(), nullable=True),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cash_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("contributed_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("realized_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fees_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("peak_pnl_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("drawdown_latched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("watched_peak_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("watched_latched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drawdown_reset_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_portfolios_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portfolios")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_portfolios_followed_user_id"), "portfolios", ["followed_user_id"], unique=False, schema="copytrade"
    )
    op.create_index(
        "uq_portfolios_scope",
        "portfolios",
        ["portfolio_scope", "followed_user_id"],
        unique=True,
        schema="copytrade",
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "shadow_drifts",
        sa.Column("followed_user_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("shadow_micros", sa.BigInteger(), nullable=False),
        sa.Column("venue_micros", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_shadow_drifts_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("followed_user_id", "token_id", name=op.f("pk_shadow_drifts")),
        schema="copytrade",
    )
    op.create_table(
        "trade_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "source",
            postgresql.ENUM(
                "POLYMARKET_API", "POLYMARKET_CHAIN", "POLYMARKET_POSITIONS", name="event_source", schema="copytrade"
            ),
            nullable=False,
        ),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("is_canonical", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("followed_user_id", sa.Uuid(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("condition_id", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("side", postgresql.ENUM("BUY", "SELL", name="trade_side", schema="copytrade"), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("share_micros", sa.BigInteger(), nullable=False),
        sa.Column("notional_micros", sa.BigInteger(), nullable=False),
        sa.Column("usdc_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detect_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("baseline", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("backfilled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["condition_id"], ["copytrade.markets.condition_id"], name=op.f("fk_trade_events_condition_id_markets")
        ),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_trade_events_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trade_events")),
        sa.UniqueConstraint("ordinal", name=op.f("uq_trade_events_ordinal")),
        sa.UniqueConstraint("source", "source_id", name=op.f("uq_trade_events_source_source_id")),
        schema="copytrade",
    )
    op.create_index(
        "ix_trade_events_market", "trade_events", ["condition_id", "event_time"], unique=False, schema="copytrade"
    )
    op.create_index(
        "ix_trade_events_token_id", "trade_events", ["token_id", "event_time"], unique=False, schema="copytrade"
    )
    op.create_index("ix_trade_events_tx_hash", "trade_events", ["tx_hash"], unique=False, schema="copytrade")
    op.create_index(
        "ix_trade_events_user", "trade_events", ["followed_user_id", "event_time"], unique=False, schema="copytrade"
    )
    op.create_index(
        "ix_trade_events_wallet", "trade_events", ["wallet", "event_time"], unique=False, schema="copytrade"
    )
    op.create_table(
        "activity_applications",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            postgresql.ENUM(
                "applied", "waiting", "not_applicable", "ignored", name="application_state", schema="copytrade"
            ),
            nullable=False,
        ),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("legs", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("cash_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["copytrade.activity_events.id"],
            name=op.f("fk_activity_applications_event_id_activity_events"),
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_activity_applications")),
        schema="copytrade",
    )
    op.create_index(
        "ix_activity_applications_waiting",
        "activity_applications",
        ["looked_at"],
        unique=False,
        schema="copytrade",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "copy_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "portfolio_scope",
            postgresql.ENUM("SHADOW_USER", "EXEC_USER", "EXEC_GLOBAL", name="portfolio_scope", schema="copytrade"),
            nullable=False,
        ),
        sa.Column("followed_user_id", sa.Uuid(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column(
            "decision", postgresql.ENUM("EXECUTE", "SKIP", name="copy_decision", schema="copytrade"), nullable=False
        ),
        sa.Column("reason_codes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("target_notional_micros", sa.BigInteger(), nullable=False),
        sa.Column("filled_notional_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("filled_share_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("filled_ratio_bps", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("vwap_price_micros", sa.BigInteger(), nullable=True),
        sa.Column("fee_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("their_reference_price_micros", sa.BigInteger(), nullable=False),
        sa.Column("mid_price_micros_at_decision", sa.BigInteger(), nullable=True),
        sa.Column("slippage_micros", sa.BigInteger(), nullable=True),
        sa.Column("clamped", sa.Text(), server_default="", nullable=False),
        sa.Column("detect_lag_ms", sa.BigInteger(), nullable=False),
        sa.Column("copy_lag_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "source_type",
            postgresql.ENUM("IMMEDIATE", "BUFFER", "AGGREGATOR", name="copy_source", schema="copytrade"),
            server_default=sa.text("'AGGREGATOR'"),
            nullable=False,
        ),
        sa.Column("buffered_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("out_of_order", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("guards", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sizing", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("portfolio", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("config_version", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "decision = 'EXECUTE' OR cardinality(reason_codes) > 0", name=op.f("ck_copy_attempts_skip_has_reasons")
        ),
        sa.CheckConstraint("filled_ratio_bps BETWEEN 0 AND 10000", name=op.f("ck_copy_attempts_filled_ratio_bps")),
        sa.ForeignKeyConstraint(
            ["followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_copy_attempts_followed_user_id_followed_users"),
        ),
        sa.ForeignKeyConstraint(
            ["group_key"], ["copytrade.event_groups.group_key"], name=op.f("fk_copy_attempts_group_key_event_groups")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_copy_attempts")),
        sa.UniqueConstraint("ordinal", name=op.f("uq_copy_attempts_ordinal")),
        schema="copytrade",
    )
    op.create_index("ix_copy_attempts_group_key", "copy_attempts", ["group_key"], unique=False, schema="copytrade")
    op.create_index(
        "ix_copy_attempts_scope", "copy_attempts", ["portfolio_scope", "created_at"], unique=False, schema="copytrade"
    )
    op.create_index(
        "ix_copy_attempts_user", "copy_attempts", ["followed_user_id", "created_at"], unique=False, schema="copytrade"
    )
    op.create_index(
        "uq_copy_attempts_group",
        "copy_attempts",
        ["portfolio_scope", "followed_user_id", "group_key"],
        unique=True,
        schema="copytrade",
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "group_inputs",
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lateness_us", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("book", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("book_source", sa.Text(), server_default="rest", nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("config_version", sa.BigInteger(), nullable=False),
        sa.Column("general_version", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["group_key"], ["copytrade.event_groups.group_key"], name=op.f("fk_group_inputs_group_key_event_groups")
        ),
        sa.PrimaryKeyConstraint("group_key", name=op.f("pk_group_inputs")),
        schema="copytrade",
    )
    op.create_table(
        "group_members",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["group_key"], ["copytrade.event_groups.group_key"], name=op.f("fk_group_members_group_key_event_groups")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_group_members")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_group_members_group_key"), "group_members", ["group_key"], unique=False, schema="copytrade"
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("source_followed_user_id", sa.Uuid(), nullable=True),
        sa.Column(
            "entry_type",
            postgresql.ENUM(
                "TRADE_FILL",
                "MERGE",
                "SPLIT",
                "REDEEM",
                "CONVERSION",
                "FEE",
                "MARK",
                "SETTLEMENT",
                "DEPOSIT",
                "CLOSE",
                name="ledger_entry_type",
                schema="copytrade",
            ),
            nullable=False,
        ),
        sa.Column("ref_id", sa.Text(), nullable=False),
        sa.Column("condition_id", sa.Text(), server_default="", nullable=False),
        sa.Column("token_id", sa.Text(), server_default="", nullable=False),
        sa.Column("share_delta_micros", sa.BigInteger(), nullable=False),
        sa.Column("cash_delta_micros", sa.BigInteger(), nullable=False),
        sa.Column("cost_delta_micros", sa.BigInteger(), nullable=False),
        sa.Column("realized_micros", sa.BigInteger(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["copytrade.portfolios.id"], name=op.f("fk_ledger_entries_portfolio_id_portfolios")
        ),
        sa.ForeignKeyConstraint(
            ["source_followed_user_id"],
            ["copytrade.followed_users.id"],
            name=op.f("fk_ledger_entries_source_followed_user_id_followed_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        schema="copytrade",
    )
    op.create_index(
        "ix_ledger_entries_event_time",
        "ledger_entries",
        ["portfolio_id", "event_time"],
        unique=False,
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_ledger_entries_source_followed_user_id"),
        "ledger_entries",
        ["source_followed_user_id"],
        unique=False,
        schema="copytrade",
    )
    op.create_index(
        "ix_ledger_entries_token_id", "ledger_entries", ["token_id", "id"], unique=False, schema="copytrade"
    )
    op.create_index(
        "uq_ledger_entries_ref",
        "ledger_entries",
        ["portfolio_id", "ref_id", "entry_type", "token_id", "epoch"],
        unique=True,
        schema="copytrade",
    )
    op.create_table(
        "portfolio_hours",
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("bucket_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("equity_micros", sa.BigInteger(), nullable=False),
        sa.Column("cash_micros", sa.BigInteger(), nullable=False),
        sa.Column("exposure_micros", sa.BigInteger(), nullable=False),
        sa.Column("unrealized_pnl_micros", sa.BigInteger(), nullable=False),
        sa.Column("realized_pnl_micros", sa.BigInteger(), nullable=False),
        sa.Column("contributed_micros", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["copytrade.portfolios.id"], name=op.f("fk_portfolio_hours_portfolio_id_portfolios")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "bucket_time", name=op.f("pk_portfolio_hours")),
        schema="copytrade",
    )
    op.create_table(
        "portfolio_snapshots",
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("bucket_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("equity_micros", sa.BigInteger(), nullable=False),
        sa.Column("cash_micros", sa.BigInteger(), nullable=False),
        sa.Column("exposure_micros", sa.BigInteger(), nullable=False),
        sa.Column("unrealized_pnl_micros", sa.BigInteger(), nullable=False),
        sa.Column("realized_pnl_micros", sa.BigInteger(), nullable=False),
        sa.Column("contributed_micros", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["copytrade.portfolios.id"], name=op.f("fk_portfolio_snapshots_portfolio_id_portfolios")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "bucket_time", name=op.f("pk_portfolio_snapshots")),
        schema="copytrade",
    )
    op.create_table(
        "paper_closes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("share_micros", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM("requested", "closed", "rejected", name="paper_close_status", schema="copytrade"),
            server_default=sa.text("'requested'"),
            nullable=False,
        ),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("book", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filled_share_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("filled_notional_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("vwap_price_micros", sa.BigInteger(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_paper_closes_operation_id_operations")
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["copytrade.portfolios.id"], name=op.f("fk_paper_closes_portfolio_id_portfolios")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["platform.accounts.id"], name=op.f("fk_paper_closes_requested_by_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_closes")),
        schema="copytrade",
    )
    for column in ("operation_id", "portfolio_id", "requested_by"):
        op.create_index(op.f(f"ix_paper_closes_{column}"), "paper_closes", [column], unique=False, schema="copytrade")
    op.create_table(
        "positions",
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("condition_id", sa.Text(), nullable=False),
        sa.Column("share_micros", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("realized_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("settled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["copytrade.portfolios.id"], name=op.f("fk_positions_portfolio_id_portfolios")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "token_id", name=op.f("pk_positions")),
        schema="copytrade",
    )
    op.create_index(
        "ix_positions_held",
        "positions",
        ["token_id"],
        unique=False,
        schema="copytrade",
        postgresql_where=sa.text("share_micros <> 0"),
    )
    op.create_table(
        "snapshot_rebuilds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("by_event_time", sa.Boolean(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("at_portfolio_id", sa.Uuid(), nullable=True),
        sa.Column("at_minute", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snapshots", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_snapshot_rebuilds_operation_id_operations")
        ),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["copytrade.portfolios.id"], name=op.f("fk_snapshot_rebuilds_portfolio_id_portfolios")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["platform.accounts.id"], name=op.f("fk_snapshot_rebuilds_requested_by_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot_rebuilds")),
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_snapshot_rebuilds_operation_id"),
        "snapshot_rebuilds",
        ["operation_id"],
        unique=False,
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_snapshot_rebuilds_portfolio_id"),
        "snapshot_rebuilds",
        ["portfolio_id"],
        unique=False,
        schema="copytrade",
    )
    op.create_index(
        op.f("ix_snapshot_rebuilds_requested_by"),
        "snapshot_rebuilds",
        ["requested_by"],
        unique=False,
        schema="copytrade",
    )
    op.create_table(
        "executable_fills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("copy_attempt_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("filled_share_micros", sa.BigInteger(), nullable=False),
        sa.Column("fill_price_micros", sa.BigInteger(), nullable=False),
        sa.Column("fill_notional_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["copy_attempt_id"],
            ["copytrade.copy_attempts.id"],
            name=op.f("fk_executable_fills_copy_attempt_id_copy_attempts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executable_fills")),
        schema="copytrade",
    )
    op.create_index(
        "uq_executable_fills_level", "executable_fills", ["copy_attempt_id", "level"], unique=True, schema="copytrade"
    )
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; see docs/how_to/migrations.md")
