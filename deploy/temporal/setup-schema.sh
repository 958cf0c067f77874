#!/bin/sh
# One-shot, on every `up`: creates or upgrades Temporal's two schemas. Safe to repeat (both tools skip what is done).
# The databases exist already (deploy/postgres/10-roles.sh), so the role needs no right to create any.
set -eu
SQL_PASSWORD="$(cat "${SECRETS:-/run/secrets}/temporal_db_password")"
export SQL_PASSWORD
schemas="${SCHEMA_DIR:-/etc/temporal/schema/postgresql/v12}"

upgrade() { # database, folder of versions
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p 5432 -u temporal --db "$1" setup-schema -v 0.0
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p 5432 -u temporal --db "$1" \
    update-schema -d "$schemas/$2/versioned"
}

upgrade temporal temporal
upgrade temporal_visibility visibility
echo "temporal schemas are up to date"
