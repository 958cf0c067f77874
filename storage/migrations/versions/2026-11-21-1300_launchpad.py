"""launchpad

Revision: 0004   After: 0003
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "referrals",
        sa.Column("program_account", sa.Text(), nullable=False),
        sa.Column("referee_address", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("referrer_address", sa.Text(), nullable=False),
        sa.Column("earned_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("transaction_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name=op.f("ck_referrals_level")),
        sa.PrimaryKeyConstraint("program_account", "referee_address", "level", name=op.f("pk_referrals")),
        schema="launchpad",
    )
    op.create_index(
        "ix_referrals_referrer_address", "referrals", ["referrer_address"], unique=False, schema="launchpad"
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("instructions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("most_lamports", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "planned", "landed", "finalized", "failed", "abandoned", name="transaction_status", schema="launchpad"
            ),
            server_default=sa.text("'planned'"),
            nullable=False,
        ),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("slot", sa.BigInteger(), nullable=True),
        sa.Column("err", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_transactions_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("key", name=op.f("uq_transactions_key")),
        sa.UniqueConstraint("signature", name=op.f("uq_transactions_signature")),
        schema="launchpad",
    )
    op.create_index(
        op.f("ix_transactions_account_id"), "transactions", ["account_id"], unique=False, schema="launchpad"
    )
    op.create_index("ix_transactions_status", "transactions", ["status"], unique=False, schema="launchpad")
    op.create_index(
        "ix_transactions_subject",
        "transactions",
        ["subject_kind", "subject_id", "updated_at"],
        unique=False,
        schema="launchpad",
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("cid", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column(
            "uploaded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("octet_length(content) BETWEEN 1 AND 5242880", name=op.f("ck_assets_size")),
        sa.ForeignKeyConstraint(["account_id"], ["platform.accounts.id"], name=op.f("fk_assets_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        schema="launchpad",
    )
    op.create_index(op.f("ix_assets_account_id"), "assets", ["account_id"], unique=False, schema="launchpad")
    op.create_index("uq_assets_content", "assets", ["account_id", "sha256"], unique=True, schema="launchpad")
    op.create_table(
        "nonces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["launchpad.transactions.id"], name=op.f("fk_nonces_transaction_id_transactions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nonces")),
        sa.UniqueConstraint("address", name=op.f("uq_nonces_address")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_nonces_transaction_id")),
        schema="launchpad",
    )
    op.create_table(
        "transaction_attempts",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "issued", "signed", "landed", "failed", "expired", name="attempt_status", schema="launchpad"
            ),
            nullable=False,
        ),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("blockhash", sa.Text(), nullable=False),
        sa.Column("nonce_id", sa.Uuid(), nullable=True),
        sa.Column("nonce_slot", sa.BigInteger(), nullable=True),
        sa.Column("last_valid_height", sa.BigInteger(), nullable=True),
        sa.Column("compute_limit", sa.Integer(), nullable=False),
        sa.Column("compute_price_micro_lamports", sa.BigInteger(), nullable=False),
        sa.Column("fee_lamports", sa.BigInteger(), nullable=False),
        sa.Column("lost_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("err", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("slot", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("(nonce_id IS NULL) = (nonce_slot IS NULL)", name=op.f("ck_transaction_attempts_nonce")),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["launchpad.transactions.id"],
            name=op.f("fk_transaction_attempts_transaction_id_transactions"),
        ),
        sa.ForeignKeyConstraint(
            ["nonce_id"], ["launchpad.nonces.id"], name=op.f("fk_transaction_attempts_nonce_id_nonces")
        ),
        sa.PrimaryKeyConstraint("transaction_id", "number", name=op.f("pk_transaction_attempts")),
        sa.UniqueConstraint("signature", name=op.f("uq_transaction_attempts_signature")),
        schema="launchpad",
    )
    op.create_index(
        "ix_transaction_attempts_nonce_id",
        "transaction_attempts",
        ["nonce_id"],
        unique=False,
        schema="launchpad",
        postgresql_where=sa.text("nonce_id IS NOT NULL"),
    )
    op.create_index(
        "ix_transaction_attempts_ended_at", "transaction_attempts", ["ended_at"], unique=False, schema="launchpad"
    )
    op.create_index(
        "ix_transaction_attempts_signed",
        "transaction_attempts",
        ["transaction_id"],
        unique=False,
        schema="launchpad",
        postgresql_where=sa.text("status = 'signed'"),
    )
    op.create_index(
        "ix_transaction_attempts_message",
        "transaction_attempts",
        ["message"],
        unique=False,
        schema="launchpad",
        postgresql_using="hash",
    )
    op.create_table(
        "deployments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("program_id", sa.Text(), nullable=False),
        sa.Column("buffer", sa.Text(), nullable=False),
        sa.Column("so_sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("final", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_deployments_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        schema="launchpad",
    )
    op.create_index(
        op.f("ix_deployments_operation_id"), "deployments", ["operation_id"], unique=False, schema="launchpad"
    )
    op.create_index(
        "uq_deployments_program",
        "deployments",
        ["program_id"],
        unique=True,
        schema="launchpad",
        postgresql_where=sa.text("cancelled_at IS NULL"),
    )
    op.create_table(
        "launches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("signing", sa.Text(), nullable=False),
        sa.Column("creator_wallet", sa.Text(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "running",
                "waiting_signature",
                "live",
                "undone",
                "needs_operator",
                "failed",
                name="launch_status",
                schema="launchpad",
            ),
            server_default=sa.text("'running'"),
            nullable=False,
        ),
        sa.Column("step", sa.Text(), server_default="", nullable=False),
        sa.Column("mint_seed", sa.Text(), server_default="", nullable=False),
        sa.Column("mint", sa.Text(), nullable=True),
        sa.Column("sale_address", sa.Text(), nullable=True),
        sa.Column("metadata_cid", sa.Text(), nullable=True),
        sa.Column("metadata_uri", sa.Text(), nullable=True),
        sa.Column("budget_lamports", sa.BigInteger(), nullable=False),
        sa.Column("spent_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("signature_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_detail", sa.Text(), server_default="", nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["platform.accounts.id"], name=op.f("fk_launches_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_launches_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_launches")),
        sa.UniqueConstraint("mint", name=op.f("uq_launches_mint")),
        sa.UniqueConstraint("sale_address", name=op.f("uq_launches_sale_address")),
        schema="launchpad",
    )
    op.create_index(op.f("ix_launches_account_id"), "launches", ["account_id"], unique=False, schema="launchpad")
    op.create_index(op.f("ix_launches_operation_id"), "launches", ["operation_id"], unique=False, schema="launchpad")
    op.create_index("ix_launches_status", "launches", ["status"], unique=False, schema="launchpad")
    op.create_table(
        "launch_assets",
        sa.Column("launch_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["launchpad.assets.id"], name=op.f("fk_launch_assets_asset_id_assets")),
        sa.ForeignKeyConstraint(
            ["launch_id"], ["launchpad.launches.id"], name=op.f("fk_launch_assets_launch_id_launches")
        ),
        sa.PrimaryKeyConstraint("launch_id", "asset_id", name=op.f("pk_launch_assets")),
        schema="launchpad",
    )
    op.create_index(op.f("ix_launch_assets_asset_id"), "launch_assets", ["asset_id"], unique=False, schema="launchpad")
    op.create_table(
        "pins",
        sa.Column("cid", sa.Text(), nullable=False),
        sa.Column("launch_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("releasing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unpinned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["launch_id"], ["launchpad.launches.id"], name=op.f("fk_pins_launch_id_launches")),
        sa.PrimaryKeyConstraint("cid", "launch_id", name=op.f("pk_pins")),
        schema="launchpad",
    )
    op.create_index(op.f("ix_pins_launch_id"), "pins", ["launch_id"], unique=False, schema="launchpad")
    op.create_table(
        "mirrors",
        sa.Column("cid", sa.Text(), nullable=False),
        sa.Column("arweave_id", sa.Text(), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("cid", name=op.f("pk_mirrors")),
        schema="launchpad",
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_address", sa.Text(), nullable=True),
        sa.Column("bonding_curve_address", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("logo_uri", sa.Text(), nullable=False),
        sa.Column("banner_uri", sa.Text(), nullable=True),
        sa.Column("icon_uri", sa.Text(), nullable=True),
        sa.Column("metadata_uri", sa.Text(), nullable=True),
        sa.Column("total_supply", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("allocation_bps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "bonding_curve_type",
            postgresql.ENUM("linear", "exponential", "logarithmic", name="curve_type", schema="launchpad"),
            nullable=False,
        ),
        sa.Column("initial_price", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("target_price", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("soft_cap_lamports", sa.BigInteger(), nullable=False),
        sa.Column("hard_cap_lamports", sa.BigInteger(), nullable=False),
        sa.Column("transfer_fee_bps", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("creator_wallet", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("twitter", sa.Text(), nullable=True),
        sa.Column("telegram", sa.Text(), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("discord", sa.Text(), nullable=True),
        sa.Column("promo_tier_lamports", sa.BigInteger(), nullable=True),
        sa.Column("dex_cex_listing", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tax_program_account", sa.Text(), nullable=True),
        sa.Column("referral_program_account", sa.Text(), nullable=True),
        sa.Column("staking_pool_account", sa.Text(), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM(
                "preparing", "upcoming", "active", "ended", "undone", name="project_status", schema="launchpad"
            ),
            server_default=sa.text("'preparing'"),
            nullable=False,
        ),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "0 < soft_cap_lamports AND soft_cap_lamports <= hard_cap_lamports", name=op.f("ck_projects_caps")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_projects_dates")),
        sa.CheckConstraint("total_supply > 0 AND decimals BETWEEN 0 AND 9", name=op.f("ck_projects_supply")),
        sa.ForeignKeyConstraint(["id"], ["launchpad.launches.id"], name=op.f("fk_projects_id_launches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("bonding_curve_address", name=op.f("uq_projects_bonding_curve_address")),
        sa.UniqueConstraint("token_address", name=op.f("uq_projects_token_address")),
        schema="launchpad",
    )
    op.create_index(
        "ix_projects_promo_tier_lamports", "projects", ["promo_tier_lamports"], unique=False, schema="launchpad"
    )
    op.create_index("ix_projects_status", "projects", ["status", "starts_at"], unique=False, schema="launchpad")
    op.create_table(
        "promo_activations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("tier_lamports", sa.BigInteger(), nullable=False),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("payment_signature", sa.Text(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=True),
        sa.Column("received_lamports", sa.BigInteger(), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM(
                "claimed", "active", "expired", "refund_due", "refunded", name="promo_status", schema="launchpad"
            ),
            server_default=sa.text("'claimed'"),
            nullable=False,
        ),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refund_signature", sa.Text(), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_promo_activations_operation_id_operations")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["launchpad.projects.id"], name=op.f("fk_promo_activations_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promo_activations")),
        sa.UniqueConstraint("payment_signature", name=op.f("uq_promo_activations_payment_signature")),
        sa.UniqueConstraint("refund_signature", name=op.f("uq_promo_activations_refund_signature")),
        schema="launchpad",
    )
    op.create_index(
        op.f("ix_promo_activations_operation_id"),
        "promo_activations",
        ["operation_id"],
        unique=False,
        schema="launchpad",
    )
    op.create_index(
        op.f("ix_promo_activations_project_id"), "promo_activations", ["project_id"], unique=False, schema="launchpad"
    )
    op.create_index(
        "ix_promo_activations_tier_lamports", "promo_activations", ["tier_lamports"], unique=False, schema="launchpad"
    )
    op.create_table(
        "sales",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("mint", sa.Text(), nullable=False),
        sa.Column("vault", sa.Text(), nullable=False),
        sa.Column("creator", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("program_id", sa.Text(), nullable=False),
        sa.Column("token_program", sa.Text(), nullable=False),
        sa.Column(
            "curve_type",
            postgresql.ENUM("linear", "exponential", "logarithmic", name="curve_type", schema="launchpad"),
            nullable=False,
        ),
        sa.Column("initial_price", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("target_price", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("sale_supply", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("liquidity_supply", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("team_supply", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("other_supply", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("most", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("max_wallet", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("soft_cap_lamports", sa.BigInteger(), nullable=False),
        sa.Column("hard_cap_lamports", sa.BigInteger(), nullable=False),
        sa.Column("tax_bps", sa.Integer(), nullable=False),
        sa.Column("referral_bps", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cliff_seconds", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("vest_seconds", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "upcoming",
                "active",
                "graduated",
                "refunding",
                "refunded",
                "cancelled",
                name="sale_status",
                schema="launchpad",
            ),
            server_default=sa.text("'upcoming'"),
            nullable=False,
        ),
        sa.Column("sold", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("raised_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_held_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_total_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("counters", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("latched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("graduated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pool_address", sa.Text(), nullable=True),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("cursor_slot", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("read_slot", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_sales_operation_id_operations")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["launchpad.projects.id"], name=op.f("fk_sales_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales")),
        sa.UniqueConstraint("address", name=op.f("uq_sales_address")),
        sa.UniqueConstraint("mint", name=op.f("uq_sales_mint")),
        schema="launchpad",
    )
    op.create_index(op.f("ix_sales_operation_id"), "sales", ["operation_id"], unique=False, schema="launchpad")
    op.create_index(op.f("ix_sales_project_id"), "sales", ["project_id"], unique=False, schema="launchpad")
    op.create_index("ix_sales_status", "sales", ["status"], unique=False, schema="launchpad")
    op.create_table(
        "sale_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("sale_id", sa.Uuid(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("block_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=True),
        sa.Column("tokens", sa.Numeric(precision=20, scale=0), nullable=True),
        sa.Column("value_lamports", sa.BigInteger(), nullable=True),
        sa.Column("tax_lamports", sa.BigInteger(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["sale_id"], ["launchpad.sales.id"], name=op.f("fk_sale_events_sale_id_sales")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sale_events")),
        schema="launchpad",
    )
    op.create_index("ix_sale_events_sale", "sale_events", ["sale_id", "id"], unique=False, schema="launchpad")
    op.create_index(
        "ix_sale_events_after",
        "sale_events",
        ["sale_id", "kind"],
        unique=False,
        schema="launchpad",
        postgresql_where=sa.text("kind IN ('Graduated', 'VestedClaimed', 'PositionClosed')"),
    )
    op.create_index("ix_sale_events_wallet", "sale_events", ["wallet", "id"], unique=False, schema="launchpad")
    op.create_index("uq_sale_events_place", "sale_events", ["signature", "ordinal"], unique=True, schema="launchpad")
    op.create_table(
        "sale_positions",
        sa.Column("sale_id", sa.Uuid(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("bought", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("sold", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("paid_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("received_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["sale_id"], ["launchpad.sales.id"], name=op.f("fk_sale_positions_sale_id_sales")),
        sa.PrimaryKeyConstraint("sale_id", "wallet", name=op.f("pk_sale_positions")),
        schema="launchpad",
    )
    op.create_index("ix_sale_positions_wallet", "sale_positions", ["wallet"], unique=False, schema="launchpad")
    op.create_table(
        "tax_distributions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sale_id", sa.Uuid(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("marketing_lamports", sa.BigInteger(), nullable=False),
        sa.Column("treasury_lamports", sa.BigInteger(), nullable=False),
        sa.Column("rewards_lamports", sa.BigInteger(), nullable=False),
        sa.Column("burn_lamports", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("burned", sa.Numeric(precision=20, scale=0), server_default=sa.text("0"), nullable=False),
        sa.Column("on_chain_data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("distributed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["sale_id"], ["launchpad.sales.id"], name=op.f("fk_tax_distributions_sale_id_sales")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_distributions")),
        schema="launchpad",
    )
    op.create_index(
        op.f("ix_tax_distributions_sale_id"), "tax_distributions", ["sale_id"], unique=False, schema="launchpad"
    )
    op.create_index(
        "uq_tax_distributions_place", "tax_distributions", ["signature", "ordinal"], unique=True, schema="launchpad"
    )
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; see docs/how_to/migrations.md")
