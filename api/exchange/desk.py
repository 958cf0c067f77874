"""The order desk: orders that arrive together are accepted together.

Requests wait in the event loop while one flusher writes all that have come, in one transaction and in the order of
arrival (group commit): a commit is shared by all of them instead of paid by each. What the client sees is what
api.http.idempotency does for one request: the claim of the key, the order and the answer exist together or not at all.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import psycopg
import structlog

from api.deps import Deps
from api.events.hub import Hub
from api.exchange.verdicts import Verdicts
from api.http import problems
from api.http.idempotency import json_answer
from domain.exchange import trading
from domain.shared.errors import Failure, Rejected, Unavailable
from storage.database import pipelined, transaction
from storage.intents import orders
from storage.intents.idempotency import Stored
from storage.intents.orders import PATH, WAITED, Ask, Decision, Seen, Taken
from storage.reads import market as reads

_BATCH: Final = 256
_QUEUE: Final = 10_000
"""More orders than that waiting: the database does not keep up, and new ones are refused for a moment."""
_log = structlog.get_logger("api.desk")

Name = tuple[str, str, str, str]


class Answer(NamedTuple):
    """`hit`: a repeated one. `accepted`: a new order, which waits for its verdict; a refusal is an answer too."""

    stored: Stored
    hit: bool = False
    accepted: bool = False


class Ticket:
    """One order at the desk. `done` has one result, whoever waits for it."""

    def __init__(self, ask: Ask, trace_id: str) -> None:
        self.ask = ask
        self.trace_id = trace_id
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        # the client may be gone when it fails: then nobody asks for the exception
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())

    @property
    def name(self) -> Name:
        return self.ask.claim[:4]

    def settle(self, outcome: Answer | Failure) -> None:
        if self.done.done():
            return
        if isinstance(outcome, Answer):
            self.done.set_result(outcome)
        else:
            self.done.set_exception(outcome)


class OrderDesk:
    """One a process."""

    def __init__(self, deps: Deps, hub: Hub) -> None:
        self._deps = deps
        self._verdicts = Verdicts(hub, deps.reads)
        self._queue: deque[Ticket] = deque()
        self._open: dict[Name, Ticket] = {}
        self._flusher: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Write what has been handed in, then end."""
        if self._flusher is not None:
            await asyncio.gather(self._flusher, return_exceptions=True)
        await self._verdicts.stop()

    async def place(self, ask: Ask, seconds: float, trace_id: str) -> Answer:
        """Accept the order and, with `seconds`, wait for its verdict.

        Raises: Rejected not_found, idempotency_key_reused, idempotency_in_flight; Unavailable. Nothing was kept then.
        """
        first = self._open.get(ask.claim[:4])
        if first is not None:
            return await self._same(first, ask, seconds, trace_id)
        if len(self._queue) >= _QUEUE:
            raise Unavailable("unavailable", "too many orders are waiting to be accepted")
        ticket = Ticket(ask, trace_id)
        verdict = self._verdicts.expect(ask.trade_id) if ask.waits else None
        self._hand_in(ticket)
        try:
            answer = await asyncio.shield(ticket.done)
            if verdict is None or not answer.accepted:
                return await self._ended(answer) if answer.hit else answer
            body = await self._verdicts.wait(verdict, seconds)
        finally:
            if verdict is not None:
                self._verdicts.forget(ask.trade_id)
        return _finished(body, ask.trade_id) if body is not None else await self._gave_up(ask, answer)

    def _hand_in(self, ticket: Ticket) -> None:
        self._open[ticket.name] = ticket
        self._queue.append(ticket)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="order-desk")

    async def _same(self, first: Ticket, ask: Ask, seconds: float, trace_id: str) -> Answer:
        """Another request with a key that is being written right now: it gets the same answer."""
        try:
            answer = await asyncio.shield(first.done)
        except Failure:
            return await self.place(ask, seconds, trace_id)
        if first.ask.claim.body_hash != ask.claim.body_hash:
            raise Rejected("idempotency_key_reused", "this key came with another body before")
        return await self._ended(answer._replace(hit=True, accepted=False))

    async def _ended(self, answer: Answer) -> Answer:
        """A repeated answer; of an order somebody waits for, what became of it."""
        if WAITED not in answer.stored.headers:
            return answer
        trade_id = answer.stored.headers["Location"].rsplit("/", 1)[-1]
        found = await reads.verdicts(self._deps.reads, [trade_id])
        if found:
            return _finished(found[0]["body"], trade_id)._replace(hit=True)
        return answer._replace(stored=_unmarked(answer.stored))

    async def _gave_up(self, ask: Ask, answer: Answer) -> Answer:
        async with transaction(self._deps.writes) as connection:
            await orders.gave_up_waiting(connection, ask.claim)
        return answer._replace(stored=_unmarked(answer.stored))

    async def _flush(self) -> None:
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
                await self._write(batch)
        finally:
            self._flusher = None

    async def _write(self, batch: Sequence[Ticket]) -> None:
        """One transaction; when it fails nothing of it happened, and everybody is told to come again.

        A refusal of the data itself is one order's fault: halves find out whose.
        """
        try:
            outcomes = await self._transact(batch)
        except psycopg.Error as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
                return
            _log.error("order_not_written", trace_id=batch[0].trace_id, exc_info=error)
            outcomes = [Unavailable("database_unavailable", type(error).__name__)]
        except Failure as failure:
            outcomes = [failure] * len(batch)
        except Exception as error:  # noqa: BLE001  (a defect must not leave clients waiting)
            _log.error("orders_not_written", orders=len(batch), exc_info=error)
            outcomes = [Unavailable("unavailable", "the order was not accepted")] * len(batch)
        for ticket, outcome in zip(batch, outcomes, strict=True):
            self._open.pop(ticket.name, None)
            ticket.settle(outcome)

    async def _transact(self, batch: Sequence[Ticket]) -> list[Answer | Failure]:
        asks = [ticket.ask for ticket in batch]
        second = int(time.time())
        taken: Taken | None = None
        async with pipelined(self._deps.writes) as connection:
            found = await orders.look(connection, asks)
            known = [_before(ask, seen) for ask, seen in zip(asks, found, strict=True)]
            decisions = [
                Decision(ticket.ask, seen.shard, self._refusal(ticket, seen, second))
                for ticket, seen, answer in zip(batch, found, known, strict=True)
                if answer is None
            ]
            if decisions:
                taken = await orders.take(connection, decisions)
        bodies = {row["id"]: row["body"] for row in await taken.fetchall()} if taken else {}
        decided = {decision.ask.trade_id: _decided(decision, bodies) for decision in decisions}
        return [answer or decided[ask.trade_id] for ask, answer in zip(asks, known, strict=True)]

    def _refusal(self, ticket: Ticket, seen: Seen, second: int) -> Stored | None:
        """The answer if it would be refused now, to be kept under its key.

        The same rule as the engine's, without the breaker, which is the engine's alone.
        """
        assert seen.market is not None
        code = trading.execute(seen.market, seen.holder, ticket.ask.order, second, enabled=seen.enabled).reject
        if code is None:
            return None
        content = problems.body(self._deps.config.public_url, code, "", instance=PATH, trace_id=ticket.trace_id)
        return Stored(problems.lookup(code).status, {"Content-Type": problems.MEDIA_TYPE}, content)


def _before(ask: Ask, seen: Seen) -> Answer | Rejected | None:
    """What the key says already, and what refuses an order without being kept; None: the order is to be decided."""
    busy = Rejected("idempotency_in_flight", "the first request with this key is still being answered")
    if not seen.held:
        return busy
    key = seen.key
    if key["found"] and not key["forgotten"]:
        if bytes(key["body_hash"]) != ask.claim.body_hash:
            return Rejected("idempotency_key_reused", "this key came with another body before")
        if key["kept"] is not None:
            return Answer(Stored(key["kept"], key["headers"] or {}, bytes(key["body"] or b"")), hit=True)
        if not key["stale"]:
            return busy
    if not seen.known:
        return Rejected("not_found", "no such account, or not yours")
    return Rejected("not_found", "no such asset") if seen.market is None else None


def _decided(decision: Decision, bodies: dict[str, str]) -> Answer:
    if decision.refusal is not None:
        return Answer(decision.refusal)
    return Answer(orders.accepted(decision.ask, bodies[decision.ask.trade_id]), accepted=True)


def _unmarked(stored: Stored) -> Stored:
    return stored._replace(headers={k: v for k, v in stored.headers.items() if k != WAITED})


def _finished(body: str, trade_id: str) -> Answer:
    return Answer(json_answer(200, body, location=f"{PATH}/{trade_id}", preference_applied="wait"))
