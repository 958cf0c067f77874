"""The intents of liquidity providers: rows that their process decides, under the asset's lock."""

from __future__ import annotations

from domain.exchange.liquidity import CLAIM_STEPS, WITHDRAWAL_STEPS
from domain.shared import ids
from domain.shared.money import format_usdc
from storage.database import Connection
from storage.events import audit, new_id
from storage.intents.opened import Opened
from storage.operations import open_operation


async def open_contribution(
    connection: Connection, *, asset_id: str, account_id: str, amount_micros: int, requested_by: str
) -> str:
    """Insert the request; its id is the id of the update that has the funding round decide it."""
    contribution_id = new_id()
    await connection.execute(
        "INSERT INTO exchange.contributions (id, asset_id, account_id, amount_micros) VALUES (%s, %s, %s, %s)",
        [contribution_id, asset_id, account_id, amount_micros],
    )
    amount = str(amount_micros)
    await audit(connection, requested_by, "contribution_requested", contribution_id, amount_micros=amount)
    return contribution_id


async def open_lp_withdrawal(
    connection: Connection, *, asset_id: str, symbol: str, account_id: str, amount_micros: int, requested_by: str
) -> Opened:
    """Insert the request and its operation. The caller has checked it; the process checks again under lock."""
    withdrawal_id = new_id()
    workflow_id = ids.lp_withdrawal(withdrawal_id)
    summary = f"Withdraw {format_usdc(amount_micros)} USDC of liquidity from {symbol}"
    operation_id = await open_operation(
        connection,
        kind="lp_withdrawal",
        subject_id=withdrawal_id,
        workflow_id=workflow_id,
        steps=WITHDRAWAL_STEPS,
        summary=summary,
        account_id=account_id,
    )
    await connection.execute(
        """INSERT INTO exchange.lp_withdrawals (id, asset_id, account_id, amount_micros, operation_id)
           VALUES (%s, %s, %s, %s, %s)""",
        [withdrawal_id, asset_id, account_id, amount_micros, operation_id],
    )
    amount = str(amount_micros)
    await audit(connection, requested_by, "lp_withdrawal_requested", withdrawal_id, amount_micros=amount)
    return Opened(withdrawal_id, operation_id, workflow_id, account_id, summary)


async def open_fee_claim(
    connection: Connection, *, asset_id: str, symbol: str, account_id: str, requested_by: str
) -> Opened:
    """Insert the claim and its operation."""
    claim_id = new_id()
    workflow_id = ids.lp_fee_claim(claim_id)
    summary = f"Claim the fees of {symbol}"
    operation_id = await open_operation(
        connection,
        kind="lp_fee_claim",
        subject_id=claim_id,
        workflow_id=workflow_id,
        steps=CLAIM_STEPS,
        summary=summary,
        account_id=account_id,
    )
    await connection.execute(
        "INSERT INTO exchange.lp_fee_claims (id, asset_id, account_id, operation_id) VALUES (%s, %s, %s, %s)",
        [claim_id, asset_id, account_id, operation_id],
    )
    await audit(connection, requested_by, "lp_fee_claim_requested", claim_id)
    return Opened(claim_id, operation_id, workflow_id, account_id, summary)
