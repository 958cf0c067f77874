"""foundation

Revision: 0001   After:
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_enums()
    op.create_table(
        "chain_blocks",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("parent_hash", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("chain_id", "number", name=op.f("pk_chain_blocks")),
        schema="exchange",
    )
    op.create_table(
        "chain_cursors",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("next_block", sa.BigInteger(), nullable=False),
        sa.Column("head_block", sa.BigInteger(), nullable=False),
        sa.Column("safe_block", sa.BigInteger(), nullable=False),
        sa.Column("finalized_block", sa.BigInteger(), nullable=False),
        sa.Column("halted_reason", sa.Text(), nullable=True),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_chain_cursors")),
        schema="exchange",
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column(
            "purpose",
            postgresql.ENUM(
                "withdrawal",
                "sweep",
                "gas_top_up",
                "no_op",
                name="transaction_purpose",
                schema="exchange",
                create_type=False,
            ),
            nullable=False,
        ),
        sa.Column("ref_id", sa.Uuid(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("value_wei", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("gas_limit", sa.BigInteger(), nullable=False),
        sa.Column("mined_hash", sa.Text(), nullable=True),
        sa.Column("mined_block", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        schema="exchange",
    )
    op.create_index(
        "uq_transactions_nonce", "transactions", ["chain_id", "wallet", "nonce"], unique=True, schema="exchange"
    )
    op.create_index("uq_transactions_purpose", "transactions", ["purpose", "ref_id"], unique=True, schema="exchange")
    op.create_table(
        "wallets",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.Column("halted_reason", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("chain_id", "address", name=op.f("pk_wallets")),
        schema="exchange",
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            postgresql.ENUM(
                "admin", "operator", "trader", "creator", name="account_role", schema="platform", create_type=False
            ),
            nullable=False,
        ),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        schema="platform",
    )
    op.create_index(
        "uq_accounts_email",
        "accounts",
        [sa.literal_column("lower(email)")],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("email IS NOT NULL"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("severity IN ('warning', 'critical')", name=op.f("ck_alerts_severity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        schema="platform",
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["code", "subject"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        schema="platform",
    )
    op.create_index("ix_audit_log_subject", "audit_log", ["subject", "id"], unique=False, schema="platform")
    op.create_table(
        "balances",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("balance", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.CheckConstraint(
            "balance >= 0 OR account = 'world' OR account LIKE 'custody:%%'", name=op.f("ck_balances_not_negative")
        ),
        sa.PrimaryKeyConstraint("account", "unit", name=op.f("pk_balances")),
        schema="platform",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "controls",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_controls")),
        schema="platform",
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("locked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("principal", "method", "path", "key", name=op.f("pk_idempotency_keys")),
        schema="platform",
    )
    op.create_index(
        "ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False, schema="platform"
    )
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_runs")),
        schema="platform",
    )
    op.create_index("ix_job_runs_job", "job_runs", ["job", "created_at"], unique=False, schema="platform")
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "xact", sa.BigInteger(), server_default=sa.text("(pg_current_xact_id()::text)::bigint"), nullable=False
        ),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        schema="platform",
    )
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"], unique=False, schema="platform")
    op.create_index("ix_outbox_xact_id", "outbox", ["xact", "id"], unique=False, schema="platform")
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="held", nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("state IN ('held', 'replayed', 'discarded')", name=op.f("ck_quarantine_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        schema="platform",
    )
    op.create_index(
        "ix_quarantine_marked",
        "quarantine",
        ["id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("state = 'replayed' AND taken_up_at IS NULL"),
    )
    op.create_index(
        "uq_quarantine_fingerprint", "quarantine", ["source", "fingerprint"], unique=True, schema="platform"
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "phase",
            postgresql.ENUM(
                "single", "pending", "post", "void", name="transfer_phase", schema="platform", create_type=False
            ),
            nullable=False,
        ),
        sa.Column("resolves", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("(resolves IS NOT NULL) = (phase IN ('post', 'void'))", name=op.f("ck_transfers_resolves")),
        sa.ForeignKeyConstraint(["resolves"], ["platform.transfers.id"], name=op.f("fk_transfers_resolves_transfers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("key", name=op.f("uq_transfers_key")),
        schema="platform",
    )
    op.create_index("ix_transfers_ref", "transfers", ["ref"], unique=False, schema="platform")
    op.create_index(
        "uq_transfers_resolves",
        "transfers",
        ["resolves"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("resolves IS NOT NULL"),
    )
    op.create_table(
        "deposit_addresses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("derivation_index", sa.Integer(), nullable=False),
        sa.Column("derivation_path", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("address = lower(address)", name=op.f("ck_deposit_addresses_lower_case")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_deposit_addresses_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposit_addresses")),
        schema="exchange",
    )
    op.create_index(
        "ix_deposit_addresses_account_id", "deposit_addresses", ["account_id"], unique=False, schema="exchange"
    )
    op.create_index(
        "uq_deposit_addresses_active",
        "deposit_addresses",
        ["account_id", "chain_id"],
        unique=True,
        schema="exchange",
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(
        "uq_deposit_addresses_address", "deposit_addresses", ["chain_id", "address"], unique=True, schema="exchange"
    )
    op.create_index(
        "uq_deposit_addresses_index",
        "deposit_addresses",
        ["chain_id", "derivation_index"],
        unique=True,
        schema="exchange",
    )
    op.create_table(
        "signed_transactions",
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("max_fee_wei", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("priority_fee_wei", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("broadcast_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["exchange.transactions.id"],
            name=op.f("fk_signed_transactions_transaction_id_transactions"),
        ),
        sa.PrimaryKeyConstraint("tx_hash", name=op.f("pk_signed_transactions")),
        schema="exchange",
    )
    op.create_index(
        "uq_signed_transactions_attempt",
        "signed_transactions",
        ["transaction_id", "attempt"],
        unique=True,
        schema="exchange",
    )
    op.create_table(
        "withdrawal_addresses",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("usable_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_withdrawal_addresses_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "address", name=op.f("pk_withdrawal_addresses")),
        schema="exchange",
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["platform.accounts.id"], name=op.f("fk_api_keys_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        schema="platform",
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"], unique=False, schema="platform")
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM(
                "running",
                "waiting",
                "completed",
                "failed",
                "cancelled",
                "needs_operator",
                name="operation_status",
                schema="platform",
                create_type=False,
            ),
            server_default="running",
            nullable=False,
        ),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_operations_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
        sa.UniqueConstraint("workflow_id", name=op.f("uq_operations_workflow_id")),
        schema="platform",
    )
    op.create_index(op.f("ix_operations_account_id"), "operations", ["account_id"], unique=False, schema="platform")
    op.create_index(
        "ix_operations_kind_status", "operations", ["kind", "status", "id"], unique=False, schema="platform"
    )
    op.create_index(
        "ix_operations_undispatched",
        "operations",
        ["id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("dispatched_at IS NULL"),
    )
    op.create_table(
        "postings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_postings_not_zero")),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["platform.transfers.id"], name=op.f("fk_postings_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
        schema="platform",
    )
    op.create_index("ix_postings_account", "postings", ["account", "unit", "id"], unique=False, schema="platform")
    op.create_index(op.f("ix_postings_transfer_id"), "postings", ["transfer_id"], unique=False, schema="platform")
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("csrf_token", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["platform.accounts.id"], name=op.f("fk_sessions_account_id_accounts")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
        schema="platform",
    )
    op.create_index(op.f("ix_sessions_account_id"), "sessions", ["account_id"], unique=False, schema="platform")
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("topics", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("after_xact", sa.BigInteger(), nullable=False),
        sa.Column("after_id", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["platform.accounts.id"], name=op.f("fk_webhooks_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        schema="platform",
    )
    op.create_index(op.f("ix_webhooks_account_id"), "webhooks", ["account_id"], unique=False, schema="platform")
    op.create_table(
        "deposits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("log_ordinal", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("from_address", sa.Text(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM(
                "seen",
                "confirming",
                "credited",
                "orphaned",
                "ignored",
                name="deposit_status",
                schema="exchange",
                create_type=False,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("required_confirmations", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("required_tag", sa.Text(), nullable=True),
        sa.Column("due_block", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("signalled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("credited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["platform.accounts.id"], name=op.f("fk_deposits_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_deposits_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposits")),
        schema="exchange",
    )
    op.create_index(op.f("ix_deposits_account_id"), "deposits", ["account_id"], unique=False, schema="exchange")
    op.create_index(
        "ix_deposits_account_status", "deposits", ["account_id", "status", "id"], unique=False, schema="exchange"
    )
    op.create_index(
        "ix_deposits_block_number", "deposits", ["chain_id", "block_number"], unique=False, schema="exchange"
    )
    op.create_index(
        "ix_deposits_due",
        "deposits",
        ["chain_id", "due_block"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("status IN ('seen', 'confirming') AND confirmed_at IS NULL"),
    )
    op.create_index(op.f("ix_deposits_operation_id"), "deposits", ["operation_id"], unique=False, schema="exchange")
    op.create_index(
        "ix_deposits_orphaned",
        "deposits",
        ["chain_id", "block_number"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("status = 'orphaned' AND NOT closed"),
    )
    op.create_index(
        "ix_deposits_seen",
        "deposits",
        ["chain_id", "block_number"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("status = 'seen'"),
    )
    op.create_index("ix_deposits_to_address", "deposits", ["to_address", "status"], unique=False, schema="exchange")
    op.create_index(
        "ix_deposits_untold",
        "deposits",
        ["chain_id", "credited_at"],
        unique=False,
        schema="exchange",
        postgresql_where=sa.text("status = 'credited' AND told_at IS NULL"),
    )
    op.create_index(
        "uq_deposits_identity", "deposits", ["chain_id", "tx_hash", "log_ordinal"], unique=True, schema="exchange"
    )
    op.create_table(
        "sweeps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("top_up_wei", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('open', 'done', 'failed')", name=op.f("ck_sweeps_status")),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_sweeps_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweeps")),
        schema="exchange",
    )
    op.create_index(op.f("ix_sweeps_operation_id"), "sweeps", ["operation_id"], unique=False, schema="exchange")
    op.create_index(
        "uq_sweeps_open",
        "sweeps",
        ["chain_id", "address"],
        unique=True,
        schema="exchange",
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "requested",
                "pending_approval",
                "approved",
                "signed",
                "broadcast",
                "confirming",
                "settled",
                "rejected",
                "cancelled",
                "failed",
                name="withdrawal_status",
                schema="exchange",
                create_type=False,
            ),
            server_default="requested",
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("tx_hash", sa.Text(), nullable=True),
        sa.Column("mined_block", sa.BigInteger(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_micros > 0 AND fee_micros >= 0", name=op.f("ck_withdrawals_amounts")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name=op.f("fk_withdrawals_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_withdrawals_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
        schema="exchange",
    )
    op.create_index(
        "ix_withdrawals_account_id", "withdrawals", ["account_id", "created_at"], unique=False, schema="exchange"
    )
    op.create_index("ix_withdrawals_created_at", "withdrawals", ["created_at"], unique=False, schema="exchange")
    op.create_index(
        op.f("ix_withdrawals_operation_id"), "withdrawals", ["operation_id"], unique=False, schema="exchange"
    )
    op.create_index("ix_withdrawals_status", "withdrawals", ["status", "id"], unique=False, schema="exchange")
    op.create_table(
        "operation_steps",
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(
                "pending",
                "running",
                "done",
                "failed",
                "skipped",
                "undone",
                name="step_status",
                schema="platform",
                create_type=False,
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("links", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["platform.operations.id"], name=op.f("fk_operation_steps_operation_id_operations")
        ),
        sa.PrimaryKeyConstraint("operation_id", "name", name=op.f("pk_operation_steps")),
        schema="platform",
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_status")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["platform.webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id_webhooks")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        schema="platform",
    )
    op.create_index(
        "ix_webhook_deliveries_undispatched",
        "webhook_deliveries",
        ["id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("dispatched_at IS NULL"),
    )
    op.create_index(
        "uq_webhook_deliveries_event", "webhook_deliveries", ["webhook_id", "event_id"], unique=True, schema="platform"
    )
    op.execute((Path(__file__).with_suffix(".sql")).read_text())


def _create_enums() -> None:
    postgresql.ENUM("admin", "operator", "trader", "creator", name="account_role", schema="platform").create(
        op.get_bind()
    )
    postgresql.ENUM(
        "pending", "running", "done", "failed", "skipped", "undone", name="step_status", schema="platform"
    ).create(op.get_bind())
    postgresql.ENUM(
        "requested",
        "pending_approval",
        "approved",
        "signed",
        "broadcast",
        "confirming",
        "settled",
        "rejected",
        "cancelled",
        "failed",
        name="withdrawal_status",
        schema="exchange",
    ).create(op.get_bind())
    postgresql.ENUM(
        "running",
        "waiting",
        "completed",
        "failed",
        "cancelled",
        "needs_operator",
        name="operation_status",
        schema="platform",
    ).create(op.get_bind())
    postgresql.ENUM(
        "seen", "confirming", "credited", "orphaned", "ignored", name="deposit_status", schema="exchange"
    ).create(op.get_bind())
    postgresql.ENUM("single", "pending", "post", "void", name="transfer_phase", schema="platform").create(op.get_bind())
    postgresql.ENUM("withdrawal", "sweep", "gas_top_up", "no_op", name="transaction_purpose", schema="exchange").create(
        op.get_bind()
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; see docs/how_to/migrations.md")
