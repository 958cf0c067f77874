"""Whom we follow: begin, change, end, and what each one's shadow and executable portfolio hold."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import AfterValidator, ConfigDict, StringConstraints, WithJsonSchema, model_validator

from api.copytrade import examples
from api.copytrade.views import LeaderDetail, LeaderPage, LeaderView, LegPolicy, Mode
from api.deps import Deps
from api.dispatch import Dispatch
from api.http import bodies, paging
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import PLAIN, Address, Flag, Input, Name, Usdc, storable
from api.http.scopes import STAFF, Principal
from domain.shared.errors import Rejected
from gateways.evm.addresses import parse_address
from storage.database import Connection
from storage.intents import copytrade as intents
from storage.intents.idempotency import Stored
from storage.intents.opened import Opened
from storage.reads import copytrade as reads
from storage.reads.copytrade_portfolios import portfolio

TAG: Final = "Copytrade"
READ: Final = ("copytrade:read",)
WRITE: Final[dict[str, Any]] = {"tag": TAG, "scopes": ("copytrade:write",), "roles": STAFF, "keyed": True}

Profile = Annotated[
    str,
    StringConstraints(min_length=1, max_length=300),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 300, "pattern": PLAIN}),
]


_ONE_OF: Final[dict[str, Any]] = {
    "anyOf": [
        {"properties": {"wallet": {"type": "string"}, "profile": {"type": "null"}}, "required": ["wallet"]},
        {"properties": {"profile": {"type": "string"}, "wallet": {"type": "null"}}, "required": ["profile"]},
    ]
}


class NewLeader(Input):
    """Exactly one of `wallet` and `profile` (a profile's URL or its name; the venue is asked who that is)."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF)
    label: Name
    wallet: Address | None = None
    profile: Profile | None = None
    bankroll_usdc: Usdc | None = None
    mode: Mode = "full"
    leg_policy: LegPolicy = "hold"

    @model_validator(mode="after")
    def _one(self) -> NewLeader:
        if (self.wallet is None) == (self.profile is None):
            raise Rejected("validation_failed", "give either wallet or profile", pointer="/wallet")
        return self


class LeaderChange(Input):
    """What is left out stays. `mode`: `reduce_only` copies no openings, `off` nothing."""

    label: Name | None = None
    enabled: Flag | None = None
    mode: Mode | None = None
    leg_policy: LegPolicy | None = None


@get("/api/copytrade/users",
     **guarded("List followed users", "invalid_cursor", "not_acceptable", tag=TAG, scopes=READ, csv=True,
               response_example=examples.page(examples.LEADER)))  # fmt: skip
async def list_leaders(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    unfollowed: Annotated[bool, QueryParameter(required=False, description="Also those followed no more.")] = False,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[LeaderPage]:
    """Newest first."""
    found = await reads.leaders(deps.reads, gone=unfollowed, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key, csv_allowed=True)


@post("/api/copytrade/users", status_code=202,
      **guarded("Follow a user", "invalid_address", "amount_precision", "already_followed", **WRITE, body=True,
                request_example={"label": "weather whale", "wallet": examples.WALLET, "bankroll_usdc": "10000",
                                 "mode": "full"},
                response_example=examples.LEADER | {"status": "starting", "baseline_at": None}))  # fmt: skip
async def follow(
    request: Request[Any, Any, Any], deps: Deps, dispatch: Dispatch, principal: Principal, data: JSONBody[NewLeader]
) -> Response[LeaderView]:
    """What the wallet holds now is its baseline; what it does from now on is shadowed and copied on paper. Needs an
    `Idempotency-Key`; the operation shows how the start goes."""
    wallet = parse_address(data.wallet) if data.wallet is not None else ""
    bankroll = data.bankroll_usdc if data.bankroll_usdc is not None else deps.config.bankroll_micros
    leader = intents.Leader(data.label, wallet, data.profile or "", bankroll, data.mode, data.leg_policy)
    opened: list[Opened] = []

    async def work(connection: Connection) -> Stored:
        opened.append(await intents.follow(connection, leader, principal=principal.account_id))
        user_id = opened[0].subject_id
        return await _shown(connection, user_id, 202, location=f"/api/copytrade/users/{user_id}")

    response = await intend(request, deps, principal, work, required=True)
    if opened:
        dispatch.soon("follow", opened[0])
    return response


@get("/api/copytrade/users/{user_id:uuid}",
     **guarded("Read a followed user", tag=TAG, scopes=READ, response_example=examples.LEADER_DETAIL))  # fmt: skip
async def read_leader(deps: Deps, principal: Principal, user_id: FromPath[UUID]) -> Response[LeaderDetail]:
    """With the shadow portfolio (what the leader did) and the executable one (what copying would have given)."""
    row = await reads.leader(deps.reads, str(user_id))
    if row is None:
        raise Rejected("not_found", "no such followed user")
    shadow = await portfolio(deps.reads, "SHADOW_USER", str(user_id))
    executable = await portfolio(deps.reads, "EXEC_USER", str(user_id))
    portfolios = f'{{"shadow":{shadow or "null"},"executable":{executable or "null"}'
    return bodies.json_response(portfolios + "," + row["body"].lstrip()[1:])


@patch("/api/copytrade/users/{user_id:uuid}",
       **guarded("Change a followed user", **WRITE, body=True, request_example={"mode": "reduce_only"},
                 response_example=examples.LEADER | {"mode": "reduce_only"}))  # fmt: skip
async def change_leader(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: FromPath[UUID],
    data: JSONBody[LeaderChange],
) -> Response[LeaderView]:
    """The next group sees the change."""

    async def work(connection: Connection) -> Stored:
        await intents.change_leader(
            connection,
            str(user_id),
            principal=principal.account_id,
            label=data.label,
            enabled=data.enabled,
            mode=data.mode,
            leg_policy=data.leg_policy,
        )
        return await _shown(connection, str(user_id), 200)

    return await intend(request, deps, principal, work)


@delete("/api/copytrade/users/{user_id:uuid}", status_code=200,
        **guarded("Unfollow a user", **WRITE,
                  response_example=examples.LEADER | {"status": "unfollowed", "unfollowed_at": examples.AT,
                                                      "enabled": False}))  # fmt: skip
async def unfollow(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, user_id: FromPath[UUID]
) -> Response[LeaderView]:
    """Nothing of it is polled or copied any more; everything seen, decided and booked is kept."""

    async def work(connection: Connection) -> Stored:
        await intents.unfollow(connection, str(user_id), principal=principal.account_id)
        return await _shown(connection, str(user_id), 200)

    return await intend(request, deps, principal, work)


async def _shown(connection: Connection, user_id: str, status: int, **headers: str) -> Stored:
    sql = f"SELECT ({reads.LEADERS.body})::text AS body FROM {reads.LEADERS.source} WHERE u.id = %s"
    row = await (await connection.execute(sql, [user_id])).fetchone()
    assert row is not None
    return json_answer(status, row["body"], **headers)
