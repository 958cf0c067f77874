"""The rules of copying as JSON, for all leaders and for one; and the switch that pauses copying.

Integers with the unit in the name, as the seed has them (copytrade.md 11): the one place without decimal strings.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, BeforeValidator, ValidationError, WithJsonSchema

from api.copytrade.leaders import READ, TAG, WRITE
from api.deps import Deps
from api.http import bodies
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import Flag, Input, Note
from api.http.scopes import Principal
from domain.copytrade.config import CopyConfig, Guardrails, Sizing, SmallTrades
from domain.copytrade.presets import PRESETS, Preset
from domain.shared.errors import Rejected
from storage.copytrade import configs
from storage.database import Connection, transaction
from storage.intents import system
from storage.intents.idempotency import Stored

PAUSE: Final = "copytrade.engine"


def _section(name: str, model: type[BaseModel]) -> Any:
    """Some keys of a section of the rules. Each is checked by the model the worker uses; absent ones stay absent."""

    def keys(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Rejected("validation_failed", "an object is wanted", pointer=f"/{name}")
        whole = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in value.items()}
        try:
            model.model_validate(whole, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = "/".join([name, *map(str, first["loc"])])
            raise Rejected("validation_failed", first["msg"], pointer=f"/{place}") from error
        return whole

    schema = model.model_json_schema()
    return Annotated[dict[str, Any], BeforeValidator(keys), WithJsonSchema(schema)]


class RulesChange(Input):
    """Keys to set. What is left out stays (general rules) or is inherited from the general rules (one user's).

    `preset`: keys for a known use, under those given: `small_bankroll` is for some hundred USDC.
    """

    preset: Preset | None = None
    guardrails: _section("guardrails", Guardrails) = {}  # type: ignore[valid-type]
    sizing: _section("sizing", Sizing) = {}  # type: ignore[valid-type]
    small_trades: _section("small_trades", SmallTrades) = {}  # type: ignore[valid-type]
    reason: Note = ""

    def sections(self) -> dict[str, dict[str, Any]]:
        under = PRESETS[self.preset] if self.preset is not None else {}
        given = {"guardrails": self.guardrails, "sizing": self.sizing, "small_trades": self.small_trades}
        parts = {name: {**under.get(name, {}), **keys} for name, keys in given.items()}
        return {name: keys for name, keys in parts.items() if keys}


class RulesView(BaseModel):
    """`config`: the rules in force, as the worker reads them. `override`: what a user has of its own.

    `warnings`: rules under which nothing or little would be copied.
    """

    version: int
    config: dict[str, dict[str, Any]]
    override: dict[str, dict[str, Any]]
    warnings: list[str]


class Pause(Input):
    """`paused` true: groups due from now on are skipped (ENGINE_PAUSED), never deferred. The shadow goes on."""

    paused: Flag
    reason: Note = ""


class PauseView(BaseModel):
    paused: bool
    reason: str


_RULES: Final = {"version": 1, "config": CopyConfig().model_dump(), "override": {}, "warnings": []}
_OWN: Final = _RULES | {"version": 7, "override": {"sizing": {"copy_pct_notional_bps": 50}}}


def warnings(config: CopyConfig, bankroll: int) -> list[str]:
    """What a person should know before these rules are in force with this bankroll."""
    sizing = config.sizing
    found = []
    largest = min(sizing.max_trade_notional_micros, bankroll * sizing.max_trade_bankroll_bps // 10_000)
    if largest < sizing.min_trade_notional_micros:
        found.append(
            f"max < min: with {bankroll} micros of equity a trade may be {largest} micros at most and must be "
            f"{sizing.min_trade_notional_micros} at least; every opening would be skipped (BELOW_MIN_NOTIONAL)"
        )
    if sizing.sizing_mode == "budgeted_dynamic" and not sizing.budgeted_dynamic_enabled:
        found.append("budgeted_dynamic_enabled is off: sizes follow copy_pct_notional_bps")
    waits, fresh = config.small_trades, config.guardrails.max_copy_age_ms
    if waits.enabled and waits.longest_ms >= fresh:
        found.append(
            f"small trades may wait {waits.longest_ms} ms, longer than max_copy_age_ms ({fresh}): then they are too old"
        )
    return found


async def _view(connection: Connection, user_id: str | None, bankroll: int) -> bytes:
    version, config = await configs.newest(connection, user_id)
    override = await configs.override_of(connection, user_id) if user_id else {}
    view = {"version": version, "config": config.model_dump(), "override": override}
    return msgspec.json.encode(view | {"warnings": warnings(config, bankroll)})


async def _bankroll(connection: Connection, user_id: str) -> int:
    sql = "SELECT bankroll_micros FROM copytrade.followed_users WHERE id = %s"
    row = await (await connection.execute(sql, [user_id])).fetchone()
    if row is None:
        raise Rejected("not_found", "no such followed user")
    return int(row["bankroll_micros"])


@get("/api/copytrade/config/global",
     **guarded("Read the general rules", tag=TAG, scopes=READ, response_example=_RULES))  # fmt: skip
async def read_general(deps: Deps, principal: Principal) -> Response[RulesView]:
    """In force for every followed user that has no key of its own."""
    async with transaction(deps.reads) as connection:
        return bodies.json_response(await _view(connection, None, deps.config.bankroll_micros))


@post("/api/copytrade/config/global", status_code=200,
      **guarded("Change the general rules", **WRITE, body=True,
                request_example={"guardrails": {"max_spread_micros": 30000}, "reason": "sports"},
                response_example=_RULES | {"version": 2}))  # fmt: skip
async def change_general(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, data: JSONBody[RulesChange]
) -> Response[RulesView]:
    """The next group follows them. What is left out stays as it is."""

    async def work(connection: Connection) -> Stored:
        actor = principal.account_id
        await configs.change_general(connection, data.sections(), actor=actor, reason=data.reason)
        return json_answer(200, await _view(connection, None, deps.config.bankroll_micros))

    return await intend(request, deps, principal, work)


@get("/api/copytrade/config/user/{user_id:uuid}",
     **guarded("Read a user's rules", tag=TAG, scopes=READ, response_example=_OWN))  # fmt: skip
async def read_user(deps: Deps, principal: Principal, user_id: FromPath[UUID]) -> Response[RulesView]:
    """`config` is what the worker uses: the general rules with this user's keys over them."""
    async with transaction(deps.reads) as connection:
        bankroll = await _bankroll(connection, str(user_id))
        return bodies.json_response(await _view(connection, str(user_id), bankroll))


@post("/api/copytrade/config/user/{user_id:uuid}", status_code=200,
      **guarded("Change a user's rules", **WRITE, body=True,
                request_example={"sizing": {"copy_pct_notional_bps": 50}}, response_example=_OWN))  # fmt: skip
async def change_user(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    user_id: FromPath[UUID],
    data: JSONBody[RulesChange],
) -> Response[RulesView]:
    """The keys given are all the user has of its own afterwards; every other is inherited."""

    async def work(connection: Connection) -> Stored:
        bankroll = await _bankroll(connection, str(user_id))
        actor = principal.account_id
        await configs.change_user(connection, str(user_id), data.sections(), actor=actor, reason=data.reason)
        return json_answer(200, await _view(connection, str(user_id), bankroll))

    return await intend(request, deps, principal, work)


@post("/api/copytrade/control/pause", status_code=200,
      **guarded("Pause or resume copying", **WRITE, body=True,
                request_example={"paused": True, "reason": "venue maintenance"},
                response_example={"paused": True, "reason": "venue maintenance"}))  # fmt: skip
async def pause(
    request: Request[Any, Any, Any], deps: Deps, principal: Principal, data: JSONBody[Pause]
) -> Response[PauseView]:
    """The same flag as the control `copytrade.engine`."""

    async def work(connection: Connection) -> Stored:
        await system.set_control(
            connection, name=PAUSE, enabled=not data.paused, reason=data.reason, principal=principal.account_id
        )
        return json_answer(200, msgspec.json.encode({"paused": data.paused, "reason": data.reason}))

    return await intend(request, deps, principal, work)
