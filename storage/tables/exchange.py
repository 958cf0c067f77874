"""Custody: the chain as we saw it, deposits, withdrawals, and every byte we signed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Uuid,
    text,
)

from storage.tables.base import at, choice, created_at, metadata, micros, uint256, uuid_key, words

deposit_status = choice("deposit_status", "exchange", "seen", "confirming", "credited", "orphaned", "ignored")
withdrawal_status = choice(
    "withdrawal_status",
    "exchange",
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
)
purpose = choice("transaction_purpose", "exchange", "withdrawal", "sweep", "gas_top_up", "no_op")

deposit_addresses = Table(
    "deposit_addresses",
    metadata,
    uuid_key(),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("derivation_index", Integer, nullable=False),
    words("derivation_path"),
    words("address"),
    at("retired_at"),
    created_at(),
    CheckConstraint("address = lower(address)", name="lower_case"),
    Index("uq_deposit_addresses_address", "chain_id", "address", unique=True),
    Index("uq_deposit_addresses_index", "chain_id", "derivation_index", unique=True),
    Index(
        "uq_deposit_addresses_active",
        "account_id",
        "chain_id",
        unique=True,
        postgresql_where=text("retired_at IS NULL"),
    ),
    Index("ix_deposit_addresses_account_id", "account_id"),
    schema="exchange",
)

chain_cursors = Table(
    "chain_cursors",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("next_block", BigInteger, nullable=False),
    Column("head_block", BigInteger, nullable=False),
    Column("safe_block", BigInteger, nullable=False),
    Column("finalized_block", BigInteger, nullable=False),
    words("halted_reason", nullable=True),
    at("updated_at", default=True),
    created_at(),
    schema="exchange",
)

chain_blocks = Table(
    "chain_blocks",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    words("hash"),
    words("parent_hash"),
    created_at(),
    schema="exchange",
)

deposits = Table(
    "deposits",
    metadata,
    uuid_key(),
    Column("chain_id", BigInteger, nullable=False),
    words("tx_hash"),
    Column("log_ordinal", Integer, nullable=False),
    Column("generation", Integer, nullable=False, server_default=text("0")),
    Column("block_number", BigInteger, nullable=False),
    words("block_hash"),
    Column("log_index", Integer, nullable=False),
    words("token"),
    words("from_address"),
    words("to_address"),
    uint256("amount"),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=True, index=True),
    Column("status", deposit_status, nullable=False),
    words("reason", nullable=True),
    Column("required_confirmations", Integer, nullable=False, server_default=text("0")),
    # the tag that must have passed the block as well: safe, finalized or null
    words("required_tag", nullable=True),
    Column("due_block", BigInteger, nullable=False, server_default=text("0")),
    at("signalled_at"),
    # deep enough, but below the minimum: waits for more on the same address
    at("confirmed_at"),
    # an orphan's process ended (its block was finalized away); re-inclusion starts the next generation
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    at("credited_at"),
    # its process has seen the credit, or runs no more; until then the head watcher tells it
    at("told_at"),
    Column("operation_id", Uuid, ForeignKey("platform.operations.id"), nullable=True, index=True),
    created_at(),
    at("updated_at", default=True),
    Index("uq_deposits_identity", "chain_id", "tx_hash", "log_ordinal", unique=True),
    Index(
        "ix_deposits_due",
        "chain_id",
        "due_block",
        postgresql_where=text("status IN ('seen', 'confirming') AND confirmed_at IS NULL"),
    ),
    Index("ix_deposits_seen", "chain_id", "block_number", postgresql_where=text("status = 'seen'")),
    Index(
        "ix_deposits_orphaned", "chain_id", "block_number", postgresql_where=text("status = 'orphaned' AND NOT closed")
    ),
    Index(
        "ix_deposits_untold",
        "chain_id",
        "credited_at",
        postgresql_where=text("status = 'credited' AND told_at IS NULL"),
    ),
    Index("ix_deposits_block_number", "chain_id", "block_number"),
    Index("ix_deposits_to_address", "to_address", "status"),
    Index("ix_deposits_account_status", "account_id", "status", "id"),
    schema="exchange",
)

withdrawal_addresses = Table(
    "withdrawal_addresses",
    metadata,
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), primary_key=True),
    words("address", primary_key=True),
    at("usable_at", nullable=False),
    created_at(),
    schema="exchange",
)

withdrawals = Table(
    "withdrawals",
    metadata,
    uuid_key(),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    words("to_address"),
    micros("amount_micros"),
    micros("fee_micros", default=0),
    Column("status", withdrawal_status, nullable=False, server_default="requested"),
    words("reason", nullable=True),
    words("failure_code", nullable=True),
    words("requested_by"),
    words("decided_by", nullable=True),
    words("tx_hash", nullable=True),
    Column("mined_block", BigInteger, nullable=True),
    Column("operation_id", Uuid, ForeignKey("platform.operations.id"), nullable=True, index=True),
    created_at(),
    at("updated_at", default=True),
    at("finished_at"),
    CheckConstraint("amount_micros > 0 AND fee_micros >= 0", name="amounts"),
    Index("ix_withdrawals_account_id", "account_id", "created_at"),
    Index("ix_withdrawals_status", "status", "id"),
    Index("ix_withdrawals_created_at", "created_at"),
    schema="exchange",
)

wallets = Table(
    "wallets",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    words("address", primary_key=True),
    Column("next_nonce", BigInteger, nullable=False),
    words("halted_reason", nullable=True),
    created_at(),
    schema="exchange",
)

transactions = Table(
    "transactions",
    metadata,
    uuid_key(),
    Column("chain_id", BigInteger, nullable=False),
    words("wallet"),
    Column("nonce", BigInteger, nullable=False),
    Column("purpose", purpose, nullable=False),
    Column("ref_id", Uuid, nullable=False),
    words("to_address"),
    uint256("value_wei"),
    Column("data", LargeBinary, nullable=False),
    Column("gas_limit", BigInteger, nullable=False),
    words("mined_hash", nullable=True),
    Column("mined_block", BigInteger, nullable=True),
    at("finished_at"),
    created_at(),
    # one nonce, one purpose: a second nonce for the same payment cannot be written
    Index("uq_transactions_nonce", "chain_id", "wallet", "nonce", unique=True),
    Index("uq_transactions_purpose", "purpose", "ref_id", unique=True),
    schema="exchange",
)

signed_transactions = Table(
    "signed_transactions",
    metadata,
    words("tx_hash", primary_key=True),
    Column("transaction_id", Uuid, ForeignKey("exchange.transactions.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    uint256("max_fee_wei"),
    uint256("priority_fee_wei"),
    at("broadcast_at"),
    created_at(),
    Index("uq_signed_transactions_attempt", "transaction_id", "attempt", unique=True),
    schema="exchange",
)

sweeps = Table(
    "sweeps",
    metadata,
    uuid_key(),
    Column("chain_id", BigInteger, nullable=False),
    words("address"),
    micros("amount_micros"),
    uint256("top_up_wei"),
    words("status", default="open"),
    Column("operation_id", Uuid, ForeignKey("platform.operations.id"), nullable=True, index=True),
    created_at(),
    at("finished_at"),
    CheckConstraint("status IN ('open', 'done', 'failed')", name="status"),
    # one sweep at a time per address
    Index("uq_sweeps_open", "chain_id", "address", unique=True, postgresql_where=text("status = 'open'")),
    schema="exchange",
)
