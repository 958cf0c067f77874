"""Launches on the books: every turn from one step to the next, and their ends. Each is one locked transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.launchpad.launch_messages import Answer, Done, GiveUp, Go, LaunchState, StepRef, Turn, Undone
from domain.launchpad.launching import Launch, LaunchPolicy, Wanted, check_offered
from domain.launchpad.request import check_pictures, check_request
from domain.launchpad.sale_messages import NewSale
from domain.launchpad.steps import ACTIVATE, ENDED, MINT, NAMES, reversible, to_undo
from domain.shared.errors import Broken, Rejected
from domain.shared.events import Event
from storage.books import Book, Books
from storage.database import Connection
from storage.events import audit, emit
from storage.launchpad import promos
from storage.launchpad.launch_plans import nothing_signed
from storage.launchpad.nonces import give_back_all
from storage.launchpad.sales import open_sale
from storage.operations import mark_step, set_operation

CONTROL: Final = "launchpad.launches"


class LaunchStore:
    """What the `TokenLaunch` workflow asks of the books."""

    def __init__(self, books: Books, policy: LaunchPolicy) -> None:
        self.books = books
        self.policy = policy

    async def launch(self, launch_id: str) -> Launch:
        async with self.books.begin() as book:
            return await self._row(book, launch_id, lock=False)

    async def _row(self, book: Book, launch_id: str, *, lock: bool = True) -> Launch:
        query = """SELECT *, cancel_requested_at IS NOT NULL AS cancel_requested FROM launchpad.launches
                   WHERE id = %s""" + (" FOR UPDATE" if lock else "")
        row = await (await book.connection.execute(query, [launch_id])).fetchone()
        if row is None:
            raise Rejected("not_found", f"launch {launch_id}")
        return Launch.model_validate(row)

    async def turn(self, command: Turn) -> Go:
        """Book the step that ended and let the next one begin, unless the launch is cancelled or launches are held.

        The books may be further than a process that was rebuilt: then it goes on where they stand.
        """
        async with self.books.begin() as book:
            launch = await self._row(book, command.launch_id)
            step = max(command.begins, launch.step or command.begins, key=NAMES.index)
            answer = await self._answer(book, launch, step)
            if command.ended is not None:
                await self._end_step(book, launch, command.ended, command.done)
            if answer == "held":
                await set_operation(book.connection, launch.operation_id, "waiting", "Waits: launches are switched off")
            if answer == "go":
                await _mark(book, launch, step, "running")
                await self._move(book, launch, "running", step)
                await set_operation(book.connection, launch.operation_id, "running", f"{launch.request.symbol}: {step}")
            return Go(answer=answer, step=step, status=launch.status, signing=launch.signing)

    async def _answer(self, book: Book, launch: Launch, step: str) -> Answer:
        if launch.status in ENDED:
            return "ended"
        if launch.cancel_requested and reversible(step) and await nothing_signed(book.connection, launch.id):
            return "cancelled"
        return "go" if await _enabled(book.connection) else "held"

    async def _end_step(self, book: Book, launch: Launch, step: str, done: Done) -> None:
        await _mark(book, launch, step, "done", done)
        if step == MINT.name:
            await book.connection.execute(
                """UPDATE launchpad.projects SET token_address = %s, metadata_uri = %s, updated_at = clock_timestamp()
                   WHERE id = %s AND token_address IS NULL""",
                [launch.mint, launch.metadata_uri, launch.id],
            )

    async def request_cancel(self, command: GiveUp) -> LaunchState:
        """Note that the launch is to be given up; its next turn does it, and from here on no mint is signed.

        Raises: Rejected launch_not_cancellable when one is signed that may still land.
        """
        async with self.books.begin() as book:
            launch = await self._row(book, command.launch_id)
            if not await nothing_signed(book.connection, launch.id):
                raise Rejected("launch_not_cancellable", "the mint is signed: it only goes forward")
            if launch.status not in ENDED and not launch.cancel_requested:
                await book.connection.execute(
                    "UPDATE launchpad.launches SET cancel_requested_at = clock_timestamp() WHERE id = %s", [launch.id]
                )
                await audit(book.connection, command.principal, "launch_cancelled", launch.id, note=command.note)
            return LaunchState(status=launch.status, failure_code=launch.failure_code)

    async def begin_undoing(self, launch_id: str) -> bool:
        """From here on no mint is signed, whoever still works on the launch; False: one is, and may land."""
        async with self.books.begin() as book:
            await self._row(book, launch_id)
            if not await nothing_signed(book.connection, launch_id):
                return False
            await book.connection.execute(
                """UPDATE launchpad.launches SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
                   WHERE id = %s""",
                [launch_id],
            )
            return True

    async def validate(self, launch_id: str) -> Done:
        """The request, looked at again now, and its pictures.

        Raises: Rejected with the code of the rule.
        """
        async with self.books.begin() as book:
            launch = await self._row(book, launch_id)
            check_request(launch.request, await _now(book.connection))
            check_offered(launch.request, self.policy)
            cursor = await book.connection.execute(
                "SELECT id FROM launchpad.assets WHERE account_id = %s AND id = ANY(%s::uuid[])",
                [launch.account_id, list(launch.request.pictures.values())],
            )
            check_pictures(launch.request, {row["id"] for row in await cursor.fetchall()})
        return Done(detail=f"{len(launch.request.pictures)} pictures, {launch.request.curve_type} curve")

    async def wait_for_signature(self, command: StepRef, for_s: int) -> None:
        """The creator's wallet has a transaction to sign, for so long; GET shows it."""
        async with self.books.begin() as book:
            launch = await self._row(book, command.launch_id)
            if launch.status != "waiting_signature":
                await self._move(book, launch, "waiting_signature", command.step)
                await book.connection.execute(
                    """UPDATE launchpad.launches SET signature_until = clock_timestamp() + make_interval(secs => %s)
                       WHERE id = %s""",
                    [for_s, launch.id],
                )
                summary = f"Waits for the signature of {launch.creator_wallet}: {command.step}"
                await set_operation(book.connection, launch.operation_id, "waiting", summary)

    async def signature_came(self, command: StepRef) -> None:
        """The launch goes on."""
        async with self.books.begin() as book:
            launch = await self._row(book, command.launch_id)
            await self._move(book, launch, "running", command.step)
            await set_operation(book.connection, launch.operation_id, "running", f"Signed: {command.step}")

    async def pay(self, launch_id: str, payer: str, lamports: int) -> None:
        async with self.books.begin() as book:
            await promos.found(book.connection, launch_id, payer, lamports)

    async def give_back(self, launch_id: str) -> None:
        """What was paid for the promotion is owed back."""
        async with self.books.begin() as book:
            await _give_back(book.connection, launch_id)

    async def activate(self, launch_id: str, wanted: Wanted) -> LaunchState:
        """Everything stands on the chain, finally: open the sale, show the project, start the promotion."""
        async with self.books.begin() as book:
            launch = await self._row(book, launch_id)
            if launch.status in ENDED:
                return LaunchState(status=launch.status)
            keys, now = wanted.keys, await _now(book.connection)
            sale = NewSale(project_id=launch.id, keys=keys, program_id=self.policy.program, terms=wanted.terms)
            await open_sale(book.connection, sale)
            await book.connection.execute(
                """UPDATE launchpad.projects SET bonding_curve_address = %(sale)s, tax_program_account = %(sale)s,
                     referral_program_account = %(program)s, updated_at = clock_timestamp(),
                     status = CASE WHEN status <> 'preparing' THEN status WHEN starts_at <= %(now)s THEN 'active'
                              ELSE 'upcoming' END
                   WHERE id = %(id)s""",
                {"sale": keys.address, "program": self.policy.program, "now": now, "id": launch.id},
            )
            bought = await promos.activate(book.connection, launch, self.policy, now)
            await _mark(book, launch, ACTIVATE.name, "done", Done(detail=bought or "no promotion"))
            await self._move(book, launch, "live", ACTIVATE.name)
            summary = f"Live: {launch.request.symbol} at {keys.mint}"
            await set_operation(book.connection, launch.operation_id, "completed", summary)
            await _project_changed(book.connection, launch.id)
            return LaunchState(status="live")

    async def undone(self, command: Undone) -> LaunchState:
        """Book the end of a launch that was given up; everything it had done outside is undone already.

        A payment is named with the request, so that it is let go here, however far the launch has come.
        """
        async with self.books.begin() as book:
            launch = await self._row(book, command.launch_id)
            if launch.status in ENDED:
                return LaunchState(status=launch.status, failure_code=launch.failure_code)
            if not await nothing_signed(book.connection, launch.id):
                raise Broken("internal_error", f"{launch.id} is to be undone, and its mint is signed and may land")
            reached = launch.step or NAMES[0]
            if not command.code:  # nothing failed
                await _mark(book, launch, reached, "skipped")
            for step in to_undo(reached):
                await _mark(book, launch, step.name, "undone")
            await _give_back(book.connection, launch.id)
            await book.connection.execute("DELETE FROM launchpad.launch_assets WHERE launch_id = %s", [launch.id])
            await give_back_all(book.connection, launch.id)
            await book.connection.execute(
                "UPDATE launchpad.launches SET failure_code = %s, failure_detail = %s WHERE id = %s",
                [command.code, command.detail, launch.id],
            )
            await book.connection.execute(
                "UPDATE launchpad.projects SET status = 'undone', updated_at = clock_timestamp() WHERE id = %s",
                [launch.id],
            )
            await self._move(book, launch, "undone", launch.step)
            why = f"{command.code}: {command.detail}" if command.code else "Cancelled"
            ended = "failed" if command.code else "cancelled"
            await set_operation(book.connection, launch.operation_id, ended, f"Undone. {why}", command.code)
            await _project_changed(book.connection, launch.id)
            return LaunchState(status="undone", failure_code=command.code)

    async def _move(self, book: Book, launch: Launch, status: str, step: str) -> None:
        await book.connection.execute(
            """UPDATE launchpad.launches SET status = %s, step = %s, updated_at = clock_timestamp() WHERE id = %s""",
            [status, step, launch.id],
        )
        payload: dict[str, str | int | bool | None] = {"project_id": launch.id, "status": status, "step": step}
        event = Event(topic="launchpad", type="launch_changed", account_id=launch.account_id, payload=payload)
        await emit(book.connection, event)


async def _give_back(connection: Connection, launch_id: str) -> None:
    if await promos.give_back(connection, launch_id):
        await audit(connection, "token_launch", "promo_refund_due", launch_id)


async def _project_changed(connection: Connection, project_id: str) -> None:
    payload: dict[str, str | int | bool | None] = {"project_id": project_id}
    await emit(connection, Event(topic="launchpad", type="project_changed", payload=payload))


async def _mark(book: Book, launch: Launch, step: str, status: str, done: Done = Done()) -> None:  # noqa: B008
    await mark_step(book.connection, launch.operation_id, step, status, done.detail, [*done.links])


async def _enabled(connection: Connection) -> bool:
    cursor = await connection.execute("SELECT enabled FROM platform.controls WHERE name = %s", [CONTROL])
    row = await cursor.fetchone()
    return row is None or bool(row["enabled"])


async def _now(connection: Connection) -> datetime:
    row = await (await connection.execute("SELECT clock_timestamp() AS now")).fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now
