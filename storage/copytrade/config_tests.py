"""Test config on stored rows: which portfolios, what they were, what was decided and what else happened, in order.

A portfolio's rows carry the moment they were booked under its lock, so sorting by that moment gives the order in which
the portfolio met them. Reads only; the result is one row's.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from domain.copytrade import what_if_report as reports
from domain.copytrade.config import CopyConfig, effective
from domain.copytrade.portfolio import pnl
from domain.copytrade.portfolio_messages import ConfigTested
from domain.copytrade.what_if import Proposal, Trial, not_evaluable
from domain.copytrade.what_if_report import Outcome
from domain.shared.errors import Rejected
from storage.books import Books
from storage.copytrade import configs, marks
from storage.copytrade.config_test_rows import Again, Subject, in_order, state_at, subjects
from storage.database import Connection
from storage.operations import mark_step, set_operation

STEP: Final = "evaluate"
BREATH: Final = 25
"""Decisions between two breaths: heartbeats of this worker must not wait for us."""

_TEST: Final = """
SELECT id, from_at, until_at, proposed, followed_user_id, done, result, operation_id FROM copytrade.config_tests
WHERE id = %s
"""
_WITHOUT: Final = """
SELECT g.group_key, i.group_key IS NULL AS without_inputs FROM copytrade.event_groups g
LEFT JOIN copytrade.group_inputs i USING (group_key)
WHERE g.detect_time >= %(from)s AND g.detect_time < %(until)s
  AND (%(user)s::uuid IS NULL OR g.followed_user_id = %(user)s)
  AND (i.group_key IS NULL OR g.global_decided_at IS NULL)
ORDER BY g.detect_time, g.group_key
"""
_USERS: Final = "SELECT id FROM copytrade.followed_users ORDER BY id"
_KEEP: Final = "UPDATE copytrade.config_tests SET done = true, result = %s WHERE id = %s AND NOT done"


class ConfigTestStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def evaluate(self, test_id: str) -> dict[str, Any]:
        """Decide the range again, portfolio after portfolio. Writes nothing.

        Raises: Rejected not_found, validation_failed.
        """
        async with self.books.begin() as book:
            connection = book.connection
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            test = await (await connection.execute(_TEST, [test_id])).fetchone()
            if test is None:
                raise Rejected("not_found", "no such test of rules")
            if test["done"]:
                return dict(test["result"])
            proposal, refused = await _proposal(connection, test["followed_user_id"], test["proposed"])
            if refused:
                return reports.not_evaluable(refused)
            outcomes = [
                await _tried(connection, subject, proposal, test)
                for subject in await subjects(connection, test["followed_user_id"])
            ]
            values = {"from": test["from_at"], "until": test["until_at"], "user": test["followed_user_id"]}
            left_out = await (await connection.execute(_WITHOUT, values)).fetchall()
        without = [row["group_key"] for row in left_out if row["without_inputs"]]
        undecided = [row["group_key"] for row in left_out if not row["without_inputs"]]
        return reports.report(outcomes, without_inputs=without, undecided=undecided)

    async def finish(self, test_id: str, result: dict[str, Any]) -> ConfigTested:
        """Keep the result; the first one stays."""
        async with self.books.begin() as book:
            connection = book.connection
            await connection.execute(_KEEP, [Jsonb(result), test_id])
            test = await (await connection.execute(_TEST, [test_id])).fetchone()
            if test is None:
                raise Rejected("not_found", "no such test of rules")
            done = reports.summary(test["result"])
            await mark_step(connection, test["operation_id"], STEP, "done", done.summary)
            await set_operation(connection, test["operation_id"], "completed", done.summary)
            return done


async def _proposal(
    connection: Connection, user_id: str | None, proposed: dict[str, Any]
) -> tuple[Proposal, tuple[str, ...]]:
    """What would be in force, and the changed keys whose effect cannot be told."""
    general_now = (await configs.newest(connection, None)).config
    general = general_now if user_id is not None else _over(general_now, proposed)
    users, refused = {}, [*not_evaluable(general_now, general)]
    for row in await (await connection.execute(_USERS)).fetchall():
        user = row["id"]
        own = proposed if user == user_id else await configs.override_of(connection, user)
        users[user] = _over(general, own)
        if user_id in (None, user):
            refused += not_evaluable((await configs.newest(connection, user)).config, users[user])
    return Proposal(general, users), tuple(dict.fromkeys(refused))


def _over(general: CopyConfig, keys: Any) -> CopyConfig:
    try:
        return effective(general, keys)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Rejected("validation_failed", f"{'/'.join(map(str, first['loc']))}: {first['msg']}") from error


async def _tried(connection: Connection, subject: Subject, proposal: Proposal, test: dict[str, Any]) -> Outcome:
    """One portfolio over the range, at the marks of its end."""
    begin, end = test["from_at"], test["until_at"]
    began = await state_at(connection, subject, begin)
    trial = Trial(subject.scope, began.portfolio, began.epoch)
    async for one in in_order(connection, subject, begin, end):
        if isinstance(one, Again):
            await _decide(connection, trial, one, proposal)
        else:
            one.apply(trial)
    real = (await state_at(connection, subject, end)).portfolio
    known = await marks.latest(connection, {*trial.portfolio.holdings, *real.holdings}, end)
    prices = {token: mark.price for token, mark in known.items()}
    return Outcome(subject.scope, subject.user_id, trial, pnl(real, prices), pnl(trial.portfolio, prices))


async def _decide(connection: Connection, trial: Trial, one: Again, proposal: Proposal) -> None:
    for start, held in trial.unknown(one.group):
        known = await marks.before(connection, held.holdings, [start])
        trial.learn(start, held, known[start])
    trial.decide(one.group, proposal.over(one.inputs, one.group.followed_user_id), one.actual)
    if trial.groups % BREATH == 0:
        await asyncio.sleep(0)
