"""The local chain as a user of the demo touches it: a faucet that mints, a reorganisation, a look at a balance."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Self

import httpx
from eth_account import Account
from eth_utils.address import to_checksum_address

from domain.exchange.tokens import encode_transfer
from domain.shared.errors import Broken
from domain.shared.money import format_usdc, parse_usdc

_MINT: Final = bytes.fromhex("40c10f19")
DEEPEST: Final = 6
"""Half of the confirmations that a deposit needs."""
_BALANCE_OF: Final = "0x70a08231"


class Chain:
    """The node of endpoints.json."""

    def __init__(self, evm: dict[str, Any]) -> None:
        self._evm = evm
        self._faucet = Account.from_key(evm["faucet_private_key"])
        self._node = httpx.AsyncClient(base_url=evm["rpc_url"], timeout=20)
        self._sending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._node.aclose()

    async def _rpc(self, method: str, *params: Any) -> Any:
        answer = await self._node.post("", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        found = answer.json()
        if "error" in found:
            raise Broken("internal_error", f"{method}: {found['error']}")
        return found["result"]

    async def mint(self, to: str, amount: str) -> str:
        """The faucet mints USDC to an address; returns the transaction's hash."""
        async with self._sending:
            fields = {
                "chainId": self._evm["chain_id"],
                "nonce": int(await self._rpc("eth_getTransactionCount", self._faucet.address, "pending"), 16),
                "gas": 200_000,
                "maxFeePerGas": 10**10,
                "maxPriorityFeePerGas": 0,
                "value": 0,
                "to": to_checksum_address(self._evm["usdc_address"]),
                "data": _MINT + encode_transfer(to.lower(), parse_usdc(amount))[4:],
            }
            signed = self._faucet.sign_transaction(fields)
            return await self.send_raw("0x" + signed.raw_transaction.hex().removeprefix("0x"))

    async def send_raw(self, raw: str) -> str:
        return str(await self._rpc("eth_sendRawTransaction", raw))

    async def raw_transaction(self, tx_hash: str) -> str:
        return str(await self._rpc("eth_getRawTransactionByHash", tx_hash))

    async def forget_from(self, block_number: int) -> bool:
        """Replace the block and everything on top of it by empty ones; False, and nothing is done, when it is so deep
        that what it holds may be credited before it is gone."""
        head = int(await self._rpc("eth_blockNumber"), 16)
        if head - block_number >= DEEPEST:
            return False
        await self._rpc("anvil_reorg", head - block_number + 1, [])
        return True

    async def balance(self, address: str) -> str:
        call = {"to": self._evm["usdc_address"], "data": _BALANCE_OF + address[2:].rjust(64, "0")}
        return format_usdc(int(await self._rpc("eth_call", call, "latest"), 16))
