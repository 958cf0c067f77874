"""A small world of real parts for tests: Postgres, Temporal, anvil, and our workers in this process.

`World.open()` gives everything on a database and a chain of its own. Tests act through public interfaces (a transfer on
the chain, a row as the API writes it, an update to a process) and read the books. Nothing here replaces product code.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from bip32 import BIP32
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from temporalio.client import Client

import composition
import worker
from contracts import load
from domain.exchange.custody import Solvency
from domain.exchange.messages import Decision, Purpose, SignTransaction, TransactionSigned, WithdrawalState
from domain.exchange.tokens import encode_transfer
from domain.shared import ids
from gateways.evm.addresses import HdAddresses, keccak
from localnet.running import RunningEvm, RunningTemporal, running_evm, running_temporal
from settings import SignerSettings
from storage.database import transaction
from storage.events import new_id
from storage.exchange.deposits import DepositStore
from storage.exchange.withdrawals import WithdrawalStore
from storage.intents.addresses import assign
from storage.intents.withdrawals import open_withdrawal
from workflows.client import Processes
from workflows.singletons import ensure

CHAIN_ID = 421614
USDC = 10**6


class Wallets:
    """The platform's keys, fresh per world."""

    def __init__(self) -> None:
        tree = BIP32.from_seed(secrets.token_bytes(32))
        self.deposit_xprv = tree.get_xpriv_from_path("m/44'/60'/0'")
        self.deposit_xpub = tree.get_xpub_from_path("m/44'/60'/0'")
        self.hot_key = "0x" + tree.get_privkey_from_path("m/44'/60'/1'/0/0").hex()
        self.gas_key = "0x" + tree.get_privkey_from_path("m/44'/60'/2'/0/0").hex()
        self.hot = Account.from_key(self.hot_key).address.lower()
        self.gas = Account.from_key(self.gas_key).address.lower()
        self.addresses = HdAddresses(self.deposit_xpub)


class World:
    def __init__(
        self, dsn: str, temporal: RunningTemporal, evm: RunningEvm, wallets: Wallets, **overrides: Any
    ) -> None:
        self.dsn, self.temporal, self.evm, self.wallets = dsn, temporal, evm, wallets
        self.rpc = evm.rpc
        self.token = evm.usdc_address
        self.settings = SignerSettings(
            **{
                "holdfast_profile": "local",
                "log_format": "console",
                "database_url": dsn,
                "temporal_address": temporal.address,
                "arbitrum_rpc_url": evm.rpc_url,
                "arbitrum_ws_url": evm.ws_url,
                "arbitrum_chain_id": CHAIN_ID,
                "usdc_contract_address": evm.usdc_address,
                "deposit_xpub": wallets.deposit_xpub,
                "hot_wallet_address": wallets.hot,
                "gas_wallet_address": wallets.gas,
                "hot_wallet_private_key": wallets.hot_key,
                "gas_wallet_private_key": wallets.gas_key,
                "deposit_account_xprv": wallets.deposit_xprv,
                "scanner_poll_ms": 100,
                "scanner_start_block": 0,
                "graceful_shutdown_s": 0,
                "funds_retry_s": 1,
                **overrides,
            }
        )
        self._stack = contextlib.AsyncExitStack()
        self.client: Client
        self.parts: composition.Parts

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str,
        directory: Path,
        *,
        block_time: float | None = None,
        state: bool = False,
        workers: bool = True,
        hostile: bool = False,
        **overrides: Any,
    ) -> AsyncIterator[World]:
        """`block_time` None: blocks are mined by `mine()` only. `hostile`: the token can be told to lie."""
        wallets = Wallets()
        async with (
            running_temporal(directory / "temporal") as temporal,
            running_evm(directory / "evm", block_time=block_time, state=state) as evm,
        ):
            for wallet in (wallets.hot, wallets.gas):
                await evm.rpc("anvil_setBalance", wallet, hex(10**18))
            await evm.rpc("anvil_mine", "0x50")  # history, so that reorganisations do not reach the token's deployment
            world = cls(dsn, temporal, evm, wallets, **overrides)
            if hostile:
                world.token = await world.deploy("HostileToken")
                world.settings = world.settings.model_copy(update={"usdc_contract_address": world.token})
            async with world._stack:
                world.client = await composition.connect(world.settings)
                world.parts = await world._stack.enter_async_context(
                    composition.parts(world.settings, world.client, "test")
                )
                if workers:
                    await world._stack.enter_async_context(world.workers())
                yield world

    @asynccontextmanager
    async def workers(self, *names: str) -> AsyncIterator[None]:
        """Our workers, in this process, as worker.py builds them."""
        queues = composition.queues(self.settings, self.parts, list(names or ("exchange", "operations", "evm-signer")))
        async with contextlib.AsyncExitStack() as stack:
            for name, queue in queues.items():
                await stack.enter_async_context(
                    worker.build_worker(self.client, name, queue, self.settings, self.parts)
                )
            await ensure(self.client, CHAIN_ID, [], ["exchange", "operations"])
            yield

    # --- the chain -------------------------------------------------------------------------------------------------

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

    # --- the books -------------------------------------------------------------------------------------------------

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.dsn, row_factory=dict_row) as connection:
            connection.adapters.register_loader("uuid", TextLoader)
            cursor = await connection.execute(query, arguments or None)  # type: ignore[arg-type]
            return await cursor.fetchall() if cursor.description else []

    async def row(self, query: str, *arguments: Any) -> dict[str, Any]:
        found = await self.rows(query, *arguments)
        assert len(found) == 1, f"{len(found)} rows for {query}"
        return found[0]

    async def account(self, name: str = "trader") -> str:
        account_id = new_id()
        await self.rows("INSERT INTO platform.accounts (id, name, role) VALUES (%s, %s, 'trader')", account_id, name)
        return account_id

    async def address(self, account_id: str) -> str:
        """Allocate a deposit address as the API does."""
        async with transaction(self.parts.pool) as connection:
            derive = self.wallets.addresses.deposit_address
            given = await assign(connection, account_id=account_id, chain_id=CHAIN_ID, derive=derive, principal="test")
        return given.address

    async def available(self, account_id: str) -> int:
        return await self.ledger(f"users:{account_id}:available")

    async def held(self, account_id: str) -> int:
        return await self.ledger(f"users:{account_id}:held")

    async def ledger(self, path: str) -> int:
        found = await self.rows("SELECT balance FROM platform.balances WHERE account = %s AND unit = 'USDC'", path)
        return int(found[0]["balance"]) if found else 0

    async def deposit(self, tx_hash: str, ordinal: int = 0) -> dict[str, Any]:
        found = await self.rows(
            "SELECT * FROM exchange.deposits WHERE tx_hash = %s AND log_ordinal = %s", tx_hash, ordinal
        )
        return found[0] if found else {"status": "unseen", "id": None, "reason": None}

    async def deposit_status(self, tx_hash: str, status: str, ordinal: int = 0, timeout: float = 30) -> dict[str, Any]:
        return await self.until(lambda: self.deposit(tx_hash, ordinal), lambda row: row["status"] == status, timeout)

    async def funded(self, amount: int) -> str:
        """An account with `amount` micros, deposited on the chain and credited."""
        account_id = await self.account()
        tx_hash = await self.mint(await self.address(account_id), amount)
        if self.evm.server.block_time is None:
            await self.mine(40)
        await self.deposit_status(tx_hash, "credited")
        return account_id

    async def request_withdrawal(
        self, account_id: str, amount: int, to: str | None = None, by: str = "requester"
    ) -> str:
        """The row and operation as the API writes them; the dispatcher starts the process."""
        async with transaction(self.parts.pool) as connection:
            opened = await open_withdrawal(
                connection,
                account_id=account_id,
                chain_id=CHAIN_ID,
                to_address=(to or fresh_address()).lower(),
                amount_micros=amount,
                fee_micros=self.settings.withdrawal_fee_micros,
                requested_by=by,
            )
        return opened.withdrawal_id

    async def decide(self, withdrawal_id: str, principal: str, *, approve: bool = True) -> WithdrawalState:
        """An operator's verdict, as the API sends it."""
        decision = Decision(principal=principal, approve=approve)
        name = f"decide:{principal}:{approve}"
        return await self.processes.update(
            ids.withdrawal(withdrawal_id), "decide", decision, WithdrawalState, update_id=name
        )

    async def cancel(self, withdrawal_id: str, principal: str = "requester") -> WithdrawalState:
        decision = Decision(principal=principal)
        return await self.processes.update(
            ids.withdrawal(withdrawal_id), "cancel", decision, WithdrawalState, update_id=f"cancel:{principal}"
        )

    async def hot_wallet_with(self, micros: int) -> None:
        """A refill from outside, credited to the treasury."""
        tx_hash = await self.mint(self.wallets.hot, micros)
        await self.mine(18)
        await self.deposit_status(tx_hash, "credited")

    async def withdrawal(self, withdrawal_id: str) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.withdrawals WHERE id = %s", withdrawal_id)

    async def withdrawal_status(self, withdrawal_id: str, *statuses: str, timeout: float = 40) -> dict[str, Any]:
        return await self.until(lambda: self.withdrawal(withdrawal_id), lambda row: row["status"] in statuses, timeout)

    async def until(
        self, look: Callable[[], Awaitable[Any]], ok: Callable[[Any], bool], timeout: float = 30, every: float = 0.05
    ) -> Any:
        """Look again until it is as expected; the last look is in the failure's message."""
        deadline = time.monotonic() + timeout
        while not ok(seen := await look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"still {seen}")
            await asyncio.sleep(every)
        return seen

    async def settled(self) -> None:
        """The scanner has read everything up to the head, and the watcher has had a turn."""
        head = int(await self.rpc("eth_blockNumber"), 16)
        cursor = "SELECT next_block FROM exchange.chain_cursors"
        await self.until(lambda: self.rows(cursor), lambda rows: bool(rows) and rows[0]["next_block"] > head)
        await asyncio.sleep(0.5)

    @contextlib.asynccontextmanager
    async def behind(self, url: str, fallback: str = "") -> AsyncIterator[None]:
        """The product reaches the chain through another URL (a proxy) while the block runs."""
        before = self.settings, self.parts
        addresses = {"arbitrum_rpc_url": url, "arbitrum_rpc_fallback_url": fallback, "arbitrum_ws_url": ""}
        self.settings = self.settings.model_copy(update=addresses)
        async with composition.parts(self.settings, self.client, "proxied") as self.parts:
            yield
        self.settings, self.parts = before

    def deposit_store(self) -> DepositStore:
        return DepositStore(self.parts.books, CHAIN_ID, self.settings.deposit_policy())

    async def solvency(self) -> Solvency:
        return await composition.make_custody(self.settings, self.parts).solvency()

    def withdrawal_store(self) -> WithdrawalStore:
        return WithdrawalStore(self.parts.books, self.settings.withdrawal_policy())

    async def sign_again(self, withdrawal_id: str) -> TransactionSigned:
        """The signer's activity, called once more beside the running process."""
        [sign] = composition.evm_signer(self.settings, self.parts)
        request = SignTransaction(purpose=Purpose.WITHDRAWAL, ref_id=withdrawal_id)
        signed: TransactionSigned = await sign(request)
        return signed

    async def use_nonce_elsewhere(self, key: str, nonce: int) -> None:
        """A transaction of our wallet that we did not sign: somebody else has the key."""
        thief = Account.from_key(key)
        await self.send_raw(self.sign_transfer(thief, fresh_address(), 1, nonce=nonce))

    @property
    def processes(self) -> Processes:
        return self.parts.processes

    async def check_books(self) -> None:
        """The invariants that every test ends with."""
        assert (
            await self.rows(
                "SELECT transfer_id FROM platform.postings GROUP BY transfer_id, unit HAVING sum(amount) <> 0"
            )
            == []
        )
        drift = await self.rows(
            """SELECT b.account, b.balance, s.sum FROM platform.balances b FULL JOIN
                 (SELECT account, unit, sum(amount) FROM platform.postings GROUP BY 1, 2) s USING (account, unit)
               WHERE b.balance IS DISTINCT FROM s.sum"""
        )
        assert drift == []


def calldata(contract: str, function: str, *arguments: Any) -> str:
    """ABI-encoded call of a function of one of `contracts/`."""
    abi = next(item for item in load(contract).abi if item.get("name") == function)
    types = [item["type"] for item in abi["inputs"]]
    selector = keccak(f"{function}({','.join(types)})".encode())[:4]
    return "0x" + (selector + encode(types, list(arguments))).hex()


def fresh_address() -> str:
    return "0x" + secrets.token_hex(20)
