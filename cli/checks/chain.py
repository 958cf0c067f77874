"""Checks of the chain's nodes and of our wallets on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from cli.checks import Finding, away, broken, good, look

if TYPE_CHECKING:
    from gateways.evm.chain import EvmNode
    from settings import WorkerSettings

HEAD_AGE_S: Final = 60
AHEAD_S: Final = 5


async def contract(chain: EvmNode, found: WorkerSettings) -> Finding:
    """Is it the configured chain, is there a token, has it 6 decimals? Asked of every node."""
    from domain.shared.errors import Broken

    try:
        await chain.check_chain()
    except Broken as failure:
        return broken("chain", failure.detail, "correct ARBITRUM_RPC_URL, ARBITRUM_CHAIN_ID or USDC_CONTRACT_ADDRESS")
    return good("chain", f"{found.arbitrum_chain_id}, USDC at {found.usdc_contract_address} with 6 decimals")


async def head(found: WorkerSettings) -> Finding:
    """Do blocks come, and does the chain's clock agree with ours?"""
    from cli.blocks import node_of, timestamp

    node = node_of(found)
    try:
        stamped = await timestamp(node, "latest")
    finally:
        await node.aclose()
    if stamped is None:
        return away("chain head", "the node has no newest block", "check the node behind ARBITRUM_RPC_URL")
    age = time.time() - stamped
    if age < -AHEAD_S:
        return look("chain head", f"is {-age:.0f} s in the future", "check this machine's clock (NTP)")
    if age > HEAD_AGE_S:
        return away("chain head", f"is {age:.0f} s old: no blocks come", "check the node behind ARBITRUM_RPC_URL")
    return good("chain head", f"is {max(0.0, age):.0f} s old")


async def finality(chain: EvmNode) -> Finding:
    """How far behind the head are safe and finalized? Large deposits wait for them."""
    now = await chain.head()
    newest = now.latest.number
    words = f"head {newest}, safe {newest - now.safe} behind, finalized {newest - now.finalized} behind"
    if now.finalized == 0 and newest > 1000:
        return look("finality", f"{words}: the node finalizes nothing", "use a node that serves the finalized tag")
    return good("finality", words)


async def second_node(chain: EvmNode, found: WorkerSettings) -> Finding:
    """Does another node see the same blocks? Two that differ are told apart by `head` itself."""
    from cli.blocks import timestamp
    from gateways.evm.rpc import JsonRpc

    name = "second node"
    if not found.arbitrum_rpc_fallback_url:
        if found.holdfast_profile == "local":
            return good(name, "none; not needed on a local stack")
        return look(name, "none: one node alone is believed", "set ARBITRUM_RPC_FALLBACK_URL")
    node = JsonRpc(found.arbitrum_rpc_fallback_url)
    try:
        newest = await timestamp(node, "latest")
    finally:
        await node.aclose()
    await chain.head()
    return good(name, f"agrees; its newest block is of {time.time() - (newest or 0):.0f} s ago")


async def wallets(chain: EvmNode, found: WorkerSettings) -> Finding:
    """Can the wallets pay for gas and for withdrawals?"""
    from domain.shared.money import ETH_DECIMALS, format_amount, format_usdc

    hot, gas = found.hot_wallet_address.lower(), found.gas_wallet_address.lower()
    hot_wei, gas_wei = await chain.eth_balances([hot, gas])
    (micros,) = await chain.token_balances(found.usdc_contract_address.lower(), [hot], None)
    words = (
        f"hot {format_amount(hot_wei, ETH_DECIMALS)} ETH and {format_usdc(micros)} USDC, "
        f"gas {format_amount(gas_wei, ETH_DECIMALS)} ETH"
    )
    if hot_wei < found.hot_wallet_min_wei:
        return away("wallets", f"{words}: withdrawals wait for gas", f"send ETH to {hot}; runbook gas_wallet_low")
    if gas_wei < found.gas_wallet_min_wei:
        return look("wallets", f"{words}: sweeps may wait for gas", f"send ETH to {gas}; runbook gas_wallet_low")
    if micros < found.hot_wallet_floor_micros:
        return look("wallets", f"{words}: below HOT_WALLET_FLOOR_MICROS", f"send USDC to {hot}; runbook hot_wallet_low")
    return good("wallets", words)
