"""Sign once, send the same bytes, replace when stuck, until the chain has proved an outcome. Shared by all senders."""

from __future__ import annotations

from temporalio import workflow

from activities.exchange.sending import SendingActivities
from activities.exchange.signing import SigningActivities
from domain.exchange.messages import Mined, SignTransaction, TransactionRef, TransactionSigned, TransactionWatched
from domain.shared.processes import EVM_SIGNER
from workflows import policies


async def sign(request: SignTransaction) -> TransactionSigned:
    """Ask the signer's queue; the only step that runs where the keys are."""
    return await workflow.execute_activity_method(
        SigningActivities.sign_transaction,
        request,
        task_queue=EVM_SIGNER,
        summary=f"Sign {request.purpose.value}" + (" again, higher fee" if request.replace else ""),
        **policies.EFFECT,
    )


async def send_until_proved(request: SignTransaction, signed: TransactionSigned) -> TransactionWatched:
    """Broadcast and watch; send again when lost, replace at the same nonce when stuck. Ends only with a proof."""
    sent = TransactionRef(transaction_id=signed.transaction_id)
    while True:
        await workflow.execute_activity_method(
            SendingActivities.broadcast, sent, summary=f"Broadcast {signed.tx_hash[:10]}…", **policies.EFFECT
        )
        await workflow.execute_local_activity_method(
            SendingActivities.record_broadcast, sent, summary="Record the broadcast", **policies.LOCAL
        )
        watched: TransactionWatched = await workflow.execute_activity_method(
            SendingActivities.watch_transaction, sent, summary="Watch until proved", **policies.FOLLOW
        )
        if watched.outcome is Mined.STUCK:
            signed = await sign(request.model_copy(update={"replace": True, "after_attempt": signed.attempt}))
        elif watched.outcome is not Mined.LOST:
            return watched
