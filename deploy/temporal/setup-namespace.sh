#!/bin/sh
# One-shot, on every `up`: the namespace with its retention, then the search attributes that workflows set.
# Safe to repeat. The address comes from TEMPORAL_ADDRESS, which the CLI reads itself.
set -eu
namespace="${TEMPORAL_NAMESPACE:-default}"
retention="${TEMPORAL_RETENTION:-720h}"

# Everything is tried for a minute: a fresh server takes some seconds to accept a namespace, and some more until its
# caches know it.
retry() {
  tries=0
  until out="$("$@" 2>&1)"; do
    tries=$((tries + 1))
    if [ "$tries" -ge "${MAX_TRIES:-60}" ]; then
      echo "$out" >&2
      echo "gave up: $*" >&2
      exit 1
    fi
    sleep 1
  done
}
ensure_namespace() {
  temporal operator namespace describe --namespace "$namespace" \
    || temporal operator namespace create --namespace "$namespace" --retention "$retention"
}
# A worker cannot start a workflow with an attribute that is not registered.
ensure_attribute() {
  temporal operator search-attribute list --namespace "$namespace" | grep -qw "$1" \
    || temporal operator search-attribute create --namespace "$namespace" --name "$1" --type "$2"
}

retry temporal operator cluster health
retry ensure_namespace
retry temporal operator namespace update --namespace "$namespace" --retention "$retention"
for name in Area AccountId AssetId Wallet; do
  retry ensure_attribute "$name" Keyword
done
retry ensure_attribute NeedsOperator Bool
echo "namespace $namespace is ready (retention $retention)"
