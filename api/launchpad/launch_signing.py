"""A creator's own signature: what the wallet is to sign, and what it hands in. The platform signs last, elsewhere."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC, datetime
from typing import Annotated, Final

import structlog
from pydantic import StringConstraints

from api.deps import Deps
from api.http.inputs import Input
from api.launchpad.launch_views import ToSignView, awaited_key
from domain.launchpad.launch_messages import LaunchState, Signed
from domain.shared import ids
from domain.shared.errors import Rejected, Unavailable
from domain.shared.times import rfc3339
from storage.database import transaction
from storage.intents.solana import issue, plan_of, submit
from storage.launchpad.nonces import nonce_of
from storage.reads import launches as reads
from storage.reads.base import Row

BLOCKS_PER_S: Final = 2.5

_log = structlog.get_logger("api.launchpad")


class SignedTransaction(Input):
    """`transaction_base64`: the whole transaction as the wallet returned it."""

    transaction_base64: Annotated[str, StringConstraints(min_length=4, max_length=2_000, pattern=r"^[A-Za-z0-9+/]+=*$")]


async def to_sign(deps: Deps, row: Row) -> ToSignView | None:
    """The message that awaits the wallet, on its nonce or on a blockhash that still lives; None when none is awaited,
    or no node answers."""
    key, policy = awaited_key(row), deps.config.launch_policy
    if key is None or deps.solana is None or policy is None:
        return None
    try:
        async with transaction(deps.writes) as connection:
            plan, nonce_id = await plan_of(connection, key), await nonce_of(connection, key)
        draft = await deps.solana.draft(plan, nonce_id=nonce_id)
        async with transaction(deps.writes) as connection:
            issued = await issue(connection, plan, draft, platform=policy.platform)
    except (Rejected, Unavailable) as none:
        _log.info("nothing_to_sign", key=key, code=none.code)
        return None
    until: datetime = row["signature_until"]
    return ToSignView(
        step=row["step"],
        transaction_base64=issued.transaction_base64,
        last_valid_block_height=min(issued.last_valid_block_height, _height_at(until, draft.height)),
        expires_at=rfc3339(until),
    )


def _height_at(until: datetime, height: int) -> int:
    """About how high the chain will be then. A blockhash ends before, unless the wait does."""
    return height + max(0, int((until - datetime.now(UTC)).total_seconds() * BLOCKS_PER_S))


async def hand_in(deps: Deps, row: Row, wired: str, platform: str) -> None:
    """Keep the signed transaction, and tell the launch.

    Raises: Rejected signature_not_awaited, transaction_altered, transaction_expired; Unavailable temporal_unavailable.
    """
    key = awaited_key(row)
    awaited = await reads.transaction_id(deps.reads, key) if key is not None else None
    if key is None or awaited is None or deps.solana is None:
        raise Rejected("signature_not_awaited", f"the launch is {row['status']}")
    signed = deps.solana.read_signed(decoded(wired))
    async with transaction(deps.writes) as connection:
        await submit(connection, awaited, signed, platform=platform)
    update_id = f"signed:{key}:{hashlib.sha256(signed.message).hexdigest()[:32]}"
    await _tell(deps, row, Signed(key=key, signature=signed.signature), update_id)


async def _tell(deps: Deps, row: Row, news: Signed, update_id: str) -> None:
    """The process may have found the signature in the books by itself: then it awaits none any more."""
    workflow_id = ids.token_launch(row["id"])
    try:
        await deps.processes.update(workflow_id, "submit_signature", news, LaunchState, update_id=update_id)
    except Rejected as refused:
        if refused.code != "signature_not_awaited":
            raise


def decoded(wired: str) -> bytes:
    try:
        return base64.b64decode(wired, validate=True)
    except binascii.Error as error:
        raise Rejected("transaction_altered", "this is not base64") from error
