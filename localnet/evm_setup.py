"""The first start of the local chain: the faucet gets ETH, deploys the local USDC, and funds the two wallets.

A start that was cut short is finished by the next one, see ``set_up_chain``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from contracts import load
from localnet.jsonrpc import JsonRpc
from localnet.keys import first_contract_of

ETHER = 10**18
FAUCET_WEI = 1_000_000 * ETHER
WALLET_WEI = ETHER


class Faucet:
    """Signs and sends with the faucet key, waiting for each receipt. Used by the first start and by tests only."""

    def __init__(self, rpc: JsonRpc, private_key: str) -> None:
        self._rpc = rpc
        self._account = Account.from_key(private_key)
        self.address: str = self._account.address

    async def send(self, to: str | None, data: str = "0x", value: int = 0, gas: int | None = None) -> dict[str, Any]:
        """Sends one transaction and returns its receipt; raises when it failed."""
        call: dict[str, Any] = {"from": self.address, "data": data, "value": hex(value)}
        if to is not None:
            call["to"] = to
        transaction: dict[str, Any] = {
            "chainId": int(await self._rpc("eth_chainId"), 16),
            "nonce": int(await self._rpc("eth_getTransactionCount", self.address, "pending"), 16),
            "gas": gas or int(await self._rpc("eth_estimateGas", call), 16) * 6 // 5,
            "maxFeePerGas": int(await self._rpc("eth_gasPrice"), 16) * 2,
            "maxPriorityFeePerGas": 0,
            "value": value,
            "data": data,
        }
        if to is not None:
            transaction["to"] = to_checksum_address(to)
        signed = self._account.sign_transaction(transaction)
        tx_hash = await self._rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex().removeprefix("0x"))
        receipt = await self.receipt(tx_hash)
        if int(receipt["status"], 16) != 1:
            raise RuntimeError(f"transaction {tx_hash} failed")
        return receipt

    async def receipt(self, tx_hash: str, timeout: float = 15.0) -> dict[str, Any]:
        """Waits until the transaction is in a block."""
        async with asyncio.timeout(timeout):
            while True:
                receipt: dict[str, Any] | None = await self._rpc("eth_getTransactionReceipt", tx_hash)
                if receipt is not None:
                    return receipt
                await asyncio.sleep(0.02)

    async def deploy(self, name: str) -> str:
        """Deploys a contract of ``contracts`` that takes no constructor arguments; returns its address."""
        receipt = await self.send(None, load(name).bytecode)
        return to_checksum_address(receipt["contractAddress"])

    async def mint(self, token: str, to: str, amount: int) -> dict[str, Any]:
        """Mints ``amount`` base units of a token whose ``mint`` the faucet may call."""
        words = to.removeprefix("0x").lower().rjust(64, "0") + f"{amount:064x}"
        return await self.send(token, "0x40c10f19" + words)


async def set_up_chain(rpc_url: str, faucet_key: str, fund: tuple[str, ...] = ()) -> str:
    """Brings a chain to the state every start may rely on and returns the address of the USDC.

    The faucet's nonce counts the steps done: deploy, then one transfer of ETH for each wallet of ``fund``. So a start
    that was cut short is finished, and a finished one does nothing. The faucet's own ETH is set by the node, for there
    is no account it could come from.
    """
    async with JsonRpc(rpc_url) as rpc:
        faucet = Faucet(rpc, faucet_key)
        done = await _nonce(rpc, faucet.address)
        if done == 0:
            await rpc("anvil_setBalance", faucet.address, hex(FAUCET_WEI))
            await faucet.deploy("LocalUSDC")
        for step, wallet in enumerate(fund, start=1):
            if done <= step:
                await faucet.send(wallet, value=WALLET_WEI)
        address = first_contract_of(faucet.address)
        if await rpc("eth_getCode", address, "latest") == "0x":
            raise RuntimeError(f"no USDC at {address}: this chain was set up by another faucet")
        return address


async def _nonce(rpc: JsonRpc, address: str) -> int:
    return int(await rpc("eth_getTransactionCount", address, "latest"), 16)
