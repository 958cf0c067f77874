"""Names of all benchmarks, one a line."""

from __future__ import annotations

NAMES = (
    "ledger_transfers",
    "deposit_credit_lateness",
    "pending_deposits",
    "api_reads",
    "hot_curve",
    "spread_assets",
    "engine_takeover",
    "trade_http",
    "idle_memory",
    "copytrade_idle",
    "ingest",
    "decision_jitter",
    "recovery",
    "launch",
)

if __name__ == "__main__":
    print("\n".join(NAMES))
