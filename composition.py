"""The parts a process is made of, put together once. Shared by worker.py, server.py and cli/; reads settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from temporalio.client import Client, Interceptor
from temporalio.runtime import Runtime

from activities.exchange.custody import CustodyActivities
from activities.exchange.deposits import DepositActivities
from activities.exchange.scanning import ScanningActivities
from activities.exchange.sending import SendingActivities
from activities.exchange.signing import SigningActivities
from activities.exchange.withdrawals import WithdrawalActivities
from activities.operations.backup import BackupActivities, DrillActivities
from activities.operations.checks import LedgerCheckActivities
from activities.operations.dispatch import DispatchActivities
from activities.operations.parking import ParkingActivities
from activities.operations.retention import RetentionActivities
from activities.operations.webhooks import WebhookActivities
from domain.exchange.signing import Attempt, Draft
from domain.shared import ids
from domain.shared.errors import Broken
from domain.shared.processes import EVM_SIGNER, EXCHANGE, OPERATIONS
from gateways.backup import Vault, VaultConfig
from gateways.evm.chain import EvmNode
from gateways.evm.signer import LocalSigner
from gateways.pgtools import PgTools
from gateways.protocols import UnsignedTransaction
from gateways.webhooks import WebhookSender
from settings import Settings, SignerSettings, WorkerSettings
from storage.backup_runs import BackupRuns
from storage.books import Books
from storage.checks import LedgerCheckStore
from storage.database import Pool, make_pool
from storage.exchange.chain import ChainStore
from storage.exchange.custody import CustodyStore
from storage.exchange.deposits import DepositStore
from storage.exchange.signing import SigningStore
from storage.exchange.transactions import TransactionStore
from storage.exchange.withdrawals import WithdrawalStore
from storage.jobs import JobStore, Undispatched
from storage.listen import Listener
from storage.retention import RetentionStore
from storage.scratch import ScratchDatabases
from storage.webhooks import WaitingDelivery, WebhookStore
from workflows import client as temporal
from workflows import schedules
from workflows.client import Processes
from workflows.codec import codec_from_keys
from workflows.registry import WORKFLOWS


@dataclass
class Queue:
    """What one task queue serves."""

    workflows: list[type[Any]]
    activities: list[Callable[..., Any]]


@dataclass
class Parts:
    """Opened collaborators, shared by every activity of the process."""

    pool: Pool
    books: Books
    jobs: JobStore
    chain: EvmNode
    processes: Processes
    listener: Listener
    sender: WebhookSender


async def connect(
    settings: Settings,
    runtime: Runtime | None = None,
    interceptors: list[Interceptor] | None = None,
    *,
    lazy: bool = False,
) -> Client:
    """The Temporal client every process uses: pydantic payloads, encrypted when PAYLOAD_KEYS is set."""
    return await temporal.connect(
        settings.temporal_address,
        settings.temporal_namespace,
        codec=codec_from_keys(settings.payload_keys.get_secret_value()),
        tls=settings.temporal_tls,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        runtime=runtime,
        lazy=lazy,
        interceptors=interceptors or [],
    )


@asynccontextmanager
async def parts(settings: WorkerSettings, client: Client, name: str) -> AsyncIterator[Parts]:
    """Open pool and chain for the block. Refuses real money while SANDBOX_MODE is on."""
    if settings.sandbox_mode and settings.mainnet:
        raise Broken("wrong_chain", f"SANDBOX_MODE is on but chain {settings.arbitrum_chain_id} carries real money")
    dsn = settings.database_url.get_secret_value()
    async with make_pool(dsn, size=settings.database_pool_size, name=name) as pool:
        books = Books(pool)
        jobs = JobStore(books)
        chain = make_chain(settings, jobs)
        sender = WebhookSender(allow_private=settings.holdfast_profile == "local")
        try:
            yield Parts(pool, books, jobs, chain, Processes(client), Listener(dsn), sender)
        finally:
            await chain.aclose()
            await sender.aclose()


def make_chain(settings: WorkerSettings, jobs: JobStore) -> EvmNode:
    return EvmNode.connect(
        [settings.arbitrum_rpc_url, settings.arbitrum_rpc_fallback_url],
        chain_id=settings.arbitrum_chain_id,
        token=settings.usdc_contract_address.lower(),
        quarantine=jobs.quarantine,
        ws_url=settings.arbitrum_ws_url,
        poll_s=settings.scanner_poll_ms / 1000,
    )


def wanted_schedules(settings: WorkerSettings) -> list[schedules.Wanted]:
    """The periodic processes this installation should have."""
    return schedules.wanted(
        settings.arbitrum_chain_id,
        custody_interval_s=settings.custody_interval_s,
        check_interval_s=settings.check_interval_s,
        backup_hour_utc=settings.backup_hour_utc,
        backups=bool(settings.backup_dir),
    )


def queues(settings: WorkerSettings, opened: Parts, names: list[str]) -> dict[str, Queue]:
    """What each named queue serves in this process."""
    build: dict[str, Callable[[], list[Callable[..., Any]]]] = {
        EXCHANGE: lambda: exchange(settings, opened),
        OPERATIONS: lambda: operations(settings, opened),
        EVM_SIGNER: lambda: evm_signer(settings, opened),
    }
    return {name: Queue(WORKFLOWS.get(name, []), build[name]()) for name in names}


def own_addresses(settings: Settings) -> frozenset[str]:
    """Our wallets and the token: no money is ever sent there by a withdrawal."""
    ours = (
        settings.usdc_contract_address,
        settings.hot_wallet_address,
        settings.gas_wallet_address,
        settings.cold_wallet_address,
    )
    return frozenset(address.lower() for address in ours if address)


def exchange(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    chain_id, token = settings.arbitrum_chain_id, settings.usdc_contract_address.lower()
    hot = settings.hot_wallet_address.lower()
    transactions = TransactionStore(opened.books, settings.fee_policy())
    custody_store = CustodyStore(opened.books, chain_id, settings.sweep_minimum_micros)
    scanning = ScanningActivities(
        opened.chain,
        ChainStore(opened.books, chain_id, settings.deposit_policy(), hot),
        span_blocks=settings.scanner_span_blocks,
        start_block=settings.scanner_start_block,
    )
    deposits = DepositActivities(
        opened.chain,
        DepositStore(opened.books, chain_id, settings.deposit_policy()),
        opened.processes.signal,
        opened.jobs.redispatch,
    )
    withdrawals = WithdrawalActivities(
        opened.chain,
        WithdrawalStore(opened.books, settings.withdrawal_policy(), own_addresses(settings)),
        custody_store,
        token=token,
        hot_wallet=hot,
        gas_floor_wei=settings.hot_wallet_min_wei,
        look_again_s=settings.funds_retry_s,
    )
    sending = SendingActivities(
        opened.chain,
        transactions,
        token=token,
        confirmations=settings.confirmations_required,
        replace_after_s=settings.replace_after_s,
        explorer_url=settings.explorer_url,
    )
    custody = make_custody(settings, opened)
    return [
        scanning.scan_chain,
        deposits.watch_heads,
        deposits.verify_deposit,
        deposits.credit_deposit,
        withdrawals.place_hold,
        withdrawals.decide_withdrawal,
        withdrawals.cancel_withdrawal,
        withdrawals.check_funds,
        withdrawals.note_wait,
        withdrawals.refuse_withdrawal,
        withdrawals.settle_withdrawal,
        sending.broadcast,
        sending.record_broadcast,
        sending.watch_transaction,
        custody.plan_sweep,
        custody.finish_sweep,
        custody.upkeep,
        custody.check_solvency,
        ParkingActivities(opened.jobs).park_operation,
    ]


def make_custody(settings: WorkerSettings, opened: Parts) -> CustodyActivities:
    chain_id = settings.arbitrum_chain_id
    return CustodyActivities(
        opened.chain,
        CustodyStore(opened.books, chain_id, settings.sweep_minimum_micros),
        TransactionStore(opened.books, settings.fee_policy()),
        opened.jobs,
        settings.fee_policy(),
        token=settings.usdc_contract_address.lower(),
        wallets={
            "hot": settings.hot_wallet_address.lower(),
            "gas": settings.gas_wallet_address.lower(),
            "cold": settings.cold_wallet_address.lower(),
        },
        levels={
            "hot_wei": settings.hot_wallet_min_wei,
            "gas_wei": settings.gas_wallet_min_wei,
            "floor_micros": settings.hot_wallet_floor_micros,
            "ceiling_micros": settings.hot_wallet_ceiling_micros,
        },
    )


def make_vault(settings: WorkerSettings) -> Vault:
    """Where backups go, what goes into them, and the key."""
    return Vault(
        VaultConfig(
            directory=settings.backup_dir,
            key=settings.backup_key.get_secret_value(),
            app_version=version("holdfast"),
            database_url=settings.database_url.get_secret_value(),
            keep=settings.backup_keep,
            temporal_db_file=settings.temporal_db_file,
            temporal_db_dsn=settings.temporal_db_dsn.get_secret_value(),
            data_dirs=(Path(settings.data_dir),) if settings.data_dir else (),
        ),
        PgTools(settings.pg_bin_dir),
    )


def operations(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    dsn, vault = settings.database_url.get_secret_value(), make_vault(settings)
    backup = BackupActivities(vault, BackupRuns(opened.books, dsn))
    drill = DrillActivities(vault, ScratchDatabases(dsn))
    checks = LedgerCheckActivities(LedgerCheckStore(opened.books, dsn))
    retention = RetentionActivities(RetentionStore(opened.books))
    return [
        make_dispatch(opened).dispatch,
        *(backup.open_run, backup.note_step, backup.close_run, backup.write_archive, backup.verify_archive),
        *(backup.publish_archive, backup.discard_archive, backup.prune_archives),
        *(drill.choose_archive, drill.restore_scratch, drill.check_scratch, drill.check_workflow_store),
        drill.drop_scratch,
        *(checks.check_ledger, checks.record_ledger_check),
        *(retention.apply_retention, retention.record_retention),
        *make_webhooks(opened),
    ]


def make_webhooks(opened: Parts) -> list[Callable[..., Any]]:
    async def start(delivery: WaitingDelivery) -> None:
        await opened.processes.start(
            "webhook_delivery",
            delivery.delivery_id,
            ids.webhook_delivery(delivery.delivery_id),
            delivery.summary,
            account_id=delivery.account_id,
        )

    webhooks = WebhookActivities(WebhookStore(opened.books), opened.sender, start, opened.listener.listen)
    return [webhooks.fan_out, webhooks.deliver, webhooks.record_attempt]


def make_dispatch(opened: Parts) -> DispatchActivities:
    async def start(intent: Undispatched) -> None:
        await opened.processes.start(
            intent.kind,
            intent.subject_id,
            intent.workflow_id,
            intent.summary,
            operation_id=intent.operation_id,
            account_id=intent.account_id,
        )

    return DispatchActivities(opened.jobs, start, opened.listener.listen)


def evm_signer(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    if not isinstance(settings, SignerSettings):
        raise TypeError("the signer's queue needs the signer's settings")
    signer = LocalSigner(
        settings.hot_wallet_private_key, settings.gas_wallet_private_key, settings.deposit_account_xprv
    )
    own = signer.addresses()
    configured = {"hot": settings.hot_wallet_address.lower(), "gas": settings.gas_wallet_address.lower()}
    if own != configured:
        raise Broken("wrong_chain", f"the keys belong to {own}, configured are {configured}")

    def sign(draft: Draft) -> Attempt:
        intent = draft.intent
        signed = signer.sign(
            UnsignedTransaction(
                chain_id=draft.chain_id,
                wallet=intent.wallet,
                nonce=draft.nonce,
                to_address=intent.to_address,
                value_wei=intent.value_wei,
                data=intent.data,
                gas_limit=draft.gas_limit,
                price=draft.price,
            ),
            intent.derivation_index,
        )
        return Attempt(tx_hash=signed.tx_hash, raw=signed.raw)

    transactions = TransactionStore(opened.books, settings.fee_policy())
    store = SigningStore(
        opened.books,
        transactions,
        chain_id=settings.arbitrum_chain_id,
        token=settings.usdc_contract_address.lower(),
        hot=configured["hot"],
        gas=configured["gas"],
    )
    signing = SigningActivities(opened.chain, store, transactions, sign, token=settings.usdc_contract_address.lower())
    return [signing.sign_transaction]
