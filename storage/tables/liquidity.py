"""Liquidity: contributions, what providers own, what was paid back and earned."""

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

contribution_status = choice("contribution_status", "exchange", "requested", "accepted", "refused", "refunded")
lp_withdrawal_status = choice("lp_withdrawal_status", "exchange", "requested", "queued", "paid", "cancelled", "refused")
claim_status = choice("lp_fee_claim_status", "exchange", "requested", "paid", "refused")

contributions = Table(
    "contributions",
    metadata,
    uuid_key(),
    of_asset(),
    of_account(index=True),
    micros("amount_micros"),
    Column("status", contribution_status, nullable=False, server_default="requested"),
    words("refuse_code", nullable=True),
    # vesting counts from here
    at("accepted_at"),
    at("refunded_at"),
    created_at(),
    CheckConstraint("amount_micros > 0", name="amount"),
    CheckConstraint("(status = 'refused') = (refuse_code IS NOT NULL)", name="refuse_code"),
    Index("ix_contributions_asset_id", "asset_id", "status", "id"),
    Index("ix_contributions_requested", "id", postgresql_where=text("status = 'requested'")),
    schema="exchange",
)

# 1 share micro = 1 micro of principal (CG-005). `fee_index_paid`: the asset's index when `fees_owed` was last settled.
lp_positions = Table(
    "lp_positions",
    metadata,
    Column("asset_id", Uuid, ForeignKey("exchange.assets.id"), primary_key=True),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), primary_key=True, index=True),
    micros("shares_micros"),
    micros("contributed_micros"),
    # all that was paid out, and the part of it that was paid at once
    micros("withdrawn_micros", default=0),
    micros("instant_micros", default=0),
    atto("fee_index_paid", default=0),
    micros("fees_owed_micros", default=0),
    micros("fees_claimed_micros", default=0),
    created_at(),
    CheckConstraint("shares_micros >= 0 AND fees_owed_micros >= 0 AND instant_micros >= 0", name="not_negative"),
    CheckConstraint("withdrawn_micros <= contributed_micros AND instant_micros <= withdrawn_micros", name="withdrawn"),
    schema="exchange",
)

# `seq` is the place in the queue of its pool.
lp_withdrawals = Table(
    "lp_withdrawals",
    metadata,
    uuid_key(),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    of_asset(),
    of_account(index=True),
    micros("amount_micros"),
    micros("paid_micros", default=0),
    Column("status", lp_withdrawal_status, nullable=False, server_default="requested"),
    words("refuse_code", nullable=True),
    # the rest is not paid before; set when it is queued
    at("due_at"),
    of_operation(),
    at("finished_at"),
    created_at(),
    CheckConstraint("amount_micros > 0 AND paid_micros BETWEEN 0 AND amount_micros", name="amount"),
    Index("ix_lp_withdrawals_asset_id", "asset_id", "status", "seq"),
    schema="exchange",
)

# Every payment of principal: what the rolling 24 h limit of a pool is counted from. `part` numbers those of a request.
lp_payouts = Table(
    "lp_payouts",
    metadata,
    Column("withdrawal_id", Uuid, ForeignKey("exchange.lp_withdrawals.id"), primary_key=True),
    Column("part", Integer, primary_key=True),
    of_asset(),
    of_account(index=True),
    micros("amount_micros"),
    Column("instant", Boolean, nullable=False),
    at("paid_at", nullable=False),
    created_at(),
    Index("ix_lp_payouts_asset_id", "asset_id", "paid_at"),
    schema="exchange",
)

lp_fee_claims = Table(
    "lp_fee_claims",
    metadata,
    uuid_key(),
    of_asset(index=True),
    of_account(index=True),
    micros("amount_micros", nullable=True),
    Column("status", claim_status, nullable=False, server_default="requested"),
    words("refuse_code", nullable=True),
    of_operation(),
    at("finished_at"),
    created_at(),
    schema="exchange",
)
