"""The market: assets, orders and their verdicts, positions."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from storage.tables.base import (
    at,
    atto,
    choice,
    created_at,
    metadata,
    micros,
    of_account,
    of_asset,
    of_operation,
    uuid_key,
    words,
)

asset_status = choice("asset_status", "exchange", "funding", "active", "halted", "cancelled")
side = choice("trade_side", "exchange", "buy", "sell")
trade_status = choice("trade_status", "exchange", "pending", "filled", "rejected")

# The row every change of a market locks first: engine, funding, LP payouts, halts.
# `supply_atto` to `verdicts` belong to the engine; `lp_shares_micros` to funding and payouts.
assets = Table(
    "assets",
    metadata,
    uuid_key(),
    words("symbol", unique=True),
    words("name"),
    Column("status", asset_status, nullable=False, server_default="funding"),
    micros("p0_micros"),
    atto("k_atto"),
    Column("fee_bps", Integer, nullable=False),
    Column("lp_part_bps", Integer, nullable=False),
    # 0 switches the circuit breaker off
    Column("breaker_bps", Integer, nullable=False),
    micros("soft_cap_micros"),
    micros("hard_cap_micros"),
    at("funding_deadline", nullable=False),
    Column("oracle_queries", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # which engine serves it: shard modulo the number of engines
    Column("shard", SmallInteger, nullable=False),
    atto("supply_atto", default=0),
    micros("lp_shares_micros", default=0),
    atto("fee_index", default=0),
    atto("fee_carry", default=0),
    Column("fills", BigInteger, nullable=False, server_default=text("0")),
    Column("verdicts", BigInteger, nullable=False, server_default=text("0")),
    at("activated_at"),
    at("cancelled_at"),
    Column("created_by", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=True),
    of_operation(),
    created_at(),
    CheckConstraint("p0_micros >= 1 AND k_atto >= 0", name="curve"),
    CheckConstraint("fee_bps BETWEEN 30 AND 200", name="fee"),
    CheckConstraint("lp_part_bps BETWEEN 0 AND 10000", name="lp_part"),
    CheckConstraint("breaker_bps BETWEEN 0 AND 10000", name="breaker"),
    CheckConstraint("soft_cap_micros > 0 AND hard_cap_micros >= soft_cap_micros", name="caps"),
    CheckConstraint("supply_atto >= 0 AND lp_shares_micros >= 0", name="not_negative"),
    Index("ix_assets_status", "status"),
    schema="exchange",
    postgresql_with={"fillfactor": "50"},
)

# One row an order, from acceptance to verdict. `asked` and `min_out`: micros or atto-shares, by side.
# `verdict` numbers the verdicts of an asset in the order in which they were given: what a replay follows.
trades = Table(
    "trades",
    metadata,
    uuid_key(),
    # the order of acceptance; counted once, so unique without an index
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    of_asset(),
    of_account(),
    Column("side", side, nullable=False),
    words("kind", default="market"),
    atto("asked"),
    atto("min_out", default=0),
    Column("shard", SmallInteger, nullable=False),
    Column("status", trade_status, nullable=False, server_default="pending"),
    words("reject_code", nullable=True),
    atto("shares_atto", nullable=True),
    micros("amount_micros", nullable=True),
    micros("pool_micros", nullable=True),
    micros("fee_micros", nullable=True),
    micros("lp_fee_micros", nullable=True),
    micros("realised_micros", nullable=True),
    micros("spot_before_micros", nullable=True),
    micros("spot_after_micros", nullable=True),
    Column("verdict", BigInteger, nullable=True),
    # what the rules saw of other flows: the account's USDC and the principal that earns fees; a replay needs them
    micros("saw_usdc_micros", nullable=True),
    micros("saw_lp_shares_micros", nullable=True),
    # the clock of its batch, as the rules saw it
    at("executed_at"),
    # its batch failed because of it: the engine leaves it alone until an operator has decided (quarantine)
    at("parked_at"),
    created_at(),
    CheckConstraint("asked > 0 AND min_out >= 0", name="asked"),
    CheckConstraint("(status = 'pending') = (verdict IS NULL)", name="verdict"),
    CheckConstraint("(status = 'rejected') = (reject_code IS NOT NULL)", name="reject_code"),
    CheckConstraint("(status = 'filled') = (shares_atto IS NOT NULL)", name="filled"),
    Index("ix_trades_pending", "seq", postgresql_where=text("status = 'pending' AND parked_at IS NULL")),
    Index("ix_trades_parked", "id", postgresql_where=text("parked_at IS NOT NULL")),
    Index("uq_trades_verdict", "asset_id", "verdict", unique=True, postgresql_where=text("verdict IS NOT NULL")),
    Index("ix_trades_account_id", "account_id", "id"),
    Index("ix_trades_asset_id", "asset_id", "id"),
    Index("ix_trades_executed_at", "asset_id", "executed_at", postgresql_where=text("status = 'filled'")),
    schema="exchange",
)

positions = Table(
    "positions",
    metadata,
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), primary_key=True),
    Column("asset_id", Uuid, ForeignKey("exchange.assets.id"), primary_key=True),
    atto("shares_atto"),
    # what the shares held now have cost, fees included
    micros("cost_micros"),
    micros("realised_micros"),
    at("updated_at", default=True),
    created_at(),
    CheckConstraint("shares_atto >= 0 AND cost_micros >= 0", name="not_negative"),
    # whole keys: a session that planned while the table was small may look up by this one, not by the primary key
    Index("ix_positions_asset_id", "asset_id", "account_id"),
    schema="exchange",
    postgresql_with={"fillfactor": "70"},
)

# How each engine does, written once a second while it works: what the gauges show.
engines = Table(
    "engines",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("verdicts", BigInteger, nullable=False, server_default=text("0")),
    Column("batches", BigInteger, nullable=False, server_default=text("0")),
    Column("last_batch_orders", Integer, nullable=False, server_default=text("0")),
    Column("last_batch_us", Integer, nullable=False, server_default=text("0")),
    at("taken_over_at", nullable=False),
    at("seen_at", nullable=False),
    created_at(),
    schema="exchange",
)
