"""The chain side of a test world: blocks, transactions of strangers and of the faucet, contracts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from contracts import load
from domain.exchange.tokens import encode_transfer
from gateways.evm.addresses import keccak
from localnet.running import RunningEvm

CHAIN_ID = 421614
USDC = 10**6


class ChainSide:
    """Acts on the chain as anybody could. `token` is the USDC contract."""

    def __init__(self, evm: RunningEvm) -> None:
        self.evm = evm
        self.rpc = evm.rpc
        self.token = evm.usdc_address

    async def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            await self.rpc("evm_mine")

    @asynccontextmanager
    async def mining(self, every: float = 0.1) -> AsyncIterator[None]:
        """Blocks come by themselves while the block runs."""

        async def follow() -> None:
            while True:
                await self.mine()
                await asyncio.sleep(every)

        task = asyncio.create_task(follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def mint(self, to: str, amount: int, *, mine: bool = True, token: str | None = None) -> str:
        """Mint from the faucet without waiting; returns the transaction hash."""
        tx_hash = await self.send_call(token or self.token, "0x40c10f19" + encode_transfer(to, amount)[4:].hex())
        if mine and self.evm.server.block_time is None:
            await self.mine()
        return tx_hash

    async def send_call(self, to: str | None, data: str, value: int = 0, *, gas: int = 3_000_000) -> str:
        """A transaction of the faucet, not waited for."""
        faucet = self.evm.faucet.address
        await self.rpc("anvil_setBalance", faucet, hex(10**24))
        nonce = int(await self.rpc("eth_getTransactionCount", faucet, "pending"), 16)
        return await self.send_raw(self.sign_call(to, data, value, nonce, gas=gas))

    def sign_call(self, to: str | None, data: str, value: int, nonce: int, *, gas: int = 3_000_000) -> str:
        """Signed bytes of a faucet transaction; `to` None deploys."""
        fields: dict[str, Any] = {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**6,
            "value": value,
            "data": data,
        }
        if to is not None:
            fields["to"] = to_checksum_address(to)
        signed = Account.from_key(self.evm.faucet_private_key).sign_transaction(fields)
        return "0x" + signed.raw_transaction.hex().removeprefix("0x")

    async def call(self, contract: str, address: str, function: str, *arguments: Any, value: int = 0) -> str:
        """Call a function of one of `contracts/`; returns the transaction hash, not waited for."""
        return await self.send_call(address, calldata(contract, function, *arguments), value)

    async def stranger(self, micros: int) -> LocalAccount:
        """Somebody else, with ETH and USDC on the chain."""
        account: LocalAccount = Account.create()
        await self.rpc("anvil_setBalance", account.address, hex(10**18))
        await self.mint(account.address.lower(), micros)
        return account

    def sign_transfer(self, account: LocalAccount, to: str, micros: int, *, nonce: int = 0) -> str:
        """Signed bytes of a USDC transfer by `account`."""
        fields = {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "gas": 200_000,
            "maxFeePerGas": 2 * 10**10,
            "maxPriorityFeePerGas": 10**10,
            "value": 0,
            "data": encode_transfer(to, micros),
            "to": to_checksum_address(self.token),
        }
        return "0x" + account.sign_transaction(fields).raw_transaction.hex().removeprefix("0x")

    async def send_raw(self, raw: str) -> str:
        answer: str = await self.rpc("eth_sendRawTransaction", raw)
        return answer

    async def deploy(self, name: str) -> str:
        """Deploy a contract; with manual mining a block is mined for it."""
        tx_hash = await self.send_call(None, load(name).bytecode, gas=5_000_000)
        if self.evm.server.block_time is None:
            await self.mine()
        receipt = await self.evm.faucet.receipt(tx_hash)
        return str(receipt["contractAddress"]).lower()

    async def balance(self, address: str, token: str | None = None) -> int:
        data = "0x70a08231" + address[2:].lower().rjust(64, "0")
        return int(await self.rpc("eth_call", {"to": token or self.token, "data": data}, "latest"), 16)

    async def use_nonce_elsewhere(self, key: str, nonce: int) -> None:
        """A transaction of our wallet that we did not sign: somebody else has the key."""
        thief = Account.from_key(key)
        await self.send_raw(self.sign_transfer(thief, fresh_address(), 1, nonce=nonce))


def calldata(contract: str, function: str, *arguments: Any) -> str:
    """ABI-encoded call of a function of one of `contracts/`."""
    abi = next(item for item in load(contract).abi if item.get("name") == function)
    types = [item["type"] for item in abi["inputs"]]
    selector = keccak(f"{function}({','.join(types)})".encode())[:4]
    return "0x" + (selector + encode(types, list(arguments))).hex()


def fresh_address() -> str:
    return "0x" + secrets.token_hex(20)
