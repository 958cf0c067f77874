"""market

Revision: 0002   After: 0001
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("used", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("resource", "day", name=op.f("pk_budgets")),
        schema="platform",
    )
    op.create_table(
        "outbox_cursors",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("after_xact", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("after_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_outbox_cursors")),
        schema="platform",
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM("funding", "active", "halted", "cancelled", name="asset_status", schema="exchange"),
            server_default="funding",
            nullable=False,
        ),
        sa.Column("p0_micros", sa.BigInteger(), nullable=False),
        sa.Column("k_atto", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("fee_bps", sa.Integer(), nullable=False),
        sa.Column("lp_part_bps", sa.Integer(), nullable=False),
        sa.Column("breaker_bps", sa.Integer(), nullable=False),
        sa.Column("soft_cap_micros", sa.BigInteger(), nullable=False),
        sa.Column("hard_cap_micros", sa.BigInteger(), nullable=False),
        sa.Column("funding_deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("oracle_queries", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("supply_atto", sa.Numeric(precision=38, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("lp_shares_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fee_index", sa.Numeric(precision=38, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("fee_carry", sa.Numeric(precision=38, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("fills", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("verdicts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("breaker_bps BETWEEN 0 AND 10000", name=op.f("ck_assets_breaker")),
        sa.CheckConstraint("fee_bps BETWEEN 30 AND 200", name=op.f("ck_assets_fee")),
        sa.CheckConstraint("lp_part_bps BETWEEN 0 AND 10000", name=op.f("ck_assets_lp_part")),
        sa.CheckConstraint("p0_micros >= 1 AND k_atto >= 0", name=op.f("ck_assets_curve")),
        sa.CheckConstraint("soft_cap_micros > 0 AND hard_cap_micros >= soft_cap_micros", name=op.f("ck_assets_caps")),
        sa.CheckConstraint("supply_atto >= 0 AND lp_shares_micros >= 0", name=op.f("ck_assets_not_negative")),
        sa.ForeignKeyConstraint(["created_by"], ["platform.accounts.id"], name=op.f("fk_assets_created_by_accounts")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_assets_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        sa.UniqueConstraint("symbol", name=op.f("uq_assets_symbol")),
        schema="exchange",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index(op.f("ix_assets_created_by"), "assets", ["created_by"], unique=False, schema="exchange")
    op.create_index(op.f("ix_assets_operation_id"), "assets", ["operation_id"], unique=False, schema="exchange")
    op.create_index("ix_assets_status", "assets", ["status"], unique=False, schema="exchange")
    op.create_table(
        "corrections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("postings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending_approval", nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "status IN ('pending_approval', 'approved', 'booked', 'rejected', 'expired', 'failed')",
            name=op.f("ck_corrections_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('approved', 'booked', 'failed') OR coalesce(decided_by <> requested_by, false)",
            name=op.f("ck_corrections_two_persons"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["platform.accounts.id"], name=op.f("fk_corrections_decided_by_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_corrections_operation_id_operations")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["platform.accounts.id"], name=op.f("fk_corrections_requested_by_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        schema="platform",
    )
    op.create_index(op.f("ix_corrections_decided_by"), "corrections", ["decided_by"], unique=False, schema="platform")
    op.create_index(
        op.f("ix_corrections_operation_id"), "corrections", ["operation_id"], unique=False, schema="platform"
    )
    op.create_index(
        op.f("ix_corrections_requested_by"), "corrections", ["requested_by"], unique=False, schema="platform"
    )
    op.create_table(
        "asset_halts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("old_price_micros", sa.BigInteger(), nullable=True),
        sa.Column("new_price_micros", sa.BigInteger(), nullable=True),
        sa.Column("change_bps", sa.Integer(), nullable=True),
        sa.Column("seconds_since_tick", sa.Integer(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_asset_halts_asset_id_assets")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_asset_halts_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_halts")),
        schema="exchange",
    )
    op.create_index("ix_asset_halts_asset_id", "asset_halts", ["asset_id", "id"], unique=False, schema="exchange")
    op.create_index(
        op.f("ix_asset_halts_operation_id"), "asset_halts", ["operation_id"], unique=False, schema="exchange"
    )
    op.create_index(
        "uq_asset_halts_open",
        "asset_halts",
        ["asset_id"],
        unique=True,
        schema="exchange",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "asset_prices",
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("fundamental_pico", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("display_micros", sa.BigInteger(), nullable=False),
        sa.Column("market_micros", sa.BigInteger(), nullable=False),
        sa.Column("weight_bps", sa.Integer(), nullable=False),
        sa.Column("volume_5m_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("degraded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("guarded_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_asset_prices_asset_id_assets")),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_asset_prices")),
        schema="exchange",
    )
    op.create_table(
        "contributions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "requested", "accepted", "refused", "refunded", name="contribution_status", schema="exchange"
            ),
            server_default="requested",
            nullable=False,
        ),
        sa.Column("refuse_code", sa.Text(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "(status = 'refused') = (refuse_code IS NOT NULL)", name=op.f("ck_contributions_refuse_code")
        ),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_contributions_amount")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_contributions_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_contributions_asset_id_assets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contributions")),
        schema="exchange",
    )
    op.create_index(
        op.f("ix_contributions_account_id"), "contributions", ["account_id"], unique=False, schema="exchange"
    )
    op.create_index(
        "ix_contributions_asset_id", "contributions", ["asset_id", "status", "id"], unique=False, schema="exchange"
    )
    op.create_index(
        "ix_contributions_requested",
        "contributions",
        ["id"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("status = 'requested'"),
    )
    op.create_table(
        "lp_fee_claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM("requested", "paid", "refused", name="lp_fee_claim_status", schema="exchange"),
            server_default="requested",
            nullable=False,
        ),
        sa.Column("refuse_code", sa.Text(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_lp_fee_claims_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_lp_fee_claims_asset_id_assets")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_lp_fee_claims_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lp_fee_claims")),
        schema="exchange",
    )
    op.create_index(
        op.f("ix_lp_fee_claims_account_id"), "lp_fee_claims", ["account_id"], unique=False, schema="exchange"
    )
    op.create_index(op.f("ix_lp_fee_claims_asset_id"), "lp_fee_claims", ["asset_id"], unique=False, schema="exchange")
    op.create_index(
        op.f("ix_lp_fee_claims_operation_id"), "lp_fee_claims", ["operation_id"], unique=False, schema="exchange"
    )
    op.create_table(
        "lp_positions",
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("shares_micros", sa.BigInteger(), nullable=False),
        sa.Column("contributed_micros", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("instant_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fee_index_paid", sa.Numeric(precision=38, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("fees_owed_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fees_claimed_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "shares_micros >= 0 AND fees_owed_micros >= 0 AND instant_micros >= 0",
            name=op.f("ck_lp_positions_not_negative"),
        ),
        sa.CheckConstraint(
            "withdrawn_micros <= contributed_micros AND instant_micros <= withdrawn_micros",
            name=op.f("ck_lp_positions_withdrawn"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_lp_positions_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_lp_positions_asset_id_assets")),
        sa.PrimaryKeyConstraint("asset_id", "account_id", name=op.f("pk_lp_positions")),
        schema="exchange",
    )
    op.create_index(op.f("ix_lp_positions_account_id"), "lp_positions", ["account_id"], unique=False, schema="exchange")
    op.create_table(
        "lp_withdrawals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("paid_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "requested", "queued", "paid", "cancelled", "refused", name="lp_withdrawal_status", schema="exchange"
            ),
            server_default="requested",
            nullable=False,
        ),
        sa.Column("refuse_code", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "amount_micros > 0 AND paid_micros BETWEEN 0 AND amount_micros", name=op.f("ck_lp_withdrawals_amount")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_lp_withdrawals_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_lp_withdrawals_asset_id_assets")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_lp_withdrawals_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lp_withdrawals")),
        sa.UniqueConstraint("seq", name=op.f("uq_lp_withdrawals_seq")),
        schema="exchange",
    )
    op.create_index(
        op.f("ix_lp_withdrawals_account_id"), "lp_withdrawals", ["account_id"], unique=False, schema="exchange"
    )
    op.create_index(
        "ix_lp_withdrawals_asset_id", "lp_withdrawals", ["asset_id", "status", "seq"], unique=False, schema="exchange"
    )
    op.create_index(
        op.f("ix_lp_withdrawals_operation_id"), "lp_withdrawals", ["operation_id"], unique=False, schema="exchange"
    )
    op.create_table(
        "oracle_signals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM("accepted", "applied", "failed", name="oracle_signal_status", schema="exchange"),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("delta_bps", sa.Integer(), nullable=True),
        sa.Column("applied_bps", sa.Integer(), nullable=True),
        sa.Column("confidence_bps", sa.Integer(), nullable=True),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "source_urls", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column(
            "provenance", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("fundamental_before_pico", sa.Numeric(precision=38, scale=0), nullable=True),
        sa.Column("fundamental_after_pico", sa.Numeric(precision=38, scale=0), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_oracle_signals_asset_id_assets")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_oracle_signals_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oracle_signals")),
        schema="exchange",
    )
    op.create_index("ix_oracle_signals_asset_id", "oracle_signals", ["asset_id", "id"], unique=False, schema="exchange")
    op.create_index(
        op.f("ix_oracle_signals_operation_id"), "oracle_signals", ["operation_id"], unique=False, schema="exchange"
    )
    op.create_table(
        "positions",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("shares_atto", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("realised_micros", sa.BigInteger(), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("shares_atto >= 0 AND cost_micros >= 0", name=op.f("ck_positions_not_negative")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_positions_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_positions_asset_id_assets")),
        sa.PrimaryKeyConstraint("account_id", "asset_id", name=op.f("pk_positions")),
        schema="exchange",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_positions_asset_id", "positions", ["asset_id", "account_id"], unique=False, schema="exchange")
    op.create_table(
        "price_ticks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column(
            "cause",
            postgresql.ENUM("trade", "oracle", "heartbeat", name="tick_cause", schema="exchange"),
            nullable=False,
        ),
        sa.Column("display_micros", sa.BigInteger(), nullable=False),
        sa.Column("market_micros", sa.BigInteger(), nullable=False),
        sa.Column("market_low_micros", sa.BigInteger(), nullable=False),
        sa.Column("market_high_micros", sa.BigInteger(), nullable=False),
        sa.Column("volume_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fundamental_pico", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("weight_bps", sa.Integer(), nullable=False),
        sa.Column("volume_5m_micros", sa.BigInteger(), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_price_ticks_asset_id_assets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_ticks")),
        schema="exchange",
    )
    op.create_index(
        "uq_price_ticks_ticked_at",
        "price_ticks",
        ["asset_id", sa.literal_column("ticked_at DESC")],
        unique=True,
        schema="exchange",
    )
    op.create_table(
        "trades",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("side", postgresql.ENUM("buy", "sell", name="trade_side", schema="exchange"), nullable=False),
        sa.Column("kind", sa.Text(), server_default="market", nullable=False),
        sa.Column("asked", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("min_out", sa.Numeric(precision=38, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM("pending", "filled", "rejected", name="trade_status", schema="exchange"),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("reject_code", sa.Text(), nullable=True),
        sa.Column("shares_atto", sa.Numeric(precision=38, scale=0), nullable=True),
        sa.Column("amount_micros", sa.BigInteger(), nullable=True),
        sa.Column("pool_micros", sa.BigInteger(), nullable=True),
        sa.Column("fee_micros", sa.BigInteger(), nullable=True),
        sa.Column("lp_fee_micros", sa.BigInteger(), nullable=True),
        sa.Column("realised_micros", sa.BigInteger(), nullable=True),
        sa.Column("spot_before_micros", sa.BigInteger(), nullable=True),
        sa.Column("spot_after_micros", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.BigInteger(), nullable=True),
        sa.Column("saw_usdc_micros", sa.BigInteger(), nullable=True),
        sa.Column("saw_lp_shares_micros", sa.BigInteger(), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("(status = 'filled') = (shares_atto IS NOT NULL)", name=op.f("ck_trades_filled")),
        sa.CheckConstraint("(status = 'pending') = (verdict IS NULL)", name=op.f("ck_trades_verdict")),
        sa.CheckConstraint("(status = 'rejected') = (reject_code IS NOT NULL)", name=op.f("ck_trades_reject_code")),
        sa.CheckConstraint("asked > 0 AND min_out >= 0", name=op.f("ck_trades_asked")),
        sa.ForeignKeyConstraint(["account_id"], ["platform.accounts.id"], name=op.f("fk_trades_account_id_accounts")),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_trades_asset_id_assets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trades")),
        schema="exchange",
    )
    op.create_index("ix_trades_account_id", "trades", ["account_id", "id"], unique=False, schema="exchange")
    op.create_index("ix_trades_asset_id", "trades", ["asset_id", "id"], unique=False, schema="exchange")
    op.create_index(
        "ix_trades_executed_at",
        "trades",
        ["asset_id", "executed_at"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("status = 'filled'"),
    )
    op.create_index(
        "ix_trades_pending",
        "trades",
        ["seq"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("status = 'pending' AND parked_at IS NULL"),
    )
    op.create_index(
        "ix_trades_parked",
        "trades",
        ["id"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("parked_at IS NOT NULL"),
    )
    op.create_index(
        "uq_trades_verdict",
        "trades",
        ["asset_id", "verdict"],
        unique=True,
        schema="exchange",
        postgresql_where=sa.text("verdict IS NOT NULL"),
    )
    op.create_table(
        "lp_payouts",
        sa.Column("withdrawal_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("instant", sa.Boolean(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_lp_payouts_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["exchange.assets.id"], name=op.f("fk_lp_payouts_asset_id_assets")),
        sa.ForeignKeyConstraint(
            ["withdrawal_id"], ["exchange.lp_withdrawals.id"], name=op.f("fk_lp_payouts_withdrawal_id_lp_withdrawals")
        ),
        sa.PrimaryKeyConstraint("withdrawal_id", "part", name=op.f("pk_lp_payouts")),
        schema="exchange",
    )
    op.create_index(op.f("ix_lp_payouts_account_id"), "lp_payouts", ["account_id"], unique=False, schema="exchange")
    op.create_index("ix_lp_payouts_asset_id", "lp_payouts", ["asset_id", "paid_at"], unique=False, schema="exchange")
    op.create_table(
        "engines",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("verdicts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("batches", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_batch_orders", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_batch_us", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("taken_over_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_engines")),
        schema="exchange",
    )
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; see docs/how_to/migrations.md")
