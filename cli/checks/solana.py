"""Checks of the Solana nodes, of the programs there, and of the platform's wallet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cli.checks import Finding, broken, good, look

if TYPE_CHECKING:
    from gateways.solana.nodes import RpcNodes
    from settings import WorkerSettings
    from storage.database import Pool

APART_SLOTS: Final = 64
"""Nodes that are further apart prove nothing together."""
FIX: Final = "start the nodes, or correct SOLANA_RPC_URL; runbook solana_unavailable"


async def nodes(found_nodes: RpcNodes, found: WorkerSettings) -> Finding:
    """Do they answer, do they belong to the cluster, are they as far as each other?"""
    from domain.shared.errors import Broken

    try:
        await found_nodes.check_cluster(found.solana_cluster)
    except Broken as failure:
        return broken("solana", failure.detail, "correct SOLANA_RPC_URL or SOLANA_CLUSTER; runbook wrong_chain")
    epochs = await found_nodes.epochs(commitment="confirmed")
    slots = [epoch.slot for epoch in epochs]
    words = f"{found.solana_cluster}, {len(epochs)} of {found_nodes.size} nodes answer, slot {max(slots)}"
    if len(epochs) < found_nodes.size:
        silent = {node.name for node in found_nodes.nodes} - {epoch.node for epoch in epochs}
        return look("solana", f"{words}; silent: {', '.join(sorted(silent))}", FIX)
    if max(slots) - min(slots) > APART_SLOTS:
        behind = min(epochs, key=lambda epoch: epoch.slot)
        return look("solana", f"{words}; {behind.node} is {max(slots) - behind.slot} slots behind", FIX)
    if found_nodes.size < 2 and found.holdfast_profile != "local":
        return look("solana", f"{words}: its word alone is believed", "give SOLANA_RPC_URL a second node")
    return good("solana", words)


async def programs(found_nodes: RpcNodes, found: WorkerSettings) -> Finding:
    """Is what sales need really there, and executable?"""
    named = {
        "LAUNCHPAD_PROGRAM_ID": found.launchpad_program_id,
        "LAUNCHPAD_POOL_PROGRAM_ID": found.launchpad_pool_program_id,
    }
    missing = [name for name, address in named.items() if not address]
    if missing:
        return look("programs", f"not named: {', '.join(missing)}", "holdfast deployments start, then set their ids")
    accounts = await found_nodes.accounts(list(named.values()))
    gone = [address for address, account in zip(named.values(), accounts, strict=True) if account is None]
    if gone:
        return broken("programs", f"nothing stands at {', '.join(gone)}", "correct the ids, or SOLANA_RPC_URL")
    return good("programs", "sale and pool program stand on the chain")


async def wallet(found_nodes: RpcNodes, found: WorkerSettings) -> Finding:
    """Can the platform pay?"""
    from domain.shared.money import format_amount

    address = found.solana_platform_address
    if not address:
        return look("platform wallet", "not named: nothing can be launched", "set SOLANA_PLATFORM_ADDRESS")
    account = await found_nodes.account(address)
    lamports = account.lamports if account is not None else 0
    words = f"{format_amount(lamports, 9)} SOL"
    if lamports < found.solana_float_lamports:
        return look("platform wallet", f"{words}: launches may wait", f"send SOL to {address}; runbook payer_float_low")
    return good("platform wallet", words)


async def day(pool: Pool, found: WorkerSettings) -> Finding:
    """How much of what the platform's wallet may lose in 24 hours is left?"""
    from domain.shared.money import format_amount
    from storage.books import Books
    from storage.launchpad.day_limit import DayLimit

    limit = DayLimit(Books(pool), found.solana_day_lamports)
    spent = await limit.spent()
    left = max(limit.most - spent, 0)
    words = f"{format_amount(spent, 9)} SOL spent, {format_amount(left, 9)} of {format_amount(limit.most, 9)} left"
    if limit.used_up(spent):
        return look("wallet's 24 hours", f"{words}: launches wait", "runbook solana_day_limit")
    return good("wallet's 24 hours", words)
