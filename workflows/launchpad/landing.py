"""How every effect gets onto Solana: signed once, the same bytes sent until the chain has said what became of them."""

from __future__ import annotations

from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.launchpad.sending import SolanaSendingActivities
from activities.launchpad.signing import SolanaSigningActivities
from domain.launchpad.transactions import Landing, LandingRecorded, LandKey, SendAttempt, SignedAttempt
from domain.shared.processes import SOLANA_SIGNER
from workflows import policies

ATTEMPTS: Final = 6
"""So many blockhashes (about eight minutes on a cluster) may pass before an operator is asked."""


async def land(key: str, *, finalized: bool = False, again: bool = False) -> Landing:
    """Bring the plan of this key onto the chain, or learn that it will not.

    A plan that needs a wallet's signature must have it already (storage/intents/solana.py); when its blockhash runs
    out it ends EXPIRED and another must be issued. One of the platform alone is signed anew, only after proof. What is
    stuck on a durable nonce is sent on for minutes; then the nonce is used up, and it has landed or is EXPIRED.

    Args:     finalized  wait until it can no longer be undone.
              again      sign anew what failed on the chain for good before.
    Returns:  LANDED; FAILED, finalized on the chain, or without a signature: it would fail, and was not sent; EXPIRED.
    Raises:   a step's failure, for Parking: transaction_not_landing after several attempts, or what the signer refuses.
    """
    for _ in range(ATTEMPTS):
        signed: SignedAttempt = await workflow.execute_activity_method(
            SolanaSigningActivities.sign_solana,
            LandKey(key=key, again=again),
            task_queue=SOLANA_SIGNER,
            summary=f"Sign {key}",
            **policies.SWIFT,
        )
        if signed.ended is not None:
            return signed.ended
        landing: Landing = await workflow.execute_activity_method(
            SolanaSendingActivities.send_solana,
            SendAttempt(key=key, number=signed.number, finalized=finalized),
            summary=f"Send {key}",
            **policies.LANDING,
        )
        recorded: LandingRecorded = await workflow.execute_local_activity_method(
            SolanaSendingActivities.record_landing, landing, summary=f"Record {landing.outcome}", **policies.LOCAL
        )
        if recorded.void is not None:
            await land(recorded.void, finalized=True)
        if not recorded.again:
            return landing
        again = False
    raise ApplicationError(
        f"{key}: {ATTEMPTS} attempts ran out without landing", type="transaction_not_landing", non_retryable=True
    )
