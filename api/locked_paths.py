"""Paths that the source documents lock and that have moved: 308 to where they are (contract, section 3)."""

from __future__ import annotations

from typing import Any, Final

from litestar import HttpMethod, Request, route
from litestar.response import Redirect

COPYTRADE: Final = ("overview", "users", "portfolio", "trades", "copy-attempts", "markets", "config", "control")
"""First parts of the eleven paths of copytrade, and of those added to them (CT-171 to CT-180, CG-042)."""
_METHODS: Final = [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST, HttpMethod.PATCH, HttpMethod.DELETE]


@route(
    [path for part in COPYTRADE for path in (f"/api/{part}", f"/api/{part}/{{rest:path}}")],
    http_method=_METHODS,
    status_code=308,
    include_in_schema=False,
)
async def moved(request: Request[Any, Any, Any]) -> Redirect:
    """The same request, query and body, below /api/copytrade. Whoever may not ask there learns it there."""
    path = "/api/copytrade" + request.url.path.removeprefix("/api")
    return Redirect(f"{path}?{request.url.query}" if request.url.query else path, status_code=308)
