"""Copytrade: whom we follow, markets, and what was seen of the leaders. Events are never changed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.tables.base import at, choice, created_at, metadata, micros, of_operation, uuid_key, words

SCHEMA = "copytrade"

follow_mode = choice("follow_mode", SCHEMA, "full", "reduce_only", "off")
leg_policy = choice("leg_policy", SCHEMA, "sell_held", "hold", "skip")
side = choice("trade_side", SCHEMA, "BUY", "SELL")
event_source = choice("event_source", SCHEMA, "POLYMARKET_API", "POLYMARKET_CHAIN", "POLYMARKET_POSITIONS")
application_state = choice("application_state", SCHEMA, "applied", "waiting", "not_applicable", "ignored")


def flag(name: str, default: str = "false") -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text(default))


def of_user(*, nullable: bool = False, index: bool = False) -> Column[str]:
    return Column("followed_user_id", Uuid, ForeignKey("copytrade.followed_users.id"), nullable=nullable, index=index)


def of_market(*, nullable: bool = False) -> Column[str]:
    return Column("condition_id", Text, ForeignKey("copytrade.markets.condition_id"), nullable=nullable)


followed_users = Table(
    "followed_users",
    metadata,
    uuid_key(),
    words("label"),
    # what the operator gave: a wallet, a profile URL or a name
    words("profile"),
    # null until the venue has said who that is
    Column("profile_wallet", Text, unique=True),
    flag("enabled", "true"),
    Column("mode", follow_mode, nullable=False, server_default=text("'full'")),
    Column("leg_policy", leg_policy, nullable=False, server_default=text("'hold'")),
    # paper cash its executable portfolio starts with
    micros("bankroll_micros"),
    # an account, or who used the command line
    words("created_by"),
    # rows of the venue from here on are signals; what came before is the baseline
    at("followed_since", nullable=False),
    # the positions of that moment are in the shadow ledger; before, nothing is polled
    at("baseline_at"),
    at("unfollowed_at"),
    of_operation(),
    created_at(),
    schema=SCHEMA,
)

# Every address a leader trades from, the profile's own included.
followed_wallets = Table(
    "followed_wallets",
    metadata,
    Column("wallet", Text, primary_key=True),
    of_user(index=True),
    created_at(),
    schema=SCHEMA,
)

markets = Table(
    "markets",
    metadata,
    Column("condition_id", Text, primary_key=True),
    words("gamma_id", default=""),
    words("slug", default=""),
    words("question", default=""),
    words("event_id", default=""),
    flag("neg_risk"),
    words("neg_risk_market_id", default=""),
    words("version", default=""),
    at("closes_at", index=True),
    flag("active", "true"),
    flag("closed"),
    flag("accepting_orders", "true"),
    micros("tick_micros", nullable=True),
    micros("min_order_micros", nullable=True),
    Column("fee_rate_ppm", Integer),
    Column("fee_exponent", Integer),
    flag("fee_takers_only", "true"),
    flag("blacklisted"),
    words("resolution_status", default=""),
    # micros a share of each outcome pays, by place; null before it is resolved
    Column("payouts", ARRAY(BigInteger)),
    at("resolved_at"),
    # null: only its id has been seen yet
    at("read_at"),
    at("resolution_read_at"),
    created_at(),
    Index("ix_markets_event_id", "event_id"),
    schema=SCHEMA,
)

outcome_assets = Table(
    "outcome_assets",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("condition_id", Text, ForeignKey("copytrade.markets.condition_id"), nullable=False, index=True),
    # null until the market has been read: only the venue knows the order of its outcomes
    Column("place", Integer),
    words("outcome", default=""),
    created_at(),
    schema=SCHEMA,
)

# One canonical fill. `source_id`: sha256 of the venue's own fields and the occurrence number (the venue gives no id).
trade_events = Table(
    "trade_events",
    metadata,
    uuid_key(),
    Column("ordinal", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("source", event_source, nullable=False),
    words("source_id"),
    flag("is_canonical", "true"),
    of_user(),
    words("wallet"),
    words("tx_hash"),
    of_market(),
    words("token_id"),
    Column("side", side, nullable=False),
    micros("price_micros"),
    micros("share_micros"),
    # price · size; the cash that moved, fee included; the difference
    micros("notional_micros"),
    micros("usdc_micros"),
    micros("fee_micros"),
    Column("occurrence", Integer, nullable=False),
    at("event_time", nullable=False),
    at("detect_time", nullable=False),
    # of before following began: known, never applied
    flag("baseline"),
    # read by a backfill: applied to the shadow, never copied
    flag("backfilled"),
    Column("raw", JSONB, nullable=False),
    created_at(),
    UniqueConstraint("source", "source_id"),
    Index("ix_trade_events_user", "followed_user_id", "event_time"),
    Index("ix_trade_events_wallet", "wallet", "event_time"),
    Index("ix_trade_events_token_id", "token_id", "event_time"),
    Index("ix_trade_events_market", "condition_id", "event_time"),
    Index("ix_trade_events_tx_hash", "tx_hash"),
    schema=SCHEMA,
)

# One canonical SPLIT, MERGE, REDEEM, CONVERSION or cash row.
activity_events = Table(
    "activity_events",
    metadata,
    uuid_key(),
    Column("ordinal", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("source", event_source, nullable=False),
    words("source_id"),
    flag("is_canonical", "true"),
    of_user(),
    words("wallet"),
    words("tx_hash"),
    words("kind"),
    words("condition_id"),
    words("token_id"),
    micros("share_micros"),
    micros("usdc_micros"),
    Column("occurrence", Integer, nullable=False),
    at("event_time", nullable=False),
    at("detect_time", nullable=False),
    flag("baseline"),
    flag("backfilled"),
    Column("raw", JSONB, nullable=False),
    created_at(),
    UniqueConstraint("source", "source_id"),
    Index("ix_activity_events_user", "followed_user_id", "event_time"),
    Index("ix_activity_events_tx_hash", "tx_hash"),
    schema=SCHEMA,
)

# What became of an activity event: the legs it moved, or why it moves none (yet).
activity_applications = Table(
    "activity_applications",
    metadata,
    Column("event_id", Uuid, ForeignKey("copytrade.activity_events.id"), primary_key=True),
    Column("state", application_state, nullable=False),
    words("detail", default=""),
    # [{"token_id", "shares"}] and the cash, micros
    Column("legs", JSONB, nullable=False, server_default=text("'[]'")),
    micros("cash_micros", default=0),
    at("looked_at"),
    created_at(),
    Index("ix_activity_applications_waiting", "looked_at", postgresql_where=text("state = 'waiting'")),
    schema=SCHEMA,
)

# Logs of the chain: they hasten a poll and check its rows; they never move a portfolio.
chain_logs = Table(
    "chain_logs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    words("tx_hash"),
    Column("log_index", Integer, nullable=False),
    words("block_hash"),
    Column("block_number", BigInteger, nullable=False),
    at("block_time"),
    words("contract"),
    # fill, split, merge, redeem, convert
    words("kind"),
    words("wallet"),
    words("role", default=""),
    words("token_id", default=""),
    words("condition_id", default=""),
    Column("side", side),
    micros("share_micros"),
    micros("usdc_micros"),
    micros("fee_micros", default=0),
    of_user(index=True),
    at("arrived_at", nullable=False),
    flag("removed"),
    # when its sums were found equal to those of the canonical rows; and what differs if they are not
    at("verified_at"),
    words("mismatch", nullable=True),
    Column("raw", JSONB, nullable=False),
    created_at(),
    UniqueConstraint("tx_hash", "log_index", "block_hash"),
    # everything that looks at logs looks at the last hour's
    Index("ix_chain_logs_arrived_at", "arrived_at"),
    Index("ix_chain_logs_wallet", "wallet", "block_number"),
    schema=SCHEMA,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    at("updated_at", default=True),
    created_at(),
    schema=SCHEMA,
)

# Where a shadow and the venue disagree about a token; the row goes when they agree again.
shadow_drifts = Table(
    "shadow_drifts",
    metadata,
    Column("followed_user_id", Uuid, ForeignKey("copytrade.followed_users.id"), primary_key=True),
    Column("token_id", Text, primary_key=True),
    micros("shadow_micros"),
    micros("venue_micros"),
    Column("seen", Integer, nullable=False, server_default=text("1")),
    at("checked_at", nullable=False),
    created_at(),
    schema=SCHEMA,
)

# An operator's wish to read the last hours again.
backfills = Table(
    "backfills",
    metadata,
    uuid_key(),
    Column("hours", Integer, nullable=False),
    of_user(nullable=True, index=True),
    words("requested_by"),
    created_at(),
    schema=SCHEMA,
)
