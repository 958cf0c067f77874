"""The chain's side of a benchmark: many transfers in one block, and blocks when the benchmark wants them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from benchmarks.stage import CHAIN_ID
from domain.exchange.tokens import encode_transfer
from localnet.running import RunningEvm

MINT = "0x40c10f19"
"""First four bytes of keccak-256("mint(address,uint256)")."""


async def head(evm: RunningEvm) -> int:
    return int(await evm.rpc("eth_blockNumber"), 16)


async def mine(evm: RunningEvm, blocks: int = 1) -> None:
    """One RPC call, so that nothing but the node's own speed is in it."""
    await evm.rpc("anvil_mine", hex(blocks))


async def mine_slowly(evm: RunningEvm, blocks: int, every: float) -> None:
    for _ in range(blocks):
        await mine(evm)
        await asyncio.sleep(every)


async def mine_now(evm: RunningEvm) -> float:
    """Mine one block; returns the time just before it was asked for, by the clock the database reads too."""
    now = time.time()
    await mine(evm)
    return now


class Faucet:
    """Signs mints ahead, as signing a few hundred takes a second of its own."""

    def __init__(self, evm: RunningEvm) -> None:
        self._evm = evm
        self._account = Account.from_key(evm.faucet_private_key)
        self._nonce: int | None = None

    async def mint(self, targets: Sequence[str], micros: int) -> list[str]:
        """One transaction per address, in the pool, not mined; returns their hashes."""
        if self._nonce is None:
            self._nonce = int(await self._evm.rpc("eth_getTransactionCount", self._account.address, "pending"), 16)
        signed = [self._signed(to, micros, self._nonce + n) for n, to in enumerate(targets)]
        self._nonce += len(targets)
        return [await self._evm.rpc("eth_sendRawTransaction", raw) for raw in signed]

    def _signed(self, to: str, micros: int, nonce: int) -> str:
        fields: dict[str, Any] = {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "gas": 120_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 0,
            "value": 0,
            "data": MINT + encode_transfer(to, micros)[4:].hex(),
            "to": to_checksum_address(self._evm.usdc_address),
        }
        raw: bytes = self._account.sign_transaction(fields).raw_transaction
        return "0x" + raw.hex().removeprefix("0x")
