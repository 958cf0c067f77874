"""Which workflows exist and where they run: the list that workers, replay tests and the sandbox test share."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from domain.shared.processes import EXCHANGE, OPERATIONS
from workflows.exchange.chain import ChainScannerWorkflow, HeadWatcherWorkflow
from workflows.exchange.custody import CustodyUpkeepWorkflow, SolvencyWorkflow, SweepWorkflow
from workflows.exchange.deposit import DepositWorkflow
from workflows.exchange.withdrawal import WithdrawalWorkflow
from workflows.operations.dispatcher import DispatcherWorkflow

WORKFLOWS: Final[dict[str, list[type[Any]]]] = {
    EXCHANGE: [
        ChainScannerWorkflow,
        HeadWatcherWorkflow,
        DepositWorkflow,
        WithdrawalWorkflow,
        SweepWorkflow,
        CustodyUpkeepWorkflow,
        SolvencyWorkflow,
    ],
    OPERATIONS: [DispatcherWorkflow],
}

WORKFLOW_FAILURES: Final = [ValidationError]
"""An input that cannot be decoded fails its workflow at once; by default its task would be retried for ever."""
