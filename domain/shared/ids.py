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


def funding_round(asset_id: str) -> str:
    return f"lp-funding:{asset_id}"


def lp_withdrawal(withdrawal_id: str) -> str:
    return f"lp-withdrawal:{withdrawal_id}"


def lp_fee_claim(claim_id: str) -> str:
    return f"lp-fee-claim:{claim_id}"


def market_engine(number: int) -> str:
    return f"market-engine:{number}"


def price_engine(asset_id: str) -> str:
    return f"price:{asset_id}"


def asset_halt(halt_id: str) -> str:
    return f"asset-halt:{halt_id}"


def oracle_refresh(asset_id: str, slot: str) -> str:
    """`slot`: which refresh, as the schedule or the operator's request names it."""
    return f"oracle:{asset_id}:{slot}"


def correction(correction_id: str) -> str:
    return f"correction:{correction_id}"


def follow(user_id: str) -> str:
    return f"follow:{user_id}"


def copy_attempt(group_key: str) -> str:
    return f"copy:{group_key}"


def chain_trigger(chain_id: int) -> str:
    return f"chain-trigger:{chain_id}"


def backfill(backfill_id: str) -> str:
    return f"copytrade-backfill:{backfill_id}"


def rebuild_snapshots(rebuild_id: str) -> str:
    return f"rebuild-snapshots:{rebuild_id}"


def config_test(test_id: str) -> str:
    return f"config-test:{test_id}"


def paper_close(close_id: str) -> str:
    return f"paper-close:{close_id}"


COPYTRADE_FEED = "copytrade-feed"
GLOBAL_PORTFOLIO = "global-portfolio"
PRICE_FEED = "price-feed"
DISPATCHER = "dispatcher"


SALE_FEED = "launchpad-sales"
"""The one process that follows every sale on the chain."""


def token_launch(launch_id: str) -> str:
    return f"launch:{launch_id}"


def curve_sale(project_id: str) -> str:
    return f"curve:{project_id}"


def promo_refund(promo_id: str) -> str:
    """Also the key of the one transfer that pays it back."""
    return f"promo-refund:{promo_id}"


def sale_trade(transaction_id: str) -> str:
    """A transaction that a wallet signed, on its way to the chain."""
    return f"sale-trade:{transaction_id}"


def program_deployment(deployment_id: str) -> str:
    return f"program-deployment:{deployment_id}"
