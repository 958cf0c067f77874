"""The world itself: the servers, our workers, and what users and operators do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.client import Client

import worker
from composition.custody import make_solvency
from composition.parts import Parts, connect, open_parts
from composition.queues import build_queues
from composition.signer import evm_signer
from domain.exchange.custody import Solvency
from domain.exchange.messages import Decision, Purpose, SignTransaction, TransactionSigned, WithdrawalState
from domain.shared import ids
from localnet.running import RunningEvm, RunningTemporal, running_evm, running_temporal
from settings import SignerSettings
from storage.database import transaction
from storage.exchange.deposits import DepositStore
from storage.exchange.withdrawals import WithdrawalStore
from storage.intents.addresses import assign
from storage.intents.withdrawals import open_withdrawal
from tests.world.books import BooksSide
from tests.world.chain import CHAIN_ID, ChainSide, fresh_address
from tests.world.wallets import Wallets
from workflows.client import Processes
from workflows.singletons import ensure


class World(ChainSide, BooksSide):
    def __init__(
        self, dsn: str, temporal: RunningTemporal, evm: RunningEvm, wallets: Wallets, **overrides: Any
    ) -> None:
        ChainSide.__init__(self, evm)
        BooksSide.__init__(self, dsn)
        self.temporal, self.wallets = temporal, wallets
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
        self.parts: Parts

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
                world.client = await connect(world.settings)
                world.parts = await world._stack.enter_async_context(open_parts(world.settings, world.client, "test"))
                if workers:
                    await world._stack.enter_async_context(world.workers())
                yield world

    @asynccontextmanager
    async def workers(self, *names: str) -> AsyncIterator[None]:
        """Our workers, in this process, as worker.py builds them."""
        queues = build_queues(self.settings, self.parts, list(names or ("exchange", "operations", "evm-signer")))
        async with contextlib.AsyncExitStack() as stack:
            for name, queue in queues.items():
                await stack.enter_async_context(
                    worker.build_worker(self.client, name, queue, self.settings, self.parts)
                )
            await ensure(self.client, CHAIN_ID, [], ["exchange", "operations"])
            yield

    async def address(self, account_id: str) -> str:
        """Allocate a deposit address as the API does."""
        async with transaction(self.parts.pool) as connection:
            derive = self.wallets.addresses.deposit_address
            given = await assign(connection, account_id=account_id, chain_id=CHAIN_ID, derive=derive, principal="test")
        return given.address

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
        return opened.subject_id

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
        async with open_parts(self.settings, self.client, "proxied") as self.parts:
            yield
        self.settings, self.parts = before

    def deposit_store(self) -> DepositStore:
        return DepositStore(self.parts.books, CHAIN_ID, self.settings.deposit_policy())

    async def solvency(self) -> Solvency:
        return await make_solvency(self.settings, self.parts.books, self.parts.chain).solvency()

    def withdrawal_store(self) -> WithdrawalStore:
        return WithdrawalStore(self.parts.books, self.settings.withdrawal_policy())

    async def sign_again(self, withdrawal_id: str) -> TransactionSigned:
        """The signer's activity, called once more beside the running process."""
        [sign] = evm_signer(self.settings, self.parts)
        request = SignTransaction(purpose=Purpose.WITHDRAWAL, ref_id=withdrawal_id)
        signed: TransactionSigned = await sign(request)
        return signed

    @property
    def processes(self) -> Processes:
        return self.parts.processes
