"""The books: transfers, postings, balances. Triggers in the migration keep them balanced, append-only and summed.

`platform.transfers` names what happened, once per `key`; `platform.postings` are its lines; `platform.balances` is the
running sum of postings, kept by a statement trigger so that no writer can forget it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    text,
)

from storage.tables.base import choice, created_at, metadata, words

phase = choice("transfer_phase", "platform", "single", "pending", "post", "void")

transfers = Table(
    "transfers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    words("key", unique=True),
    words("kind"),
    words("ref", default=""),
    Column("phase", phase, nullable=False),
    Column("resolves", BigInteger, ForeignKey("platform.transfers.id"), nullable=True),
    created_at(),
    CheckConstraint("(resolves IS NOT NULL) = (phase IN ('post', 'void'))", name="resolves"),
    # a hold is posted or voided exactly once
    Index("uq_transfers_resolves", "resolves", unique=True, postgresql_where=text("resolves IS NOT NULL")),
    schema="platform",
)

postings = Table(
    "postings",
    metadata,
    # the sentinel: an ORM that reads ids back still writes the lines of a transfer in one statement (market_obvious.py)
    Column("id", BigInteger, Identity(always=True), nullable=False, insert_sentinel=True),
    # its transfer exists: the statement trigger looks, once a transfer and not once a line
    Column("transfer_id", BigInteger, nullable=False),
    words("account"),
    words("unit"),
    Column("amount", Numeric(38, 0), nullable=False),
    CheckConstraint("amount <> 0", name="not_zero"),
    # ids are counted once; so this key is for the lines of a transfer
    PrimaryKeyConstraint("transfer_id", "id"),
    # by the path's hash: paths are five times as long, and every line adds one (on_accounts in reads/base.py)
    Index("ix_postings_account", text("hashtextextended(account, 0)"), "id"),
    schema="platform",
)

balances = Table(
    "balances",
    metadata,
    words("account", primary_key=True),
    words("unit", primary_key=True),
    Column("balance", Numeric(38, 0), nullable=False),
    # what we owe is never negative; custody and the outside world may be
    CheckConstraint("balance >= 0 OR account = 'world' OR account LIKE 'custody:%'", name="not_negative"),
    schema="platform",
    postgresql_with={"fillfactor": "70"},
)
