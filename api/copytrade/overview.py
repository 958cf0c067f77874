"""How copying goes, at a glance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter
from pydantic import BaseModel

from api.copytrade import examples
from api.copytrade.leaders import READ, TAG
from api.deps import Deps
from api.http import bodies
from api.http.documented import guarded
from api.http.scopes import Principal
from domain.copytrade.entries import Scope
from storage.reads import copytrade_reports as reports
from storage.reads.system import controls

Days = Annotated[int, QueryParameter(ge=1, le=90, required=False, description="How far back rates are counted.")]
_NONE: Final[dict[str, Any]] = {"measured": 0, "p50": None, "p95": None, "edges": [], "counts": []}
_RATES: Final[dict[str, Any]] = {
    "groups": 12,
    "attempts": 12,
    "executed": 9,
    "skipped": 3,
    "out_of_order": 0,
    "attempt_rate_bps": 10000,
    "fill_rate_bps": 7500,
    "partial_rate_bps": 0,
    "closed_positions": 0,
    "won_positions": 0,
    "win_rate_bps": None,
    "skipped_for_age_bps": 0,
    "slippage_micros": _NONE,
    "detect_lag_ms": _NONE,
    "copy_lag_ms": _NONE,
    "skip_reasons": [{"code": "SPREAD_TOO_WIDE", "count": 3}],
}
_EARNED: Final = {
    "followed_user_id": None,
    "label": None,
    "as_of": examples.AT,
    "equity_usdc": "10000.1",
    "pnl_usdc": "0.1",
    "pnl_today_usdc": "0.1",
    "pnl_7d_usdc": None,
    "drawdown_usdc": "0",
    "drawdown_latched": False,
}
_EXPOSED: Final = {"exposure_usdc": "5.1", "by_market": [], "by_user": []}


class Overview(BaseModel):
    """`portfolio`: profit of the one over all; `users`: of each followed user's, best first. Figures that were not
    measured are null. `copying`: rates and distributions of the time asked for."""

    paused: bool
    portfolio: Any
    exposure: Any
    users: list[dict[str, Any]]
    copying: dict[str, Any]


@get("/api/copytrade/overview",
     **guarded("Read the overview", tag=TAG, scopes=READ,
               response_example={"paused": False, "portfolio": _EARNED, "exposure": _EXPOSED, "users": [_EARNED],
                                 "copying": _RATES}))  # fmt: skip
async def overview(deps: Deps, principal: Principal, days: Days = 7) -> Response[Overview]:
    """Profit in all, today and in seven days, what is at risk and where, rates, lags and reasons."""
    since = datetime.now(UTC) - timedelta(days=days)
    switches = msgspec.json.decode(await controls(deps.reads))["items"]
    total = msgspec.json.decode(await reports.earned(deps.reads, Scope.EXEC_GLOBAL))
    parts = {
        "paused": not next(c["enabled"] for c in switches if c["name"] == "copytrade.engine"),
        "portfolio": total[0] if total else None,
        "users": msgspec.Raw((await reports.earned(deps.reads, Scope.EXEC_USER)).encode()),
        "exposure": msgspec.Raw((await reports.exposure(deps.reads, Scope.EXEC_GLOBAL, None)).encode()),
        "copying": msgspec.Raw((await reports.copying(deps.reads, Scope.EXEC_GLOBAL, None, since)).encode()),
    }
    return bodies.json_response(msgspec.json.encode(parts))
