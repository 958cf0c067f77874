"""`holdfast up` as a user runs it, and the means to hurt it: SIGKILL any process by its pid in endpoints.json."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_utils.address import to_checksum_address

from domain.exchange.tokens import encode_transfer
from domain.shared.money import format_usdc, parse_usdc
from tests.patience import PATIENCE_S

PROCESSES = ("api", "worker", "workers", "signer", "temporal", "postgres", "evm")
"""`worker` is one of the two, `workers` are both at once."""
FAST = ("CUSTODY_INTERVAL_S=5", "CHECK_INTERVAL_S=5", "FUNDS_RETRY_S=1")


class LiveStack:
    """One running stack. Reads and writes go through its HTTP API; a user whose request is cut off asks again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        first = self.endpoints()
        self.evm: dict[str, Any] = first["evm"]
        headers = {"Authorization": f"Bearer {first['admin_api_key']}"}
        self.api = httpx.AsyncClient(base_url=first["api_url"], headers=headers, timeout=15)
        self.node = httpx.AsyncClient(base_url=self.evm["rpc_url"], timeout=15)
        self.faucet = Account.from_key(self.evm["faucet_private_key"])
        self.operator = ""
        self.kills: list[str] = []
        self._minted: dict[str, str] = {}
        self._nonce: int | None = None
        self._sending = asyncio.Lock()

    def endpoints(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "endpoints.json").read_text())
        return found

    def kill(self, name: str, which: int = 0) -> bool:
        """SIGKILL. The supervisor brings it back. False when it is not there just now."""
        found = self.endpoints()["pids"].get("worker" if name == "workers" else name) or []
        if isinstance(found, list) and found and name != "workers":
            found = found[which % len(found)]
        killed = 0
        for pid in found if isinstance(found, list) else [found]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        self.kills += [name] if killed else []
        return killed > 0

    async def close(self) -> None:
        await self.api.aclose()
        await self.node.aclose()

    # --- the API, asked again until it answers ----------------------------------------------------------------------

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = "", auth: str = "") -> dict[str, Any]:
        """One request with one idempotency key, repeated while the system is hurt (no answer, 409 in flight, 5xx)."""
        status, found = await self.attempt(method, path, body, key=key, auth=auth)
        assert status < 400, f"{method} {path}: {found}"
        return found

    async def attempt(
        self, method: str, path: str, body: Any = None, *, key: str = "", auth: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """As `ask`; a refusal is an answer as well."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        if auth:
            headers["Authorization"] = f"Bearer {auth}"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = await self.api.request(method, path, json=body, headers=headers)
                found: dict[str, Any] = answer.json()
                if answer.status_code < 500 and found.get("code") != "idempotency_in_flight":
                    return answer.status_code, found
                last: object = found
            except (httpx.TransportError, json.JSONDecodeError) as error:
                last = error
            assert time.monotonic() < deadline, f"{method} {path} never answered: {last}"
            await asyncio.sleep(0.2)

    async def account(self) -> tuple[str, str]:
        """A trader and their deposit address."""
        account = str((await self.ask("POST", "/api/accounts", {"name": "chaos", "role": "trader"}))["id"])
        found = await self.ask("POST", f"/api/exchange/accounts/{account}/deposit-address")
        return account, str(found["address"])

    async def deposits(self, account: str) -> dict[str, dict[str, Any]]:
        found = await self.ask("GET", f"/api/exchange/deposits?account_id={account}&limit=200")
        return {item["tx_hash"]: item for item in found["items"]}

    async def withdraw(self, account: str, to: str, amount: str) -> str:
        body = {"account_id": account, "to_address": to, "amount_usdc": amount}
        return str((await self.ask("POST", "/api/exchange/withdrawals", body))["id"])

    async def withdrawal(self, withdrawal_id: str) -> dict[str, Any]:
        return await self.ask("GET", f"/api/exchange/withdrawals/{withdrawal_id}")

    async def available(self, account: str) -> str:
        found = await self.ask("GET", f"/api/accounts/{account}/balances")
        return next((str(i["available"]) for i in found["items"] if i["asset"] == "USDC"), "0")

    async def until(self, look: Any, ok: Any, what: str, patience: float = 150) -> Any:
        deadline = time.monotonic() + patience
        while not ok(seen := await look()):
            assert time.monotonic() < deadline, f"{what}: still {seen}; kills so far: {self.kills}"
            await asyncio.sleep(0.1)
        return seen

    # --- the chain --------------------------------------------------------------------------------------------------

    async def rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = (await self.node.post("", json=body)).json()
                break
            except (httpx.TransportError, json.JSONDecodeError):
                assert time.monotonic() < deadline, "the chain never came back"
                await asyncio.sleep(0.1)
        assert "error" not in found, found
        return found["result"]

    async def mint(self, to: str, amount: str) -> str:
        """A user's transfer. Remembered, so that a wallet can send it again when the chain lost it."""
        async with self._sending:
            mined = int(await self.rpc("eth_getTransactionCount", self.faucet.address, "pending"), 16)
            self._nonce = max(mined, self._nonce if self._nonce is not None else 0)
            fields = {
                "chainId": self.evm["chain_id"],
                "nonce": self._nonce,
                "gas": 200_000,
                "maxFeePerGas": 10**10,
                "maxPriorityFeePerGas": 0,
                "value": 0,
                "to": to_checksum_address(self.evm["usdc_address"]),
                "data": bytes.fromhex("40c10f19") + encode_transfer(to.lower(), parse_usdc(amount))[4:],
            }
            signed = self.faucet.sign_transaction(fields)
            raw = "0x" + signed.raw_transaction.hex().removeprefix("0x")
            tx_hash = str(await self.rpc("eth_sendRawTransaction", raw))
            self._minted[tx_hash] = raw
            self._nonce += 1
        return tx_hash

    async def resend_lost(self) -> None:
        """What wallets do: a transaction the chain does not know any more is sent again."""
        async with self._sending:
            for tx_hash, raw in self._minted.items():
                if await self.rpc("eth_getTransactionByHash", tx_hash) is None:
                    await self.rpc("eth_sendRawTransaction", raw)

    async def chain_balance(self, address: str) -> str:
        call = {"to": self.evm["usdc_address"], "data": "0x70a08231" + address[2:].lower().rjust(64, "0")}
        return format_usdc(int(await self.rpc("eth_call", call, "latest"), 16))

    # --- what must hold at the end ----------------------------------------------------------------------------------

    async def check(self) -> dict[str, Any]:
        """Every invariant holds, now; solvency may need the last sweep's receipt, so it is asked until it settles."""
        found = await self.until(
            lambda: self.ask("GET", "/api/system/invariants"), lambda answer: answer["ok"], "invariants"
        )
        return dict(found)


@asynccontextmanager
async def live_stack(directory: Path, *settings: str) -> AsyncIterator[LiveStack]:
    """`holdfast up` in a process of its own; stopped with SIGTERM, and nothing may be left behind."""
    arguments = [part for setting in (*FAST, *settings) for part in ("--set", setting)]
    log = directory.parent / f"{directory.name}.log"
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", "up", "--data-dir", str(directory), *arguments,
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not (directory / "endpoints.json").exists():
                assert child.returncode is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                await asyncio.sleep(0.1)
            stack = LiveStack(directory)
            try:
                yield stack
            finally:
                await stack.close()
        finally:
            if child.returncode is None:
                child.terminate()
            await asyncio.wait_for(child.wait(), 60)
