"""Prices beside the curve: what the price engine knows, ticks, halts, oracle signals."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import at, atto, choice, created_at, metadata, micros, of_asset, of_operation, uuid_key, words

tick_cause = choice("tick_cause", "exchange", "trade", "oracle", "heartbeat")
signal_status = choice("oracle_signal_status", "exchange", "accepted", "applied", "failed")

# What the price engine knows of an asset, apart from the row that trades lock.
# `fundamental_pico`: F in 10^-12 USDC, because one signal may move it by less than a micro.
asset_prices = Table(
    "asset_prices",
    metadata,
    Column("asset_id", Uuid, ForeignKey("exchange.assets.id"), primary_key=True),
    atto("fundamental_pico"),
    micros("display_micros"),
    micros("market_micros"),
    Column("weight_bps", Integer, nullable=False),
    micros("volume_5m_micros", default=0),
    # no signal could be had: the market weighs 0.95 until then (EX-065)
    at("degraded_until"),
    # the newest verdict on an order that a tick has summed up
    Column("verdict", BigInteger, nullable=False, server_default=text("0")),
    # ticks from here on count for the circuit breaker: the one of the first fill, or the one that tripped it last
    at("guarded_from"),
    # none before the first tick
    at("ticked_at"),
    created_at(),
    schema="exchange",
)

price_ticks = Table(
    "price_ticks",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    of_asset(),
    Column("cause", tick_cause, nullable=False),
    micros("display_micros"),
    micros("market_micros"),
    # of the trades this tick sums up; equal to the market price when there were none
    micros("market_low_micros"),
    micros("market_high_micros"),
    micros("volume_micros", default=0),
    atto("fundamental_pico"),
    Column("weight_bps", Integer, nullable=False),
    micros("volume_5m_micros"),
    at("ticked_at", nullable=False),
    created_at(),
    Index("uq_price_ticks_ticked_at", "asset_id", text("ticked_at DESC"), unique=True),
    schema="exchange",
)

asset_halts = Table(
    "asset_halts",
    metadata,
    uuid_key(),
    of_asset(),
    # circuit_breaker or the operator's reason
    words("cause"),
    words("started_by"),
    at("until", nullable=False),
    at("ended_at"),
    words("ended_by", nullable=True),
    micros("old_price_micros", nullable=True),
    micros("new_price_micros", nullable=True),
    Column("change_bps", Integer, nullable=True),
    Column("seconds_since_tick", Integer, nullable=True),
    of_operation(),
    created_at(),
    Index("ix_asset_halts_asset_id", "asset_id", "id"),
    # one halt at a time
    Index("uq_asset_halts_open", "asset_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    schema="exchange",
)

oracle_signals = Table(
    "oracle_signals",
    metadata,
    uuid_key(),
    of_asset(),
    Column("status", signal_status, nullable=False),
    words("reason", default=""),
    # what the model said, and what was applied after the bounds
    Column("delta_bps", Integer, nullable=True),
    Column("applied_bps", Integer, nullable=True),
    Column("confidence_bps", Integer, nullable=True),
    words("summary", default=""),
    Column("source_urls", JSONB, nullable=False, server_default=text("'[]'")),
    # provenance: provider, model, queries, what the search gave, the prompt's hash, the raw answers
    Column("provenance", JSONB, nullable=False, server_default=text("'{}'")),
    atto("fundamental_before_pico", nullable=True),
    atto("fundamental_after_pico", nullable=True),
    at("applied_at"),
    of_operation(),
    created_at(),
    Index("ix_oracle_signals_asset_id", "asset_id", "id"),
    schema="exchange",
)
