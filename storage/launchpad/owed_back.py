"""What is owed back for a promotion, as the books have it: who paid how much, and the process that pays it back."""

from __future__ import annotations

from typing import Final

from domain.launchpad.promo_refunds import STEP, Owed, check_refund, told
from domain.launchpad.signing import PROMO_REFUND
from domain.launchpad.transactions import Plan
from domain.shared import ids
from domain.shared.errors import Broken
from storage.database import Connection
from storage.operations import open_operation

_READ: Final = """
SELECT a.id, a.status::text AS status, a.payer, a.received_lamports AS lamports, a.payment_signature,
  a.refund_signature AS signature, a.operation_id, a.project_id, l.account_id, l.cluster
FROM launchpad.promo_activations a JOIN launchpad.launches l ON l.id = a.project_id
WHERE a.payer IS NOT NULL AND a.received_lamports > 0 AND """


async def open_refund(connection: Connection, promo_id: str) -> None:
    """Have what this promotion owes paid back: its operation, which the dispatcher starts, once."""
    owed = await owed_back(connection, promo_id)
    if owed is None:
        raise Broken("internal_error", f"promotion {promo_id} is owed back and nobody knows what was paid")
    operation_id = await open_operation(
        connection,
        kind=PROMO_REFUND,
        subject_id=owed.id,
        workflow_id=ids.promo_refund(owed.id),
        steps=(STEP,),
        summary=f"Pay {told(owed.lamports)} back to {owed.payer}",
        account_id=owed.account_id,
    )
    await connection.execute(
        "UPDATE launchpad.promo_activations SET operation_id = %s WHERE id = %s", [operation_id, owed.id]
    )


async def check_owed(connection: Connection, plan: Plan, platform: str) -> None:
    """Before the signer signs: is this what the books owe, and is it still owed? Plans of other kinds pass.

    Raises: Broken promo_refund_stuck.
    """
    if plan.subject_kind == PROMO_REFUND:
        check_refund(plan, await owed_back(connection, plan.subject_id, lock=True), platform)


async def owed_back(connection: Connection, promo_id: str, *, lock: bool = False) -> Owed | None:
    """The promotion with what was found on the chain; None: nothing was."""
    query = _READ + "a.id = %s" + (" FOR UPDATE OF a" if lock else "")
    row = await (await connection.execute(query, [promo_id])).fetchone()
    return Owed.model_validate(row) if row is not None else None
