"""Copytrade: rules, groups of fills, the inputs of a decision, attempts and their fills."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.tables.base import at, choice, created_at, metadata, micros, of_operation, uuid_key, words
from storage.tables.copytrade import SCHEMA, flag, of_user

config_scope = choice("config_scope", SCHEMA, "GLOBAL", "USER")
portfolio_scope = choice("portfolio_scope", SCHEMA, "SHADOW_USER", "EXEC_USER", "EXEC_GLOBAL")
decision = choice("copy_decision", SCHEMA, "EXECUTE", "SKIP")
group_kind = choice("group_kind", SCHEMA, "BUY", "SELL", "SPLIT", "MERGE", "REDEEM", "CONVERSION")
source_type = choice("copy_source", SCHEMA, "IMMEDIATE", "BUFFER", "AGGREGATOR")

# What was set, by whom and why. `config`: all keys for GLOBAL, those that differ for USER.
config_versions = Table(
    "config_versions",
    metadata,
    Column("version", BigInteger, Identity(always=True), primary_key=True),
    Column("scope", config_scope, nullable=False),
    of_user(nullable=True),
    Column("config", JSONB, nullable=False),
    words("actor"),
    words("reason", default=""),
    created_at(),
    CheckConstraint("(scope = 'GLOBAL') = (followed_user_id IS NULL)", name="scope"),
    Index("ix_config_versions_user", "followed_user_id", "version"),
    schema=SCHEMA,
)

# Versions are never removed, so none of those who name one has a foreign key to it.
# The merged rules, written with every change of either part. The newest of a user (null: GLOBAL) is in force.
effective_configs = Table(
    "effective_configs",
    metadata,
    Column("version", BigInteger, Identity(always=True), primary_key=True),
    of_user(nullable=True),
    Column("general_version", BigInteger, nullable=False),
    Column("user_version", BigInteger),
    Column("config", JSONB, nullable=False),
    created_at(),
    Index("ix_effective_configs_user", "followed_user_id", "version"),
    schema=SCHEMA,
)

event_groups = Table(
    "event_groups",
    metadata,
    Column("group_key", Text, primary_key=True),
    of_user(),
    Column("kind", group_kind, nullable=False),
    words("condition_id"),
    Column("token_ids", ARRAY(Text), nullable=False),
    at("window_start", nullable=False),
    at("window_end", nullable=False),
    at("event_time", nullable=False),
    # the first canonical row's; rows detected until `frozen_at` join
    at("detect_time", nullable=False),
    at("frozen_at", nullable=False),
    at("due_at", nullable=False),
    Column("jitter_ms", Integer, nullable=False),
    Column("number", Integer, nullable=False, server_default=text("0")),
    micros("share_micros"),
    micros("notional_micros"),
    micros("price_micros"),
    micros("usdc_micros"),
    micros("fee_micros"),
    Column("fills", Integer, nullable=False),
    # what put it together; how many small trades waited in it for company (domain/copytrade/waiting.py)
    Column("source_type", source_type, nullable=False, server_default=text("'AGGREGATOR'")),
    Column("buffered_count", Integer, nullable=False, server_default=text("0")),
    at("dispatched_at"),
    # when the attempt of the leader's own portfolio, of the global one was written: what is null is still to be decided
    at("user_decided_at"),
    at("global_decided_at"),
    created_at(),
    Index("ix_event_groups_order", "detect_time", "group_key"),
    Index(
        "ix_event_groups_user_undecided",
        *("followed_user_id", "detect_time", "group_key"),
        postgresql_where=text("user_decided_at IS NULL"),
    ),
    Index(
        "ix_event_groups_global_undecided",
        *("detect_time", "group_key"),
        postgresql_where=text("global_decided_at IS NULL"),
    ),
    Index("ix_event_groups_user", "followed_user_id", "detect_time"),
    Index("ix_event_groups_undispatched", "due_at", postgresql_where=text("dispatched_at IS NULL")),
    schema=SCHEMA,
)

# Which events a group consists of; an event belongs to one group.
group_members = Table(
    "group_members",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("group_key", Text, ForeignKey("copytrade.event_groups.group_key"), nullable=False, index=True),
    created_at(),
    schema=SCHEMA,
)

# One a group, and only the first: the book, and all else a decision depends on (domain/copytrade/inputs.py).
group_inputs = Table(
    "group_inputs",
    metadata,
    Column("group_key", Text, ForeignKey("copytrade.event_groups.group_key"), primary_key=True),
    at("requested_at", nullable=False),
    at("received_at", nullable=False),
    Column("lateness_us", BigInteger, nullable=False),
    Column("requests", Integer, nullable=False),
    # the venue's own JSON; null: BOOK_UNAVAILABLE, or the group needs none
    Column("book", JSONB),
    words("book_source", default="rest"),
    Column("facts", JSONB, nullable=False),
    Column("config_version", BigInteger, nullable=False),
    Column("general_version", BigInteger, nullable=False),
    created_at(),
    schema=SCHEMA,
)

copy_attempts = Table(
    "copy_attempts",
    metadata,
    uuid_key(),
    # the order of decisions in a scope
    Column("ordinal", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("portfolio_scope", portfolio_scope, nullable=False),
    of_user(),
    Column("group_key", Text, ForeignKey("copytrade.event_groups.group_key"), nullable=False),
    Column("decision", decision, nullable=False),
    Column("reason_codes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    micros("target_notional_micros"),
    micros("filled_notional_micros", default=0),
    micros("filled_share_micros", default=0),
    Column("filled_ratio_bps", Integer, nullable=False, server_default=text("0")),
    micros("vwap_price_micros", nullable=True),
    micros("fee_micros", default=0),
    micros("their_reference_price_micros"),
    micros("mid_price_micros_at_decision", nullable=True),
    # of the price, signed so that + is a cost on both sides
    micros("slippage_micros", nullable=True),
    # `minimum` or `maximum` when the size was clamped
    words("clamped", default=""),
    Column("detect_lag_ms", BigInteger, nullable=False),
    Column("copy_lag_ms", BigInteger, nullable=False),
    Column("source_type", source_type, nullable=False, server_default=text("'AGGREGATOR'")),
    Column("buffered_count", Integer, nullable=False, server_default=text("0")),
    # persisted after a greater one had been decided
    flag("out_of_order"),
    # guard by guard with its numbers; the sizes; the portfolio as it was
    Column("guards", JSONB, nullable=False),
    Column("sizing", JSONB, nullable=False),
    Column("portfolio", JSONB, nullable=False),
    Column("config_version", BigInteger, nullable=False),
    at("decided_at", nullable=False),
    created_at(),
    CheckConstraint("decision = 'EXECUTE' OR cardinality(reason_codes) > 0", name="skip_has_reasons"),
    CheckConstraint("filled_ratio_bps BETWEEN 0 AND 10000", name="filled_ratio_bps"),
    Index(
        "uq_copy_attempts_group",
        "portfolio_scope",
        "followed_user_id",
        "group_key",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_copy_attempts_group_key", "group_key"),
    Index("ix_copy_attempts_scope", "portfolio_scope", "created_at"),
    Index("ix_copy_attempts_user", "followed_user_id", "created_at"),
    schema=SCHEMA,
)

executable_fills = Table(
    "executable_fills",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("copy_attempt_id", Uuid, ForeignKey("copytrade.copy_attempts.id"), nullable=False),
    Column("level", Integer, nullable=False),
    micros("filled_share_micros"),
    micros("fill_price_micros"),
    micros("fill_notional_micros"),
    micros("fee_micros", default=0),
    created_at(),
    Index("uq_executable_fills_level", "copy_attempt_id", "level", unique=True),
    schema=SCHEMA,
)

# Test config: what the rules proposed would have done with the stored inputs of a time.
config_tests = Table(
    "config_tests",
    metadata,
    uuid_key(),
    words("requested_by"),
    at("from_at", nullable=False),
    at("until_at", nullable=False),
    Column("proposed", JSONB, nullable=False),
    of_user(nullable=True, index=True),
    Column("done", Boolean, nullable=False, server_default=text("false")),
    Column("result", JSONB),
    of_operation(),
    created_at(),
    schema=SCHEMA,
)
