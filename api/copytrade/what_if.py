"""Test config: what other rules would have done with the inputs that were stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, Field

from api.copytrade import examples
from api.copytrade.leaders import READ, TAG, WRITE
from api.copytrade.rules import RulesChange
from api.deps import Deps
from api.dispatch import Dispatch
from api.http import bodies, paging
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import Id, Input, Moment
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.intents.copytrade_portfolios import open_config_test
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.reads import copytrade as reads

DAY: Final = timedelta(hours=24)
_EXAMPLE: Final[dict[str, Any]] = {
    "id": examples.ID,
    "status": "completed",
    "followed_user_id": None,
    "since": examples.AT,
    "until": examples.AT,
    "config": {"guardrails": {"max_spread_micros": 30000}},
    "result": {"evaluable": True, "portfolios": [], "changed_total": 0, "changed": [], "without_inputs_total": 0},
    "operation_id": examples.ID,
    "created_at": examples.AT,
}


class NewTest(Input):
    """`config`: the keys to try, over the general rules, or over one user's when `user_id` is given. Without times: the
    last 24 hours."""

    config: RulesChange = Field(default_factory=RulesChange)
    user_id: Id | None = None
    since: Moment | None = None
    until: Moment | None = None


class TestAccepted(BaseModel):
    id: str
    operation_id: str
    status: Literal["running"]


class TestView(BaseModel):
    """`result`: executed and skipped before and after by portfolio, the decisions that change, what it would have
    earned; groups without stored inputs are named, never guessed. Null while it runs."""

    id: str
    status: Literal["running", "completed"]
    followed_user_id: str | None
    since: datetime
    until: datetime
    config: Any
    result: Any
    operation_id: str | None
    created_at: datetime


class TestPage(BaseModel):
    items: list[TestView]
    next_cursor: str | None


@post("/api/copytrade/config/test", status_code=202,
      **guarded("Test rules on what happened", **WRITE, body=True,
                request_example={"config": {"guardrails": {"max_spread_micros": 30000}}},
                response_example={"id": examples.ID, "operation_id": examples.ID, "status": "running"}))  # fmt: skip
async def test_rules(
    request: Request[Any, Any, Any], deps: Deps, dispatch: Dispatch, principal: Principal, data: JSONBody[NewTest]
) -> Response[TestAccepted]:
    """Makes every decision of the time again, under these rules, from the book and the facts that were stored with it,
    and carries its own portfolio forward. Changes nothing. Needs an `Idempotency-Key`."""
    until = data.until if data.until is not None else datetime.now(UTC)
    since = data.since if data.since is not None else until - DAY
    if since >= until:
        raise Rejected("validation_failed", "the range is empty", pointer="/since")
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        opened.append(
            await open_config_test(
                connection,
                proposed=data.config.sections(),
                user_id=data.user_id,
                from_at=since,
                until_at=until,
                principal=principal.account_id,
            )
        )
        one = opened[0]
        answer = {"id": one.subject_id, "operation_id": one.operation_id, "status": "running"}
        return json_answer(202, msgspec.json.encode(answer), location=f"/api/copytrade/config/test/{one.subject_id}")

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("config_test", opened[0])
    return response


@get("/api/copytrade/config/test",
     **guarded("List tests of rules", "invalid_cursor", tag=TAG, scopes=READ,
               response_example=examples.page(_EXAMPLE)))  # fmt: skip
async def list_tests(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[TestPage]:
    """Newest first."""
    found = await reads.config_tests(deps.reads, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key)


@get("/api/copytrade/config/test/{test_id:uuid}",
     **guarded("Read a test of rules", tag=TAG, scopes=READ, response_example=_EXAMPLE))  # fmt: skip
async def read_test(deps: Deps, principal: Principal, test_id: FromPath[UUID]) -> Response[TestView]:
    """With its result as soon as it has one."""
    row = await reads.config_test(deps.reads, str(test_id))
    if row is None:
        raise Rejected("not_found", "no such test of rules")
    return bodies.json_response(row["body"])
