"""Launchpad: transactions on Solana and their attempts; sales, what happened in them, positions, referrals, taxes."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import at, choice, created_at, metadata, of_operation, uuid_key, words
from storage.tables.launchpad import SCHEMA, curve_type, lamports, of_project, units

transaction_status = choice("transaction_status", SCHEMA, "planned", "landed", "finalized", "failed", "abandoned")
attempt_status = choice("attempt_status", SCHEMA, "issued", "signed", "landed", "failed", "expired")
sale_status = choice("sale_status", SCHEMA, "upcoming", "active", "graduated", "refunding", "refunded", "cancelled")

# One effect on the chain, named by `key`, which is its idempotency: `launch:{id}:mint`, `sale:{id}:graduate`, ...
# `instructions`: [{program, accounts: [{address, signer, writable}], data (base64)}]; fixed once written.
# `account_id`: who has asked for a trade, and hands it in.
transactions = Table(
    "transactions",
    metadata,
    uuid_key(),
    words("key", unique=True),
    words("subject_kind"),
    Column("subject_id", Uuid, nullable=False),
    words("payer"),
    Column("instructions", JSONB, nullable=False),
    lamports("most_lamports"),
    Column("status", transaction_status, nullable=False, server_default=text("'planned'")),
    words("signature", nullable=True, unique=True),
    Column("slot", BigInteger),
    Column("err", JSONB),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), index=True),
    at("updated_at", default=True),
    created_at(),
    Index("ix_transactions_subject", "subject_kind", "subject_id", "updated_at"),
    Index("ix_transactions_status", "status"),
    schema=SCHEMA,
)

# Durable nonces of the platform's wallet `authority`: accounts on the chain, made by the plan `nonce:{id}`. Lent to one
# transaction at a time, until that is settled.
nonces = Table(
    "nonces",
    metadata,
    uuid_key(),
    words("address", unique=True),
    words("authority"),
    Column("transaction_id", Uuid, ForeignKey("launchpad.transactions.id"), unique=True),
    created_at(),
    schema=SCHEMA,
)

# One message of it: bytes that may be sent again for ever. A next attempt exists only when the one before is proven
# expired. `issued`: a wallet's signature is awaited; `raw`: complete, with every signature. `lost_lamports`: of the
# platform's wallet, as tried out until it has landed (storage/launchpad/day_limit.py).
transaction_attempts = Table(
    "transaction_attempts",
    metadata,
    Column("transaction_id", Uuid, ForeignKey("launchpad.transactions.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("status", attempt_status, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Column("raw", LargeBinary),
    words("signature", nullable=True, unique=True),
    words("blockhash"),
    Column("nonce_id", Uuid, ForeignKey("launchpad.nonces.id")),
    Column("nonce_slot", BigInteger),
    Column("last_valid_height", BigInteger),
    Column("compute_limit", Integer, nullable=False),
    Column("compute_price_micro_lamports", BigInteger, nullable=False),
    lamports("fee_lamports"),
    lamports("lost_lamports", default=0),
    Column("err", JSONB),
    Column("slot", BigInteger),
    at("ended_at"),
    created_at(),
    CheckConstraint("(nonce_id IS NULL) = (nonce_slot IS NULL)", name="nonce"),
    Index("ix_transaction_attempts_message", "message", postgresql_using="hash"),
    Index("ix_transaction_attempts_ended_at", "ended_at"),
    Index("ix_transaction_attempts_nonce_id", "nonce_id", postgresql_where=text("nonce_id IS NOT NULL")),
    Index("ix_transaction_attempts_signed", "transaction_id", postgresql_where=text("status = 'signed'")),
    schema=SCHEMA,
)

# A curve sale: terms as created on chain. `sold`, `raised`, `held` and `tax_total` are the fold of `sale_events`; what
# the account said at `read_slot` is `counters` (and `tax_held`): the two are compared. No CHECK on a fold: an event
# that nobody could read must make them differ, not stop the feed. `cursor`: the last signature that was read, in slot
# `cursor_slot`.
sales = Table(
    "sales",
    metadata,
    uuid_key(),
    of_project(),
    words("address", unique=True),
    words("mint", unique=True),
    words("vault"),
    words("creator"),
    words("platform"),
    words("program_id"),
    words("token_program"),
    Column("curve_type", curve_type, nullable=False),
    units("initial_price"),
    units("target_price"),
    Column("decimals", Integer, nullable=False),
    units("sale_supply"),
    units("liquidity_supply"),
    units("team_supply"),
    units("other_supply"),
    units("most"),
    units("max_wallet", default=0),
    lamports("soft_cap_lamports"),
    lamports("hard_cap_lamports"),
    Column("tax_bps", Integer, nullable=False),
    Column("referral_bps", Integer, nullable=False),
    at("starts_at", nullable=False),
    at("ends_at", nullable=False),
    Column("cliff_seconds", BigInteger, nullable=False, server_default=text("0")),
    Column("vest_seconds", BigInteger, nullable=False, server_default=text("0")),
    Column("status", sale_status, nullable=False, server_default=text("'upcoming'")),
    units("sold", default=0),
    lamports("raised_lamports", default=0),
    units("held", default=0),
    lamports("tax_held_lamports", default=0),
    lamports("tax_total_lamports", default=0),
    Column("counters", JSONB, nullable=False, server_default=text("'{}'")),
    at("latched_at"),
    at("graduated_at"),
    words("pool_address", nullable=True),
    words("cursor", default=""),
    Column("cursor_slot", BigInteger, nullable=False, server_default=text("0")),
    Column("read_slot", BigInteger, nullable=False, server_default=text("0")),
    at("read_at"),
    of_operation(),
    created_at(),
    Index("ix_sales_status", "status"),
    schema=SCHEMA,
)

# Everything the program emitted in finalized transactions, once each, in the chain's order. Never changed.
sale_events = Table(
    "sale_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("sale_id", Uuid, ForeignKey("launchpad.sales.id"), nullable=False),
    words("signature"),
    Column("ordinal", Integer, nullable=False),
    Column("slot", BigInteger, nullable=False),
    at("block_time"),
    words("kind"),
    words("wallet", nullable=True),
    units("tokens", nullable=True),
    lamports("value_lamports", nullable=True),
    lamports("tax_lamports", nullable=True),
    Column("data", JSONB, nullable=False),
    created_at(),
    Index("uq_sale_events_place", "signature", "ordinal", unique=True),
    Index("ix_sale_events_sale", "sale_id", "id"),
    Index(
        "ix_sale_events_after",
        "sale_id",
        "kind",
        postgresql_where=text("kind IN ('Graduated', 'VestedClaimed', 'PositionClosed')"),
    ),
    Index("ix_sale_events_wallet", "wallet", "id"),
    schema=SCHEMA,
)

# What a wallet has in a sale, folded from its events.
sale_positions = Table(
    "sale_positions",
    metadata,
    Column("sale_id", Uuid, ForeignKey("launchpad.sales.id"), primary_key=True),
    words("wallet", primary_key=True),
    units("bought", default=0),
    units("sold", default=0),
    units("held", default=0),
    units("claimed", default=0),
    lamports("paid_lamports", default=0),
    lamports("received_lamports", default=0),
    lamports("tax_lamports", default=0),
    lamports("refunded_lamports", default=0),
    words("referrer", nullable=True),
    at("updated_at", default=True),
    created_at(),
    Index("ix_sale_positions_wallet", "wallet"),
    schema=SCHEMA,
)

# The chain of uplines of a wallet: one row a level. One upline a level for every token of a program (CG-076).
referrals = Table(
    "referrals",
    metadata,
    words("program_account", primary_key=True),
    words("referee_address", primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    words("referrer_address"),
    lamports("earned_lamports", default=0),
    lamports("claimed_lamports", default=0),
    Column("transaction_count", Integer, nullable=False, server_default=text("0")),
    at("updated_at", default=True),
    created_at(),
    CheckConstraint("level BETWEEN 1 AND 5", name="level"),
    Index("ix_referrals_referrer_address", "referrer_address"),
    schema=SCHEMA,
)

# One payment of collected tax, as the chain says it happened.
tax_distributions = Table(
    "tax_distributions",
    metadata,
    uuid_key(),
    Column("sale_id", Uuid, ForeignKey("launchpad.sales.id"), nullable=False, index=True),
    words("signature"),
    Column("ordinal", Integer, nullable=False),
    lamports("marketing_lamports"),
    lamports("treasury_lamports"),
    lamports("rewards_lamports"),
    lamports("burn_lamports", default=0),
    units("burned", default=0),
    Column("on_chain_data", JSONB, nullable=False),
    at("distributed_at"),
    created_at(),
    Index("uq_tax_distributions_place", "signature", "ordinal", unique=True),
    schema=SCHEMA,
)
