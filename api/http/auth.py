"""Who asks: `Authorization: Bearer hf_…`, or the session cookie of a page with its CSRF token on unsafe methods."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from typing import Any, Final, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from api.deps import Deps
from api.http.cors import origin_of
from api.http.limits import Buckets
from api.http.scopes import BY_ROLE, Principal
from domain.shared.errors import Rejected
from storage import accounts

SESSION_COOKIE: Final = "hf_session"
CSRF_COOKIE: Final = "hf_csrf"
CSRF_HEADER: Final = "X-CSRF-Token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TRUST_S: Final = 1.0
"""How long a key, once looked up, is believed: the most a revocation by another process takes to act here."""
_KEPT: Final = 10_000

Connection = ASGIConnection[Any, Any, Any, Any]


class Authenticator:
    """Finds the principal of a request and counts its requests."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._ui_origin = origin_of(deps.config.temporal_ui_url)
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._requests = Buckets(deps.config.rate_limit_per_s, deps.config.rate_limit_per_s)
        self.logins = Buckets(deps.config.login_limit_per_minute, deps.config.login_limit_per_minute / 60)

    async def identify(self, connection: Connection, *, from_temporal_ui: bool = False) -> Principal:
        """The principal, or Rejected unauthorized / csrf_failed / rate_limited.

        Args:  from_temporal_ui  the route is also for pages of the Temporal UI, which cannot send our CSRF token: the
                                 browser's word that the page is of that origin stands for it.
        """
        header = connection.headers.get("authorization")
        if header is not None:
            principal = await self._by_key(header)
        else:
            principal = await self._by_cookie(connection, self._ui_origin if from_temporal_ui else "")
        self._requests.take(principal.key_id or principal.account_id)
        return principal

    def forget_keys(self) -> None:
        """After a revocation in this process: nothing looked up before counts any more."""
        self._known.clear()

    async def _by_key(self, header: str) -> Principal:
        scheme, _, secret = header.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret.startswith(accounts.KEY_PREFIX) or not secret.isascii():
            raise Rejected("unauthorized", "send Authorization: Bearer hf_…")
        name = accounts.digest(secret)
        known = self._known.get(name)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        row = await accounts.find_key(self._deps.reads, self._deps.writes, secret)
        if row is None:
            self._known.pop(name, None)
            raise Rejected("unauthorized", "the key is unknown, expired or revoked")
        principal = Principal(
            account_id=row["account_id"],
            name=row["name"],
            role=row["role"],
            scopes=frozenset(row["scopes"]) & BY_ROLE[row["role"]],
            key_id=row["key_id"],
        )
        self._known[name] = (time.monotonic() + _TRUST_S, principal)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return principal

    async def _by_cookie(self, connection: Connection, page: str) -> Principal:
        token = connection.cookies.get(SESSION_COOKIE)
        if not token or not token.isascii():
            raise Rejected("unauthorized", "send Authorization: Bearer hf_…")
        row = await accounts.find_session(self._deps.reads, token)
        if row is None:
            raise Rejected("unauthorized", "the session is unknown or has ended")
        trusted = bool(page) and connection.headers.get("origin") == page
        if connection.scope.get("method", "GET") not in _SAFE and not trusted:
            given = connection.headers.get(CSRF_HEADER, "")
            if not secrets.compare_digest(given.encode(), row["csrf_token"].encode()):
                raise Rejected("csrf_failed", f"send {CSRF_HEADER} with the value of the {CSRF_COOKIE} cookie")
        return Principal(
            account_id=row["account_id"],
            name=row["name"],
            role=row["role"],
            scopes=BY_ROLE[row["role"]],
            csrf_token=row["csrf_token"],
        )


def requires(*scopes: str, roles: tuple[str, ...] = (), from_temporal_ui: bool = False) -> Guard:
    """A guard: the request has a principal with these scopes and, if given, one of these roles."""

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        authenticator: Authenticator = connection.app.state.authenticator
        principal = await authenticator.identify(connection, from_temporal_ui=from_temporal_ui)
        missing = set(scopes) - principal.scopes
        if missing:
            raise Rejected("forbidden", f"the key lacks the scope {', '.join(sorted(missing))}")
        if roles and principal.role not in roles:
            raise Rejected("forbidden", f"only for the roles {', '.join(roles)}")
        connection.scope["user"] = principal

    return cast("Guard", guard)


def principal_of(request: Request[Any, Any, Any], deps: Deps) -> Principal:
    """The principal a guard found; for handlers (dependency `principal`).

    `deps` only sets the order: dependencies that could be resolved at once are, in a task group, and that costs more
    than both of them. One after the other they cost nothing.
    """
    principal = request.scope.get("user")
    if not isinstance(principal, Principal):
        raise Rejected("unauthorized", "this route was reached without a principal")
    return principal


def client_address(request: Request[Any, Any, Any], trusted: frozenset[str]) -> str:
    """The client's address: the last hop a trusted proxy did not add itself, else the peer."""
    peer = request.client.host if request.client else ""
    if peer not in trusted:
        return peer
    hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    foreign = [hop for hop in hops if hop not in trusted]
    return foreign[-1] if foreign else peer
