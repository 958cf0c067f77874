#!/bin/sh
# Usage: deploy/make-secrets.sh [DIR]   (default /etc/holdfast/secrets)
# Makes every secret that can be made, keeps every one that exists, and names the wallet keys that you must bring.
# Only the folder is closed (0700): containers run as different users and read the files through it by bind mount.
set -eu
umask 077
dir="${1:-/etc/holdfast/secrets}"
mkdir -p "$dir"
chmod 700 "$dir"

put() { # name; the value on standard input
  if [ -s "$dir/$1" ]; then cat >/dev/null; else cat >"$dir/$1"; echo "made $1"; fi
  chmod 444 "$dir/$1"
}
hex() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; } # safe inside a DSN
key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }

hex 24 | put postgres_password
hex 24 | put holdfast_db_password
hex 24 | put temporal_db_password
printf 'postgresql://holdfast:%s@postgres:5432/holdfast' "$(cat "$dir/holdfast_db_password")" | put database_url
printf 'postgresql://temporal:%s@postgres:5432/temporal' "$(cat "$dir/temporal_db_password")" | put temporal_db_dsn
hex 32 | put session_secret
printf 'k1:%s' "$(key)" | put payload_keys
key | put backup_key
hex 12 | put grafana_admin_password

missing=0
for name in hot_wallet_private_key gas_wallet_private_key deposit_account_xprv; do
  if [ -s "$dir/$name" ]; then chmod 444 "$dir/$name"; else echo "bring $dir/$name" >&2; missing=1; fi
done
# no launchpad: an empty file says so
[ -e "$dir/solana_platform_keypair" ] || : > "$dir/solana_platform_keypair"
chmod 444 "$dir/solana_platform_keypair"
echo "keep copies of backup_key and payload_keys elsewhere: without them backups and histories cannot be read"
exit "$missing"
