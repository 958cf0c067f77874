"""The intent to withdraw: a row and its operation. The hold is placed by the workflow, under lock."""

from __future__ import annotations

from domain.exchange.withdrawals import STEPS
from domain.shared import ids
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.database import Connection
from storage.events import audit, emit, new_id
from storage.intents.opened import Opened
from storage.operations import open_operation


async def open_withdrawal(
    connection: Connection,
    *,
    account_id: str,
    chain_id: int,
    to_address: str,
    amount_micros: int,
    fee_micros: int,
    requested_by: str,
) -> Opened:
    """Insert the withdrawal and its operation, and tell listeners. The caller has checked the request."""
    withdrawal_id = new_id()
    workflow_id = ids.withdrawal(withdrawal_id)
    summary = f"Withdraw {format_usdc(amount_micros)} USDC to {to_address[:8]}…{to_address[-6:]}"
    operation_id = await open_operation(
        connection,
        kind="withdrawal",
        subject_id=withdrawal_id,
        workflow_id=workflow_id,
        steps=STEPS,
        summary=summary,
        account_id=account_id,
    )
    await connection.execute(
        """INSERT INTO exchange.withdrawals
             (id, account_id, chain_id, to_address, amount_micros, fee_micros, requested_by, operation_id)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [withdrawal_id, account_id, chain_id, to_address, amount_micros, fee_micros, requested_by, operation_id],
    )
    await audit(connection, requested_by, "withdrawal_requested", withdrawal_id, amount_micros=str(amount_micros))
    await emit(
        connection,
        Event(
            topic="withdrawals",
            type="withdrawal_requested",
            account_id=account_id,
            payload={"id": withdrawal_id, "status": "requested", "amount_usdc": format_usdc(amount_micros)},
        ),
    )
    return Opened(withdrawal_id, operation_id, workflow_id, account_id, summary)
