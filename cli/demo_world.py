"""What the demo acts with: the product's HTTP API as a user sees it, and the local chain's faucet."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from typing import Any, Self

import httpx
from eth_account import Account
from eth_utils.address import to_checksum_address

from domain.exchange.tokens import encode_transfer
from domain.shared.errors import Broken
from domain.shared.money import format_usdc, parse_usdc

PATIENCE_S = 45.0
_MINT = bytes.fromhex("40c10f19")
_BALANCE_OF = "0x70a08231"


class DemoWorld:
    """One stack, reached through endpoints.json."""

    def __init__(self, endpoints: dict[str, Any]) -> None:
        self.endpoints = endpoints
        self.evm: dict[str, Any] = endpoints["evm"]
        self.faucet = Account.from_key(self.evm["faucet_private_key"])
        headers = {"Authorization": f"Bearer {endpoints['admin_api_key']}"}
        self.api = httpx.AsyncClient(base_url=endpoints["api_url"], headers=headers, timeout=20)
        self.node = httpx.AsyncClient(base_url=self.evm["rpc_url"], timeout=20)
        self._operator: httpx.AsyncClient | None = None
        self._sending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in (self.api, self.node, self._operator):
            if client is not None:
                await client.aclose()

    # --- the API ---------------------------------------------------------------------------------------------------

    async def _send(self, client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = await client.request(method, path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
        found: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise Broken(str(found.get("code", "internal_error")), f"{method} {path}: {found.get('detail')}")
        return found

    async def account(self, name: str, role: str = "trader") -> str:
        created = await self._send(self.api, "POST", "/api/accounts", {"name": name, "role": role})
        return str(created["id"])

    async def deposit_address(self, account: str) -> str:
        found = await self._send(self.api, "POST", f"/api/exchange/accounts/{account}/deposit-address")
        return str(found["address"])

    async def deposit(self, tx_hash: str, *statuses: str) -> dict[str, Any]:
        """Wait until the deposit of this transaction has one of the statuses."""

        async def look() -> dict[str, Any] | None:
            found = await self._send(self.api, "GET", "/api/exchange/deposits?limit=200")
            ours = [item for item in found["items"] if item["tx_hash"] == tx_hash]
            return ours[0] if ours and ours[0]["status"] in statuses else None

        return await self._until(look, f"deposit {tx_hash} to be {' or '.join(statuses)}")

    async def request_withdrawal(self, account: str, to: str, amount: str) -> dict[str, Any]:
        body = {"account_id": account, "to_address": to, "amount_usdc": amount}
        return await self._send(self.api, "POST", "/api/exchange/withdrawals", body)

    async def refused_withdrawal(self, account: str, to: str, amount: str) -> dict[str, Any]:
        """The problem that answers a request which must be refused."""
        body = {"account_id": account, "to_address": to, "amount_usdc": amount}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        answer = await self.api.post("/api/exchange/withdrawals", json=body, headers=key)
        assert answer.status_code == 409, f"answered {answer.status_code}"
        problem: dict[str, Any] = answer.json()
        return problem

    async def withdrawal(self, withdrawal_id: str, status: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = await self._send(self.api, "GET", f"/api/exchange/withdrawals/{withdrawal_id}")
            if found["status"] in ("failed", "rejected", "cancelled"):
                raise Broken("stuck_withdrawal", f"{found['status']}: {found['failure_code']}")
            return found if found["status"] == status else None

        return await self._until(look, f"withdrawal {withdrawal_id} to be {status}")

    async def approve(self, withdrawal_id: str) -> None:
        """By another operator than the requester, with a key of their own."""
        if self._operator is None:
            account = await self.account("second operator", "operator")
            made = await self._send(self.api, "POST", f"/api/accounts/{account}/api-keys", {})
            headers = {"Authorization": f"Bearer {made['api_key']}"}
            self._operator = httpx.AsyncClient(base_url=self.endpoints["api_url"], headers=headers, timeout=20)
        await self._send(self._operator, "POST", f"/api/exchange/withdrawals/{withdrawal_id}/approve", {})

    async def available(self, account: str) -> str:
        found = await self._send(self.api, "GET", f"/api/accounts/{account}/balances")
        return next((str(item["available"]) for item in found["items"] if item["asset"] == "USDC"), "0")

    async def invariants(self) -> dict[str, Any]:
        return await self._send(self.api, "GET", "/api/system/invariants")

    async def link(self, resource: dict[str, Any]) -> str:
        """The process in the Temporal UI."""
        found = await self._send(self.api, "GET", f"/api/operations/{resource['operation_id']}")
        return str(found["temporal_ui_url"])

    def links(self) -> dict[str, str]:
        return {"API docs": f"{self.endpoints['api_url']}/api/docs", "Temporal UI": self.endpoints["temporal_ui_url"]}

    # --- the chain -------------------------------------------------------------------------------------------------

    async def rpc(self, method: str, *params: Any) -> Any:
        answer = await self.node.post("", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        found = answer.json()
        if "error" in found:
            raise Broken("internal_error", f"{method}: {found['error']}")
        return found["result"]

    async def mint(self, to: str, amount: str) -> str:
        """The faucet mints USDC to an address; returns the transaction's hash."""
        async with self._sending:
            fields = {
                "chainId": self.evm["chain_id"],
                "nonce": int(await self.rpc("eth_getTransactionCount", self.faucet.address, "pending"), 16),
                "gas": 200_000,
                "maxFeePerGas": 10**10,
                "maxPriorityFeePerGas": 0,
                "value": 0,
                "to": to_checksum_address(self.evm["usdc_address"]),
                "data": _MINT + encode_transfer(to.lower(), parse_usdc(amount))[4:],
            }
            signed = self.faucet.sign_transaction(fields)
            return await self.send_raw("0x" + signed.raw_transaction.hex().removeprefix("0x"))

    async def send_raw(self, raw: str) -> str:
        return str(await self.rpc("eth_sendRawTransaction", raw))

    async def raw_transaction(self, tx_hash: str) -> str:
        return str(await self.rpc("eth_getRawTransactionByHash", tx_hash))

    async def forget_from(self, block_number: int) -> None:
        """Replace the block and everything on top of it by empty ones."""
        head = int(await self.rpc("eth_blockNumber"), 16)
        await self.rpc("anvil_reorg", head - block_number + 1, [])

    async def chain_balance(self, address: str) -> str:
        call = {"to": self.evm["usdc_address"], "data": _BALANCE_OF + address[2:].rjust(64, "0")}
        return format_usdc(int(await self.rpc("eth_call", call, "latest"), 16))

    def fresh_address(self) -> str:
        return "0x" + secrets.token_hex(20)

    async def _until(self, look: Any, what: str) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            found: dict[str, Any] | None = await look()
            if found is not None:
                return found
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"waited {PATIENCE_S:.0f} s for {what}")
            await asyncio.sleep(0.2)
