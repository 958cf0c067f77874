"""The queue `exchange`: the scanner, deposits, withdrawals, sweeps, solvency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.exchange.custody import CustodyActivities
from activities.exchange.deposits import DepositActivities
from activities.exchange.scanning import ScanningActivities
from activities.exchange.sending import SendingActivities
from activities.exchange.withdrawals import WithdrawalActivities
from activities.operations.parking import ParkingActivities
from composition.custody import make_solvency, own_addresses, wallets
from composition.liquidity import liquidity
from composition.market import market
from composition.oracle import oracle
from composition.parts import Parts
from composition.pricing import pricing
from domain.exchange.custody import Levels
from settings import WorkerSettings
from storage.exchange.chain import ChainStore
from storage.exchange.custody import CustodyStore
from storage.exchange.deposits import DepositStore
from storage.exchange.overdue import OverdueDeposits
from storage.exchange.transactions import TransactionStore
from storage.exchange.withdrawals import WithdrawalStore

Activities = list[Callable[..., Any]]


def exchange(settings: WorkerSettings, opened: Parts) -> Activities:
    """Every activity of this queue."""
    custody = make_custody(settings, opened)
    solvency = make_solvency(settings, opened.books, opened.chain)
    return [
        *_deposits(settings, opened),
        *_withdrawals(settings, opened),
        *_sending(settings, opened),
        *(custody.plan_sweep, custody.finish_sweep, custody.upkeep),
        solvency.check_solvency,
        *market(settings, opened),
        *oracle(settings, opened),
        *liquidity(settings, opened),
        *pricing(settings, opened),
        ParkingActivities(opened.jobs).park_operation,
    ]


def _deposits(settings: WorkerSettings, opened: Parts) -> Activities:
    chain_id, policy = settings.arbitrum_chain_id, settings.deposit_policy()
    scanning = ScanningActivities(
        opened.chain,
        ChainStore(opened.books, chain_id, policy, wallets(settings)),
        span_blocks=settings.scanner_span_blocks,
        start_block=settings.scanner_start_block,
    )
    deposits = DepositActivities(
        opened.chain,
        DepositStore(opened.books, chain_id, policy),
        opened.processes.signal,
        opened.jobs.redispatch,
    )
    return [scanning.scan_chain, deposits.watch_heads, deposits.verify_deposit, deposits.credit_deposit]


def _withdrawals(settings: WorkerSettings, opened: Parts) -> Activities:
    withdrawals = WithdrawalActivities(
        opened.chain,
        WithdrawalStore(opened.books, settings.withdrawal_policy(), own_addresses(settings)),
        CustodyStore(opened.books, settings.arbitrum_chain_id, settings.sweep_minimum_micros),
        token=settings.usdc_contract_address.lower(),
        hot_wallet=settings.hot_wallet_address.lower(),
        gas_floor_wei=settings.hot_wallet_min_wei,
        look_again_s=settings.funds_retry_s,
    )
    return [
        *(withdrawals.place_hold, withdrawals.decide_withdrawal, withdrawals.cancel_withdrawal),
        *(withdrawals.check_funds, withdrawals.note_wait),
        *(withdrawals.refuse_withdrawal, withdrawals.settle_withdrawal),
    ]


def _sending(settings: WorkerSettings, opened: Parts) -> Activities:
    sending = SendingActivities(
        opened.chain,
        TransactionStore(opened.books, settings.fee_policy()),
        token=settings.usdc_contract_address.lower(),
        confirmations=settings.confirmations_required,
        replace_after_s=settings.replace_after_s,
        explorer_url=settings.explorer_url,
    )
    return [sending.broadcast, sending.record_broadcast, sending.watch_transaction]


def make_custody(settings: WorkerSettings, opened: Parts) -> CustodyActivities:
    """Sweeps and upkeep."""
    chain_id = settings.arbitrum_chain_id
    return CustodyActivities(
        opened.chain,
        CustodyStore(opened.books, chain_id, settings.sweep_minimum_micros),
        TransactionStore(opened.books, settings.fee_policy()),
        OverdueDeposits(opened.books, chain_id, settings.deposit_overdue_s),
        opened.jobs,
        settings.fee_policy(),
        token=settings.usdc_contract_address.lower(),
        wallets=wallets(settings),
        levels=Levels(
            hot_wei=settings.hot_wallet_min_wei,
            gas_wei=settings.gas_wallet_min_wei,
            floor_micros=settings.hot_wallet_floor_micros,
            ceiling_micros=settings.hot_wallet_ceiling_micros,
            platform_daily_micros=settings.withdrawal_platform_daily_micros,
        ),
    )
