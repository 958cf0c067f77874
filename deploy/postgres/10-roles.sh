#!/bin/sh
# Runs once, when the data volume is empty: two roles that cannot read each other's databases.
# Later password changes: ALTER ROLE by hand, then the secret files (docs/how_to/deploy.md, "Rotate a secret").
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
-- Read by psql itself, so that no password stands in a process list.
\set holdfast_password `cat "$SECRETS/holdfast_db_password"`
\set temporal_password `cat "$SECRETS/temporal_db_password"`
-- CREATEDB: the restore drill restores into a scratch database of its own
CREATE ROLE holdfast LOGIN CREATEDB PASSWORD :'holdfast_password';
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE holdfast OWNER holdfast;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE holdfast, temporal, temporal_visibility FROM PUBLIC;
SQL
