"""Transactions on Solana: the plan of each effect, the attempts to land it, what became of them.

An attempt's bytes are stored before they are first sent, and there is one that may land at a time: the next is stored
only when the chain has proven that the one before never will.
"""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from domain.launchpad.nonces import void
from domain.launchpad.signing import LAUNCH
from domain.launchpad.steps import MINT, plan_key
from domain.launchpad.transactions import (
    Attempt,
    Draft,
    Landing,
    LandingRecorded,
    Outcome,
    Plan,
    Planned,
    SignedAttempt,
)
from domain.shared.errors import Broken, Rejected, Unavailable
from storage.books import Books
from storage.database import Connection
from storage.events import new_id
from storage.launchpad.day_limit import Cost, check_day, counted
from storage.launchpad.owed_back import check_owed

CONTROL = "launchpad.launches"
_PLAN = ("key", "subject_kind", "subject_id", "payer", "instructions", "most_lamports")


async def plan(connection: Connection, wanted: Plan) -> str:
    """Write what is to be done on the chain, in the caller's transaction; returns the row's id.

    The same plan under the same key is the same row. Raises: Broken internal_error when the key has another plan.
    """
    values = wanted.model_dump(mode="json")
    cursor = await connection.execute(
        """INSERT INTO launchpad.transactions AS t
             (id, key, subject_kind, subject_id, payer, instructions, most_lamports)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING t.*""",
        [new_id(), *(Jsonb(values[name]) if name == "instructions" else values[name] for name in _PLAN)],
    )
    row = await cursor.fetchone()
    assert row is not None
    if _plan(row) != wanted:
        raise Broken("internal_error", f"{wanted.key} was planned with other instructions before")
    return str(row["id"])


async def read(connection: Connection, key: str, *, lock: bool = False) -> Planned:
    """The plan of this key. Raises: Broken internal_error when there is none."""
    query = "SELECT * FROM launchpad.transactions WHERE key = %s" + (" FOR UPDATE" if lock else "")
    row = await (await connection.execute(query, [key])).fetchone()
    if row is None:
        raise Broken("internal_error", f"nothing is planned under {key}")
    return await planned(connection, row)


async def planned(connection: Connection, row: dict[str, Any]) -> Planned:
    """A row of transactions with its newest attempt."""
    cursor = await connection.execute(
        "SELECT * FROM launchpad.transaction_attempts WHERE transaction_id = %s ORDER BY number DESC LIMIT 1",
        [row["id"]],
    )
    attempt = await cursor.fetchone()
    newest = Attempt.model_validate(attempt) if attempt is not None else None
    return Planned.model_validate({**row, "plan": _plan(row), "newest": newest})


def _plan(row: dict[str, Any]) -> Plan:
    return Plan.model_validate({name: row[name] for name in _PLAN})


async def add_attempt(
    connection: Connection,
    transaction_id: str,
    number: int,
    draft: Draft,
    raw: bytes | None,
    signature: str | None,
    *,
    lost_lamports: int = 0,
) -> None:
    """Store an attempt: `signed` when it has every signature, else `issued` to whoever signs first."""
    await connection.execute(
        """INSERT INTO launchpad.transaction_attempts
             (transaction_id, number, status, message, raw, signature, blockhash, nonce_id, nonce_slot,
              last_valid_height, compute_limit, compute_price_micro_lamports, fee_lamports, lost_lamports)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            *(transaction_id, number, "issued" if raw is None else "signed", draft.message, raw, signature),
            *(draft.blockhash, draft.nonce_id, draft.nonce_slot, draft.last_valid_height),
            *(draft.compute_limit, draft.compute_price_micro_lamports, draft.fee_lamports, lost_lamports),
        ],
    )


class TransactionStore:
    """What the signer and the sender ask of the books. `platform`: the wallet that needs nobody else's signature.
    `day_lamports`: what it may lose in 24 hours; who signs nothing gives none."""

    def __init__(self, books: Books, platform: str, *, day_lamports: int = 0) -> None:
        self.books = books
        self.platform = platform
        self.day_lamports = day_lamports

    async def get(self, key: str) -> Planned:
        async with self.books.begin() as book:
            return await read(book.connection, key)

    async def sign(self, seen: Planned, draft: Draft, raw: bytes, signature: str) -> SignedAttempt:
        """Store a first or a next attempt of a plan that the platform signs alone, within the budget of its launch.

        When another attempt was stored since `seen` was read, that one is the answer, and this one never leaves.
        """
        async with self.books.begin() as book:
            now = await read(book.connection, seen.plan.key, lock=True)
            if (now.newest, now.status) != (seen.newest, seen.status):
                raise Unavailable("unavailable", f"{now.plan.key} has been signed meanwhile")
            await self._allow(book.connection, now, Cost(draft.lost_lamports, draft.fee_lamports))
            number = now.newest.number + 1 if now.newest is not None else 1
            lost = counted(now.plan, draft.lost_lamports)
            await add_attempt(book.connection, now.id, number, draft, raw, signature, lost_lamports=lost)
            await _set(book.connection, now.id, "planned", None, None, None)
        return SignedAttempt(key=now.plan.key, number=number, signature=signature)

    async def cosign(self, seen: Planned, lost_lamports: int, raw: bytes, signature: str) -> SignedAttempt:
        """Add the platform's signature, the last one, to an attempt that the wallets have signed.

        When anything about it has changed since `seen` was read, this signature never leaves.
        """
        assert seen.newest is not None
        async with self.books.begin() as book:
            now = await read(book.connection, seen.plan.key, lock=True)
            if (now.newest, now.status) != (seen.newest, seen.status):
                raise Unavailable("unavailable", f"{now.plan.key} has been signed meanwhile")
            await self._allow(book.connection, now, Cost(lost_lamports, fee=0))
            cursor = await book.connection.execute(
                """UPDATE launchpad.transaction_attempts SET raw = %s, signature = %s, lost_lamports = %s
                   WHERE transaction_id = %s AND number = %s AND status = 'signed' AND signature IS NULL""",
                [raw, signature, counted(now.plan, lost_lamports), now.id, seen.newest.number],
            )
            if cursor.rowcount != 1:
                raise Broken("internal_error", f"attempt {seen.newest.number} of {now.plan.key} awaits no signature")
        return SignedAttempt(key=now.plan.key, number=seen.newest.number, signature=signature)

    async def expire_unsigned(self, seen: Planned) -> SignedAttempt:
        """End an attempt that the platform has not signed; when it has been signed meanwhile, that is the answer."""
        assert seen.newest is not None
        key, number = seen.plan.key, seen.newest.number
        async with self.books.begin() as book:
            now = await read(book.connection, key, lock=True)
            cursor = await book.connection.execute(
                """UPDATE launchpad.transaction_attempts SET status = 'expired', ended_at = clock_timestamp()
                   WHERE transaction_id = %s AND number = %s AND status = 'signed' AND signature IS NULL""",
                [now.id, number],
            )
        if cursor.rowcount == 1 or (now.newest == seen.newest.model_copy(update={"status": "expired"})):
            return SignedAttempt(key=key, ended=Landing(key=key, outcome=Outcome.EXPIRED, number=number))
        if now.newest is None or now.newest.number != number or now.newest.signature is None:
            raise Unavailable("unavailable", f"{key} has been issued anew meanwhile")
        return SignedAttempt(key=key, number=number, signature=now.newest.signature)

    async def _allow(self, connection: Connection, now: Planned, cost: Cost) -> None:
        """What the platform's key may be used for, as the books say. Raises: Unavailable, Broken, Rejected."""
        plan = now.plan
        if cost.lost > plan.most_lamports:
            detail = f"{plan.key} would cost {cost.lost} lamports, allowed are {plan.most_lamports}"
            raise Broken("transaction_not_landing", detail)
        await check_owed(connection, plan, self.platform)
        if plan.subject_kind == LAUNCH:
            await self._allow_launch(connection, now)
        await check_day(connection, plan, cost, self.day_lamports)

    async def _allow_launch(self, connection: Connection, now: Planned) -> None:
        """It is wanted, launches are switched on, and its budget is not spent."""
        plan = now.plan
        await _check_wanted(connection, plan)
        switch = await connection.execute("SELECT enabled FROM platform.controls WHERE name = %s", [CONTROL])
        control = await switch.fetchone()
        if control is not None and not control["enabled"]:
            raise Unavailable("launchpad_off", "launches are switched off", retry_after_s=5)
        cursor = await connection.execute(
            """SELECT l.budget_lamports - l.spent_lamports AS lamports,
                 (SELECT coalesce(sum(t.most_lamports), 0) FROM launchpad.transactions t
                  WHERE t.subject_kind = 'launch' AND t.subject_id = l.id AND t.id <> %s
                    AND t.status IN ('planned', 'landed')
                    AND EXISTS (SELECT 1 FROM launchpad.transaction_attempts a
                                WHERE a.transaction_id = t.id AND a.status IN ('signed', 'landed'))) AS promised
               FROM launchpad.launches l WHERE l.id = %s FOR UPDATE""",
            [now.id, plan.subject_id],
        )
        left = await cursor.fetchone()
        if left is None:
            raise Broken("internal_error", f"{plan.key} is of no launch")
        if plan.most_lamports > left["lamports"] - left["promised"]:
            detail = f"{plan.key} may cost {plan.most_lamports} lamports, the launch's budget has " + str(
                left["lamports"] - left["promised"]
            )
            raise Broken("transaction_not_landing", detail)

    async def record(self, landing: Landing) -> LandingRecorded:
        """Write what became of an attempt. What is final is never changed again; for what is stuck, the plan that uses
        its nonce up is written."""
        async with self.books.begin() as book:
            now = await read(book.connection, landing.key, lock=True)
            if now.newest is None or now.newest.number != landing.number or now.status == "finalized":
                return LandingRecorded()
            if landing.outcome is Outcome.STUCK:
                assert now.newest.nonce_id is not None
                ends = void(self.platform, now.newest.nonce_id, landing.key, landing.number)
                await plan(book.connection, ends)
                return LandingRecorded(again=True, void=ends.key)
            await book.connection.execute(
                """UPDATE launchpad.transaction_attempts SET status = %s, err = %s, slot = %s, lost_lamports = %s,
                     ended_at = clock_timestamp() WHERE transaction_id = %s AND number = %s""",
                [
                    *(landing.outcome.value, _json(landing.err), landing.slot),
                    *(counted(now.plan, landing.lost_lamports), now.id, landing.number),
                ],
            )
            if landing.outcome is Outcome.EXPIRED:
                await _set(book.connection, now.id, "planned", None, None, None)
                return LandingRecorded(again=now.plan.signers() <= {self.platform})
            status = "finalized" if landing.finalized else landing.outcome.value
            status = "failed" if landing.outcome is Outcome.FAILED else status
            await _set(book.connection, now.id, status, landing.signature, landing.slot, landing.err)
            if landing.finalized and now.status != "failed":
                await _spend(book.connection, now.plan, landing.lost_lamports)
        return LandingRecorded()

    async def unfinalized(self, after_s: int) -> list[Planned]:
        """Plans that landed so long ago and were not seen final: a fork may have dropped them."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT * FROM launchpad.transactions WHERE status = 'landed'
                     AND updated_at < clock_timestamp() - make_interval(secs => %s) ORDER BY id LIMIT 200""",
                [after_s],
            )
            return [await planned(book.connection, row) for row in await cursor.fetchall()]


async def open_again(connection: Connection, transaction_id: str) -> None:
    """What failed for good is to be tried with another message."""
    await _set(connection, transaction_id, "planned", None, None, None)


async def _set(
    connection: Connection, transaction_id: str, status: str, signature: str | None, slot: int | None, err: Any
) -> None:
    await connection.execute(
        """UPDATE launchpad.transactions SET status = %s, signature = %s, slot = %s, err = %s,
             updated_at = clock_timestamp() WHERE id = %s""",
        [status, signature, slot, _json(err), transaction_id],
    )
    if status in ("finalized", "failed"):
        await connection.execute(
            "UPDATE launchpad.nonces SET transaction_id = NULL WHERE transaction_id = %s", [transaction_id]
        )


async def _check_wanted(connection: Connection, plan: Plan) -> None:
    """Nothing more is signed for a launch that was undone, nor its mint once it is to be given up; whoever asks for
    that waits for this lock, and sees what was signed (LaunchStore.request_cancel).

    Raises: Rejected conflict.
    """
    cursor = await connection.execute(
        "SELECT status::text AS status, cancel_requested_at FROM launchpad.launches WHERE id = %s FOR UPDATE",
        [plan.subject_id],
    )
    launch = await cursor.fetchone()
    if launch is None:
        raise Broken("internal_error", f"{plan.key} is of no launch")
    if launch["status"] in ("undone", "failed"):
        raise Rejected("conflict", f"{plan.key}: the launch is {launch['status']}")
    if launch["cancel_requested_at"] is not None and plan.key == plan_key(plan.subject_id, MINT):
        raise Rejected("conflict", f"{plan.key}: the launch is to be given up")


async def _spend(connection: Connection, plan: Plan, lamports: int) -> None:
    """What a launch has cost the platform."""
    if plan.subject_kind == LAUNCH:
        await connection.execute(
            "UPDATE launchpad.launches SET spent_lamports = spent_lamports + %s WHERE id = %s",
            [lamports, plan.subject_id],
        )


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)
