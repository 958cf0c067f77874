"""Which workflows exist and where they run: the list that workers, replay tests and the sandbox test share."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from domain.shared.processes import COPYTRADE, EXCHANGE, LAUNCHPAD, OPERATIONS
from workflows.copytrade.attempt import CopyAttemptWorkflow
from workflows.copytrade.backfill import CopytradeBackfillWorkflow
from workflows.copytrade.chain import ChainTriggerWorkflow
from workflows.copytrade.closes import PaperCloseWorkflow
from workflows.copytrade.config_tests import ConfigTestWorkflow
from workflows.copytrade.drift import DriftWorkflow
from workflows.copytrade.feed import CopytradeFeedWorkflow
from workflows.copytrade.follow import FollowLeaderWorkflow
from workflows.copytrade.markets import MarketFactsWorkflow
from workflows.copytrade.marks import CopytradeMarksWorkflow, CopytradeSnapshotsWorkflow
from workflows.copytrade.portfolio import GlobalPortfolioWorkflow
from workflows.copytrade.rebuild import RebuildSnapshotsWorkflow
from workflows.copytrade.settlement import SettlementWorkflow
from workflows.exchange.chain import ChainScannerWorkflow, HeadWatcherWorkflow
from workflows.exchange.custody import CustodyUpkeepWorkflow, SolvencyWorkflow, SweepWorkflow
from workflows.exchange.deposit import DepositWorkflow
from workflows.exchange.funding import FundingRoundWorkflow, LiquidityUpkeepWorkflow
from workflows.exchange.halts import AssetHaltWorkflow
from workflows.exchange.liquidity import LpFeeClaimWorkflow, LpWithdrawalWorkflow
from workflows.exchange.market import MarketEngineWorkflow
from workflows.exchange.oracle import OracleRefreshWorkflow, OracleRoundWorkflow
from workflows.exchange.pricing import PriceEngineWorkflow, PriceFeedWorkflow
from workflows.exchange.withdrawal import WithdrawalWorkflow
from workflows.launchpad.aftercare import SaleAftercareWorkflow
from workflows.launchpad.curve_sale import CurveSaleWorkflow
from workflows.launchpad.deployment import ProgramDeploymentWorkflow
from workflows.launchpad.launch import TokenLaunchWorkflow
from workflows.launchpad.mirror import ArweaveMirrorWorkflow
from workflows.launchpad.promo_refund import PromoRefundWorkflow
from workflows.launchpad.reconcile import LaunchpadReconcileWorkflow
from workflows.launchpad.sale_feed import SaleFeedWorkflow
from workflows.launchpad.sale_trade import SaleTradeWorkflow
from workflows.launchpad.tax import TaxDistributionWorkflow
from workflows.launchpad.upkeep import SolanaUpkeepWorkflow
from workflows.operations.backup import BackupWorkflow, RestoreDrillWorkflow
from workflows.operations.checks import LedgerCheckWorkflow, ProcessCheckWorkflow
from workflows.operations.corrections import CorrectionWorkflow
from workflows.operations.dispatcher import DispatcherWorkflow
from workflows.operations.probe import TimerProbeWorkflow
from workflows.operations.retention import RetentionWorkflow
from workflows.operations.webhooks import WebhookDeliveryWorkflow, WebhookFanoutWorkflow

WORKFLOWS: Final[dict[str, list[type[Any]]]] = {
    EXCHANGE: [
        ChainScannerWorkflow,
        HeadWatcherWorkflow,
        DepositWorkflow,
        WithdrawalWorkflow,
        SweepWorkflow,
        CustodyUpkeepWorkflow,
        SolvencyWorkflow,
        MarketEngineWorkflow,
        FundingRoundWorkflow,
        LpWithdrawalWorkflow,
        LpFeeClaimWorkflow,
        LiquidityUpkeepWorkflow,
        OracleRefreshWorkflow,
        OracleRoundWorkflow,
        PriceFeedWorkflow,
        PriceEngineWorkflow,
        AssetHaltWorkflow,
    ],
    COPYTRADE: [
        CopyAttemptWorkflow,
        GlobalPortfolioWorkflow,
        ChainTriggerWorkflow,
        CopytradeFeedWorkflow,
        FollowLeaderWorkflow,
        MarketFactsWorkflow,
        SettlementWorkflow,
        DriftWorkflow,
        CopytradeBackfillWorkflow,
        CopytradeMarksWorkflow,
        CopytradeSnapshotsWorkflow,
        RebuildSnapshotsWorkflow,
        ConfigTestWorkflow,
        PaperCloseWorkflow,
    ],
    LAUNCHPAD: [
        ProgramDeploymentWorkflow,
        TokenLaunchWorkflow,
        PromoRefundWorkflow,
        SaleFeedWorkflow,
        CurveSaleWorkflow,
        SaleTradeWorkflow,
        LaunchpadReconcileWorkflow,
        TaxDistributionWorkflow,
        SaleAftercareWorkflow,
        SolanaUpkeepWorkflow,
        ArweaveMirrorWorkflow,
    ],
    OPERATIONS: [
        DispatcherWorkflow,
        WebhookFanoutWorkflow,
        WebhookDeliveryWorkflow,
        BackupWorkflow,
        RestoreDrillWorkflow,
        LedgerCheckWorkflow,
        ProcessCheckWorkflow,
        RetentionWorkflow,
        TimerProbeWorkflow,
        CorrectionWorkflow,
    ],
}

WORKFLOW_FAILURES: Final = [ValidationError]
"""An input that cannot be decoded fails its workflow at once; by default its task would be retried for ever."""
