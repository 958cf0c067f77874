"""How well copying does: rates, distributions, reasons, exposure, profit, and the tracking gap taken apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel

from api.copytrade import examples
from api.copytrade.leaders import READ, TAG
from api.deps import Deps
from api.http import bodies
from api.http.documented import guarded
from api.http.scopes import Principal
from domain.copytrade.entries import Scope
from domain.shared.errors import Rejected
from domain.shared.money import format_usdc
from storage.copytrade import gap
from storage.reads import copytrade as reads
from storage.reads import copytrade_reports as reports
from storage.reads.base import reading

WEEK: Final = 7
_SPREAD: Final = {"measured": 2, "p50": 5_000, "p95": 5_000, "edges": [0, 5_000], "counts": [0, 0, 2]}
_EARNED: Final = {
    "followed_user_id": examples.ID,
    "label": "whale",
    "as_of": examples.AT,
    "equity_usdc": "10012.5",
    "pnl_usdc": "12.5",
    "pnl_today_usdc": None,
    "pnl_7d_usdc": None,
    "drawdown_usdc": "0",
    "drawdown_latched": False,
}
_EXAMPLE: Final[dict[str, Any]] = {
    "since": examples.AT,
    "copying": {"groups": 3, "attempts": 3, "executed": 2, "fill_rate_bps": 6_666, "slippage_micros": _SPREAD},
    "exposure": {"exposure_usdc": "10", "by_market": [], "by_user": []},
    "earned": [_EARNED],
    "tracking_gap": {
        "since": examples.AT,
        "unmeasured": [],
        "explained": True,
        "total_usdc": "1.5",
        "fees_usdc": "0.2",
    },
}


class Report(BaseModel):
    """Null: not measured. Parts of `tracking_gap` add up to its `total_usdc`; null before the portfolio is opened."""

    since: datetime
    copying: Any
    exposure: Any
    earned: Any
    tracking_gap: Any


class Board(BaseModel):
    items: list[Any]
    next_cursor: str | None


Days = Annotated[int, QueryParameter(name="days", ge=1, le=3_650, required=False)]


@get("/api/copytrade/users/{user_id:uuid}/report",
     **guarded("Report on a followed user", tag=TAG, scopes=READ, response_example=_EXAMPLE))  # fmt: skip
async def user_report(deps: Deps, principal: Principal, user_id: FromPath[UUID], days: Days = WEEK) -> Response[Report]:
    """His executable portfolio over the last days, and what copying him has cost since it was opened."""
    if await reads.leader(deps.reads, str(user_id)) is None:
        raise Rejected("not_found", "no such followed user")
    return await _report(deps, Scope.EXEC_USER, str(user_id), days)


@get("/api/copytrade/portfolio/global/report",
     **guarded("Report on the global portfolio", tag=TAG, scopes=READ, response_example=_EXAMPLE))  # fmt: skip
async def global_report(deps: Deps, principal: Principal, days: Days = WEEK) -> Response[Report]:
    """The portfolio that copies everybody."""
    return await _report(deps, Scope.EXEC_GLOBAL, None, days)


@get("/api/copytrade/leaderboard",
     **guarded("List users by what copying them earned", tag=TAG, scopes=READ,
               response_example=examples.page(_EARNED)))  # fmt: skip
async def leaderboard(deps: Deps, principal: Principal) -> Response[Board]:
    """Best first, by the PnL of their executable portfolios; null where nothing was measured."""
    return bodies.json_response(f'{{"items":{await reports.earned(deps.reads, Scope.EXEC_USER)},"next_cursor":null}}')


async def _report(deps: Deps, scope: Scope, user_id: str | None, days: int) -> Response[Any]:
    since = datetime.now(UTC) - timedelta(days=days)
    async with reading(deps.reads) as connection:
        found = await gap.report(connection, scope, user_id)
    parts = {
        "since": msgspec.json.encode(since).decode(),
        "copying": await reports.copying(deps.reads, scope, user_id, since),
        "exposure": await reports.exposure(deps.reads, scope, user_id),
        "earned": await reports.earned(deps.reads, scope, user_id),
        "tracking_gap": msgspec.json.encode(None if found is None else _in_usdc(found)).decode(),
    }
    return bodies.json_response("{" + ",".join(f'"{name}":{body}' for name, body in parts.items()) + "}")


def _in_usdc(found: dict[str, Any]) -> dict[str, Any]:
    """Micros as decimal strings, their names with the unit they now have."""
    told: dict[str, Any] = {}
    for name, value in found.items():
        if name == "skipped_by_reason_micros":
            told["skipped_by_reason_usdc"] = {code: format_usdc(micros) for code, micros in value.items()}
        elif name.endswith("_micros"):
            told[name.removesuffix("_micros") + "_usdc"] = format_usdc(value)
        else:
            told[name] = value
    return told
