"""Natural ids: what names a process names its workflow, and is its idempotency.

`kind:business-key`, plain text, deterministic. Chains are named by their EIP-155 number.
"""

from __future__ import annotations


def chain_scanner(chain_id: int) -> str:
    return f"chain-scanner:{chain_id}"


def head_watcher(chain_id: int) -> str:
    return f"head-watcher:{chain_id}"


def deposit(chain_id: int, tx_hash: str, log_ordinal: int, generation: int = 0) -> str:
    """`deposit:{chain}:{tx}:{ordinal}`, with `:{generation}` from the second life on (exchange.md 2)."""
    base = f"deposit:{chain_id}:{tx_hash}:{log_ordinal}"
    return f"{base}:{generation}" if generation else base


def withdrawal(withdrawal_id: str) -> str:
    return f"withdrawal:{withdrawal_id}"


def sweep(sweep_id: str) -> str:
    return f"sweep:{sweep_id}"


def custody_upkeep(chain_id: int) -> str:
    return f"custody-upkeep:{chain_id}"


def webhook_delivery(delivery_id: str) -> str:
    return f"webhook-delivery:{delivery_id}"


DISPATCHER = "dispatcher"
