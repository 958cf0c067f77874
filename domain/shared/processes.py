"""The durable processes that have an operation row: how each kind is called in Temporal and where it runs.

A process is started with nothing but its subject's id; everything else is read from the books, so it can be
started again from its row at any time, by the API, the dispatcher or an operator.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict


class Start(BaseModel):
    """Input of every process: the id of the row it is about, and of the operation that shows its progress."""

    model_config = ConfigDict(frozen=True)
    subject_id: str
    operation_id: str | None = None


class RetryProcess(BaseModel):
    """Signal `retry`: it is worth looking again."""

    model_config = ConfigDict(frozen=True)
    cause: str = ""


class ParkOperation(BaseModel):
    """An operation waits for an operator because of `code`; an empty code: it goes on."""

    model_config = ConfigDict(frozen=True)
    operation_id: str | None
    code: str
    detail: str = ""


class Process(NamedTuple):
    """`again`: started anew when its last run failed or was terminated; its row says whether anything is left to do.
    `notice_s`: after how long a worker that died in the middle of a decision is noticed."""

    workflow: str
    queue: str
    area: str
    again: bool = False
    notice_s: int = 10


EXCHANGE: Final = "exchange"
COPYTRADE: Final = "copytrade"
LAUNCHPAD: Final = "launchpad"
OPERATIONS: Final = "operations"
EVM_SIGNER: Final = "evm-signer"
SOLANA_SIGNER: Final = "solana-signer"
QUEUES: Final = (EXCHANGE, COPYTRADE, LAUNCHPAD, OPERATIONS, EVM_SIGNER, SOLANA_SIGNER)

SIGNERS: Final = frozenset({EVM_SIGNER, SOLANA_SIGNER})
"""Served by processes that hold keys and do nothing else."""

PROCESSES: Final[dict[str, Process]] = {
    "deposit": Process("Deposit", EXCHANGE, "exchange"),
    "withdrawal": Process("Withdrawal", EXCHANGE, "exchange"),
    "sweep": Process("Sweep", EXCHANGE, "exchange"),
    "funding_round": Process("FundingRound", EXCHANGE, "exchange"),
    "lp_withdrawal": Process("LpWithdrawal", EXCHANGE, "exchange"),
    "lp_fee_claim": Process("LpFeeClaim", EXCHANGE, "exchange"),
    "asset_halt": Process("AssetHalt", EXCHANGE, "exchange", again=True),
    "oracle_refresh": Process("OracleRefresh", EXCHANGE, "exchange"),
    "correction": Process("Correction", OPERATIONS, "operations", again=True),
    "follow": Process("FollowLeader", COPYTRADE, "copytrade"),
    "backfill": Process("CopytradeBackfill", COPYTRADE, "copytrade"),
    "rebuild_snapshots": Process("RebuildSnapshots", COPYTRADE, "copytrade", again=True),
    "config_test": Process("ConfigTest", COPYTRADE, "copytrade"),
    "paper_close": Process("PaperClose", COPYTRADE, "copytrade", again=True),
    "token_launch": Process("TokenLaunch", LAUNCHPAD, "launchpad", again=True, notice_s=2),
    "curve_sale": Process("CurveSale", LAUNCHPAD, "launchpad", again=True),
    "sale_trade": Process("SaleTrade", LAUNCHPAD, "launchpad", again=True),
    "promo_refund": Process("PromoRefund", LAUNCHPAD, "launchpad", again=True),
    "program_deployment": Process("ProgramDeployment", LAUNCHPAD, "launchpad", again=True),
    "webhook_delivery": Process("WebhookDelivery", OPERATIONS, "operations", again=True),
    "backup": Process("Backup", OPERATIONS, "operations"),
    "restore_drill": Process("RestoreDrill", OPERATIONS, "operations"),
}
