"""Launchpad: uploaded pictures, launches, the projects they make, what was pinned, promotions, deployed programs.

Lamports are BIGINT, token base units NUMERIC(20,0) (64 bits unsigned), addresses and signatures base58.
Source: seed 003 phase 3 as corrected by CG-064, CG-075 and CG-076.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables.base import at, choice, created_at, metadata, of_account, of_operation, uuid_key, words

SCHEMA = "launchpad"

launch_status = choice(
    "launch_status", SCHEMA, "running", "waiting_signature", "live", "undone", "needs_operator", "failed"
)
project_status = choice("project_status", SCHEMA, "preparing", "upcoming", "active", "ended", "undone")
curve_type = choice("curve_type", SCHEMA, "linear", "exponential", "logarithmic")
promo_status = choice("promo_status", SCHEMA, "claimed", "active", "expired", "refund_due", "refunded")


def lamports(name: str, *, nullable: bool = False, default: int | None = None) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable, server_default=None if default is None else text(str(default)))


def units(name: str, *, nullable: bool = False, default: int | None = None) -> Column[Any]:
    """Base units of a token, or a price in 10^-9 lamport per whole token: any unsigned 64 bits."""
    server_default = None if default is None else text(str(default))
    return Column(name, Numeric(20, 0), nullable=nullable, server_default=server_default)


def of_project(*, nullable: bool = False) -> Column[Any]:
    return Column("project_id", Uuid, ForeignKey("launchpad.projects.id"), nullable=nullable, index=True)


# What a creator uploaded. Only hashes and ids travel through workflows; the bytes stay here. `uploaded_at`: last, when
# the same content came again; what no launch uses goes some days after it.
assets = Table(
    "assets",
    metadata,
    uuid_key(),
    of_account(index=True),
    words("sha256"),
    words("cid"),
    words("content_type"),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    at("uploaded_at", default=True),
    created_at(),
    CheckConstraint("octet_length(content) BETWEEN 1 AND 5242880", name="size"),
    Index("uq_assets_content", "account_id", "sha256", unique=True),
    schema=SCHEMA,
)

# One request to launch a token. `request` is the validated body; `step` the step it is at (domain/launchpad/steps.py).
# `cancel_requested_at`: it is to be given up, by request or after a failure; no mint is signed from then on.
launches = Table(
    "launches",
    metadata,
    uuid_key(),
    of_account(index=True),
    Column("request", JSONB, nullable=False),
    words("cluster"),
    words("signing"),
    words("creator_wallet"),
    Column("status", launch_status, nullable=False, server_default=text("'running'")),
    words("step", default=""),
    words("mint_seed", default=""),
    words("mint", nullable=True, unique=True),
    words("sale_address", nullable=True, unique=True),
    words("metadata_cid", nullable=True),
    words("metadata_uri", nullable=True),
    lamports("budget_lamports"),
    lamports("spent_lamports", default=0),
    at("signature_until"),
    at("cancel_requested_at"),
    words("failure_code", nullable=True),
    words("failure_detail", default=""),
    of_operation(),
    at("updated_at", default=True),
    created_at(),
    Index("ix_launches_status", "status"),
    schema=SCHEMA,
)

# Which pictures a launch uses: those cannot be removed. One that was undone uses none.
launch_assets = Table(
    "launch_assets",
    metadata,
    Column("launch_id", Uuid, ForeignKey("launchpad.launches.id"), primary_key=True),
    Column("asset_id", Uuid, ForeignKey("launchpad.assets.id"), primary_key=True, index=True),
    created_at(),
    schema=SCHEMA,
)

# What the launch makes, as visitors see it; exists before its mint does. The id is the launch's.
projects = Table(
    "projects",
    metadata,
    Column("id", Uuid, ForeignKey("launchpad.launches.id"), primary_key=True),
    words("token_address", nullable=True, unique=True),
    words("bonding_curve_address", nullable=True, unique=True),
    words("name"),
    words("symbol"),
    words("description", default=""),
    words("logo_uri"),
    words("banner_uri", nullable=True),
    words("icon_uri", nullable=True),
    words("metadata_uri", nullable=True),
    units("total_supply"),
    Column("decimals", Integer, nullable=False),
    Column("allocation_bps", JSONB, nullable=False),
    Column("bonding_curve_type", curve_type, nullable=False),
    units("initial_price"),
    units("target_price"),
    lamports("soft_cap_lamports"),
    lamports("hard_cap_lamports"),
    Column("transfer_fee_bps", Integer, nullable=False, server_default=text("0")),
    words("creator_wallet"),
    words("cluster"),
    words("twitter", nullable=True),
    words("telegram", nullable=True),
    words("website", nullable=True),
    words("discord", nullable=True),
    lamports("promo_tier_lamports", nullable=True),
    Column("dex_cex_listing", Boolean, nullable=False, server_default=text("false")),
    words("tax_program_account", nullable=True),
    words("referral_program_account", nullable=True),
    words("staking_pool_account", nullable=True),
    Column("status", project_status, nullable=False, server_default=text("'preparing'")),
    at("starts_at", nullable=False),
    at("ends_at", nullable=False),
    at("updated_at", default=True),
    created_at(),
    CheckConstraint("total_supply > 0 AND decimals BETWEEN 0 AND 9", name="supply"),
    CheckConstraint("0 < soft_cap_lamports AND soft_cap_lamports <= hard_cap_lamports", name="caps"),
    CheckConstraint("ends_at > starts_at", name="dates"),
    Index("ix_projects_status", "status", "starts_at"),
    Index("ix_projects_promo_tier_lamports", "promo_tier_lamports"),
    schema=SCHEMA,
)

# What a launch has the pinning node keep; unpinned when the launch is undone and nobody else has it pinned. A row
# stands before its file is pinned, and `content` is the file when the launch made it itself.
pins = Table(
    "pins",
    metadata,
    words("cid", primary_key=True),
    Column("launch_id", Uuid, ForeignKey("launchpad.launches.id"), primary_key=True, index=True),
    words("kind"),
    Column("content", LargeBinary, nullable=True),
    at("pinned_at"),
    at("releasing_at"),
    at("unpinned_at"),
    created_at(),
    schema=SCHEMA,
)

# The copy on Arweave of a pinned file. `tried_at`: so that no file waits behind one that is refused.
mirrors = Table(
    "mirrors",
    metadata,
    words("cid", primary_key=True),
    words("arweave_id", nullable=True),
    at("tried_at", nullable=False),
    at("sent_at"),
    at("seen_at"),
    created_at(),
    schema=SCHEMA,
)

# A promotion, paid by one transaction on chain that pays for nothing else. `received_lamports`: what it brought, from
# `payer`; when the launch is undone, the process of `operation_id` pays that back.
promo_activations = Table(
    "promo_activations",
    metadata,
    uuid_key(),
    of_project(),
    lamports("tier_lamports"),
    Column("features", JSONB, nullable=False),
    words("payment_signature", unique=True),
    words("payer", nullable=True),
    lamports("received_lamports", nullable=True),
    Column("status", promo_status, nullable=False, server_default=text("'claimed'")),
    at("activated_at"),
    at("expires_at"),
    words("refund_signature", nullable=True, unique=True),
    at("refunded_at"),
    of_operation(),
    created_at(),
    Index("ix_promo_activations_tier_lamports", "tier_lamports"),
    schema=SCHEMA,
)

# A program on its way to the chain through the upgradeable loader, chunk by chunk. An address is deployed to once,
# unless that was undone. `final`: nobody is to keep the right to change it.
deployments = Table(
    "deployments",
    metadata,
    uuid_key(),
    words("name"),
    words("cluster"),
    words("program_id"),
    words("buffer"),
    words("so_sha256"),
    Column("content", LargeBinary, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("final", Boolean, nullable=False, server_default=text("false")),
    words("requested_by"),
    at("cancel_requested_at"),
    at("cancelled_at"),
    at("deployed_at"),
    of_operation(),
    created_at(),
    Index("uq_deployments_program", "program_id", unique=True, postgresql_where=text("cancelled_at IS NULL")),
    schema=SCHEMA,
)
