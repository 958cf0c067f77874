"""Accounts and keys, intents, operations, events, alerts, controls: what every area uses."""

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
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from storage.tables.base import at, choice, created_at, metadata, of_operation, uuid_key, words

role = choice("account_role", "platform", "admin", "operator", "trader", "creator")
operation_status = choice(
    "operation_status", "platform", "running", "waiting", "completed", "failed", "cancelled", "needs_operator"
)
step_status = choice("step_status", "platform", "pending", "running", "done", "failed", "skipped", "undone")

accounts = Table(
    "accounts",
    metadata,
    uuid_key(),
    words("name"),
    Column("role", role, nullable=False),
    words("email", nullable=True),
    words("password_hash", nullable=True),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    created_at(),
    Index("uq_accounts_email", text("lower(email)"), unique=True, postgresql_where=text("email IS NOT NULL")),
    schema="platform",
)

api_keys = Table(
    "api_keys",
    metadata,
    uuid_key(),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=True),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    words("prefix"),
    Column("scopes", ARRAY(Text), nullable=False),
    at("expires_at"),
    at("revoked_at"),
    at("last_used_at"),
    created_at(),
    schema="platform",
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=True),
    words("csrf_token"),
    at("expires_at", nullable=False),
    created_at(),
    schema="platform",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    words("principal", primary_key=True),
    words("method", primary_key=True),
    words("path", primary_key=True),
    words("key", primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=True),
    Column("headers", JSONB, nullable=True),
    Column("body", LargeBinary, nullable=True),
    at("locked_at", default=True),
    created_at(),
    Index("ix_idempotency_keys_created_at", "created_at"),
    schema="platform",
)

operations = Table(
    "operations",
    metadata,
    uuid_key(),
    words("kind"),
    words("subject_id"),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=True, index=True),
    Column("status", operation_status, nullable=False, server_default="running"),
    words("summary", default=""),
    words("workflow_id", unique=True),
    words("failure_code", nullable=True),
    # an intent is dispatched once its workflow is known to exist; the dispatcher repeats what the API could not
    at("dispatched_at"),
    at("started_at", default=True),
    at("finished_at"),
    Index("ix_operations_kind_status", "kind", "status", "id"),
    Index("ix_operations_undispatched", "id", postgresql_where=text("dispatched_at IS NULL")),
    schema="platform",
)

operation_steps = Table(
    "operation_steps",
    metadata,
    Column("operation_id", Uuid, ForeignKey("platform.operations.id"), primary_key=True),
    words("name", primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("status", step_status, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    words("detail", default=""),
    Column("links", JSONB, nullable=False, server_default=text("'[]'")),
    at("started_at"),
    at("finished_at"),
    schema="platform",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # readers take only what is older than every running transaction, so that no late commit is skipped
    Column("xact", BigInteger, nullable=False, server_default=text("(pg_current_xact_id()::text)::bigint")),
    words("topic"),
    words("type"),
    Column("version", SmallInteger, nullable=False, server_default=text("1")),
    Column("account_id", Uuid, nullable=True),
    Column("payload", JSONB, nullable=False),
    created_at(),
    Index("ix_outbox_xact_id", "xact", "id"),
    Index("ix_outbox_created_at", "created_at"),
    schema="platform",
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    words("principal"),
    words("action"),
    words("subject"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    created_at(),
    Index("ix_audit_log_subject", "subject", "id"),
    schema="platform",
)

controls = Table(
    "controls",
    metadata,
    words("name", primary_key=True),
    Column("enabled", Boolean, nullable=False),
    words("reason", default=""),
    words("changed_by"),
    at("changed_at", default=True),
    created_at(),
    schema="platform",
)

alerts = Table(
    "alerts",
    metadata,
    uuid_key(),
    words("code"),
    words("subject", default=""),
    words("severity"),
    words("detail", default=""),
    Column("data", JSONB, nullable=False, server_default=text("'{}'")),
    Column("times", Integer, nullable=False, server_default=text("1")),
    at("last_seen_at", default=True),
    at("resolved_at"),
    words("resolved_by", nullable=True),
    created_at(),
    CheckConstraint("severity IN ('warning', 'critical')", name="severity"),
    Index("uq_alerts_open", "code", "subject", unique=True, postgresql_where=text("resolved_at IS NULL")),
    schema="platform",
)

quarantine = Table(
    "quarantine",
    metadata,
    uuid_key(),
    words("source"),
    words("kind"),
    words("fingerprint"),
    words("reason"),
    Column("payload", JSONB, nullable=False),
    words("state", default="held"),
    words("decided_by", nullable=True),
    at("decided_at"),
    # a replayed item whose blocks the scanner has read again, or for which there was nothing to read
    at("taken_up_at"),
    created_at(),
    CheckConstraint("state IN ('held', 'replayed', 'discarded')", name="state"),
    Index("uq_quarantine_fingerprint", "source", "fingerprint", unique=True),
    Index("ix_quarantine_marked", "id", postgresql_where=text("state = 'replayed' AND taken_up_at IS NULL")),
    schema="platform",
)

webhooks = Table(
    "webhooks",
    metadata,
    uuid_key(),
    Column("account_id", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=True),
    words("url"),
    Column("topics", ARRAY(Text), nullable=False),
    words("secret"),
    # position in the outbox after which this webhook starts, then how far deliveries have been created
    Column("after_xact", BigInteger, nullable=False),
    Column("after_id", BigInteger, nullable=False),
    at("deleted_at"),
    created_at(),
    schema="platform",
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    uuid_key(),
    Column("webhook_id", Uuid, ForeignKey("platform.webhooks.id"), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    words("status", default="pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    words("last_error", default=""),
    at("delivered_at"),
    at("dispatched_at"),
    created_at(),
    CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
    Index("uq_webhook_deliveries_event", "webhook_id", "event_id", unique=True),
    Index("ix_webhook_deliveries_undispatched", "id", postgresql_where=text("dispatched_at IS NULL")),
    schema="platform",
)

job_runs = Table(
    "job_runs",
    metadata,
    uuid_key(),
    words("job"),
    Column("ok", Boolean, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    created_at(),
    Index("ix_job_runs_job", "job", "created_at"),
    schema="platform",
)

# What was spent of a daily budget, by resource: search calls, model calls.
budgets = Table(
    "budgets",
    metadata,
    words("resource", primary_key=True),
    words("day", primary_key=True),
    Column("used", Integer, nullable=False, server_default=text("0")),
    created_at(),
    schema="platform",
)

# How far a consumer of the outbox has read: transaction id, then row id.
outbox_cursors = Table(
    "outbox_cursors",
    metadata,
    words("consumer", primary_key=True),
    Column("after_xact", BigInteger, nullable=False, server_default=text("0")),
    Column("after_id", BigInteger, nullable=False, server_default=text("0")),
    at("updated_at", default=True),
    created_at(),
    schema="platform",
)

# Compensating entries asked for by one person and approved by another (UN-011).
corrections = Table(
    "corrections",
    metadata,
    uuid_key(),
    words("reason"),
    Column("postings", JSONB, nullable=False),
    words("status", default="pending_approval"),
    words("failure_code", nullable=True),
    Column("requested_by", Uuid, ForeignKey("platform.accounts.id"), nullable=False, index=True),
    Column("decided_by", Uuid, ForeignKey("platform.accounts.id"), nullable=True, index=True),
    at("decided_at"),
    at("booked_at"),
    of_operation(),
    created_at(),
    CheckConstraint(
        "status IN ('pending_approval', 'approved', 'booked', 'rejected', 'expired', 'failed')", name="status"
    ),
    CheckConstraint(
        "status NOT IN ('approved', 'booked', 'failed') OR coalesce(decided_by <> requested_by, false)",
        name="two_persons",
    ),
    schema="platform",
)
