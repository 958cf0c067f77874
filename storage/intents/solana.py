"""Transactions that a wallet signs: issued as bytes, taken back signed, unchanged. Nothing is sent from here."""

from __future__ import annotations

import base64
from typing import Final

from psycopg.errors import UniqueViolation
from pydantic import BaseModel, ConfigDict

from domain.launchpad.transactions import Attempt, Draft, Plan, Planned, SignedWire
from domain.shared.errors import Rejected, Unavailable
from storage.database import Connection
from storage.launchpad import transactions

SPARE_BLOCKS: Final = 40
"""A message that the platform co-signs is replaced when it has less than that to live: nobody else can land it."""


class Issued(BaseModel):
    """What the wallet signs: the wire form with empty places for the signatures."""

    model_config = ConfigDict(frozen=True)
    transaction_id: str
    key: str
    transaction_base64: str
    last_valid_block_height: int


class Submitted(BaseModel):
    model_config = ConfigDict(frozen=True)
    transaction_id: str
    key: str
    subject_kind: str
    subject_id: str
    signature: str | None
    """None while the platform's signature is missing."""


async def plan_of(connection: Connection, key: str) -> Plan:
    """What a process has planned under this key. Raises: Rejected signature_not_awaited when nothing."""
    cursor = await connection.execute("SELECT key FROM launchpad.transactions WHERE key = %s", [key])
    if await cursor.fetchone() is None:
        raise Rejected("signature_not_awaited", "nothing is to be signed yet")
    return (await transactions.read(connection, key)).plan


async def issue(connection: Connection, plan: Plan, draft: Draft, *, platform: str) -> Issued:
    """Write the plan, unless it stands, and hand out its message: the one that was issued before while it can land.

    Raises: Rejected signature_not_awaited when a wallet has signed it already, or none is to sign; Unavailable while
            an issued message that needs nobody but the wallet may still land on a fork.
    """
    _check_wallet(plan, platform)
    await transactions.plan(connection, plan)
    planned = await transactions.read(connection, plan.key, lock=True)
    newest, cosigned = planned.newest, platform in plan.signers()
    open_again = planned.status == "failed" and cosigned  # its process asks for it anew, or nobody asks
    if not (planned.status == "planned" or open_again) or (newest is not None and newest.status == "signed"):
        raise Rejected("signature_not_awaited", "it has been signed already")
    number = 1
    if newest is not None:
        number = newest.number + 1
        if newest.status == "issued":
            if _usable(newest, draft, cosigned=cosigned):
                return _issued(planned, newest.message, newest.last_valid_height)
            await _expire(connection, planned, newest)
    if open_again:
        await transactions.open_again(connection, planned.id)
    await transactions.add_attempt(connection, planned.id, number, draft, None, None)
    return _issued(planned, draft.message, draft.last_valid_height)


def _check_wallet(plan: Plan, platform: str) -> None:
    """What the platform signs alone is never brought about by handing something in."""
    if plan.signers() <= {platform}:
        raise Rejected("signature_not_awaited", "no wallet is to sign this: it is the platform's alone")


def _usable(newest: Attempt, draft: Draft, *, cosigned: bool) -> bool:
    if newest.nonce_id is not None or draft.nonce_id is not None:  # both co-signed: nobody else can land them
        return (newest.nonce_id, newest.blockhash) == (draft.nonce_id, draft.blockhash)
    if cosigned:
        return newest.last_valid_height - draft.height >= SPARE_BLOCKS
    if draft.finalized_height > newest.last_valid_height:
        return False
    if draft.height > newest.last_valid_height:
        raise Unavailable("unavailable", "the message before is running out: ask again shortly", retry_after_s=5)
    return True


async def _expire(connection: Connection, planned: Planned, newest: Attempt) -> None:
    await connection.execute(
        """UPDATE launchpad.transaction_attempts SET status = 'expired', ended_at = clock_timestamp()
           WHERE transaction_id = %s AND number = %s""",
        [planned.id, newest.number],
    )


def _issued(planned: Planned, message: bytes, last_valid_height: int) -> Issued:
    wanted = message[1]  # how many signatures a message of version 0 wants stands after its version
    places = bytes([wanted]) + bytes(64 * wanted)
    return Issued(
        transaction_id=planned.id,
        key=planned.plan.key,
        transaction_base64=base64.b64encode(places + message).decode(),
        last_valid_block_height=last_valid_height,
    )


async def submit(connection: Connection, transaction_id: str, signed: SignedWire, *, platform: str) -> Submitted:
    """Keep what a wallet signed. The same bytes again are the same answer.

    Raises: Rejected signature_not_awaited, transaction_expired, transaction_altered.
    """
    planned = await _locked(connection, transaction_id)
    newest, plan = planned.newest, planned.plan
    _check_wallet(plan, platform)
    if newest is None:
        raise Rejected("signature_not_awaited", "nothing was issued to be signed")
    if newest.message != signed.message:
        raise await _other_message(connection, planned, signed)
    missing = plan.signers() - signed.valid - {platform}
    if missing:
        raise Rejected("transaction_altered", f"the signature of {', '.join(sorted(missing))} is missing or wrong")
    complete = plan.signers() <= signed.valid
    if newest.status == "expired":
        raise Rejected("transaction_expired", "its blockhash is too old")
    if newest.status == "issued":
        await _keep(connection, planned, newest.number, signed, complete=complete)
    return Submitted(
        transaction_id=planned.id,
        key=plan.key,
        subject_kind=plan.subject_kind,
        subject_id=plan.subject_id,
        signature=signed.signature if complete else None,
    )


async def _locked(connection: Connection, transaction_id: str) -> Planned:
    cursor = await connection.execute("SELECT * FROM launchpad.transactions WHERE id = %s FOR UPDATE", [transaction_id])
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"transaction {transaction_id}")
    return await transactions.planned(connection, row)


async def _other_message(connection: Connection, planned: Planned, signed: SignedWire) -> Rejected:
    cursor = await connection.execute(
        "SELECT 1 FROM launchpad.transaction_attempts WHERE transaction_id = %s AND message = %s",
        [planned.id, signed.message],
    )
    if await cursor.fetchone() is not None:
        return Rejected("transaction_expired", "another message was issued since")
    return Rejected("transaction_altered", "these are not the bytes that were issued")


async def _keep(connection: Connection, planned: Planned, number: int, signed: SignedWire, *, complete: bool) -> None:
    try:
        async with connection.transaction():
            await connection.execute(
                """UPDATE launchpad.transaction_attempts SET status = 'signed', raw = %s, signature = %s
                   WHERE transaction_id = %s AND number = %s""",
                [signed.raw, signed.signature if complete else None, planned.id, number],
            )
    except UniqueViolation as error:
        raise Rejected("transaction_expired", "the same transaction was sent under another id") from error
