"""Logging in for pages: an HttpOnly, SameSite=Strict cookie, and a CSRF token that unsafe requests must repeat."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody
from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from api.accounts.passwords import verify_password
from api.accounts.views import LoginView, SessionView
from api.deps import Deps
from api.http import bodies
from api.http.auth import CSRF_COOKIE, SESSION_COOKIE, Authenticator, client_address
from api.http.documented import guarded, public
from api.http.inputs import PLAIN, Input, storable
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from storage import accounts

TAG: Final = "Sessions"
_PERSON: Final = {"account_id": "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f", "name": "Ada", "role": "trader"}
_Given = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    AfterValidator(storable),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256, "pattern": PLAIN}),
]


class Credentials(Input):
    email: _Given
    password: _Given


@post(
    "/api/auth/login",
    status_code=200,
    **public(
        "Log in",
        "invalid_credentials",
        tag=TAG,
        body=True,
        request_example={"email": "ada@example.org", "password": "correct horse battery"},
        response_example=_PERSON | {"csrf_token": "shown-to-this-page", "expires_at": "2026-11-21T16:00:00.000000Z"},
    ),
)
async def login(request: Request[Any, Any, Any], deps: Deps, data: JSONBody[Credentials]) -> Response[LoginView]:
    """Sets the session cookie and the CSRF cookie. Ten tries a minute per client address."""
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.logins.take(client_address(request, deps.config.trusted_proxies))
    row = await accounts.find_login(deps.reads, data.email)
    fits = await verify_password(row["password_hash"] if row else None, data.password)
    if row is None or not fits:
        raise Rejected("invalid_credentials", "e-mail and password do not match")
    token, csrf, expires_at = await accounts.open_session(deps.writes, row["account_id"], deps.config.session_hours)
    answer = {
        "account_id": row["account_id"],
        "name": row["name"],
        "role": row["role"],
        "csrf_token": csrf,
        "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    response = bodies.encoded(answer)
    age, secure = deps.config.session_hours * 3600, deps.config.secure
    response.set_cookie(
        Cookie(SESSION_COOKIE, value=token, httponly=True, samesite="strict", secure=secure, path="/", max_age=age)
    )
    response.set_cookie(
        Cookie(CSRF_COOKIE, value=csrf, httponly=False, samesite="strict", secure=secure, path="/", max_age=age)
    )
    return response


@post("/api/auth/logout", status_code=204, **guarded("Log out", tag=TAG))
async def logout(request: Request[Any, Any, Any], deps: Deps) -> Response[None]:
    """Ends the session behind the cookie; a key's request without a cookie changes nothing."""
    token = request.cookies.get(SESSION_COOKIE)
    if token and token.isascii():
        await accounts.close_session(deps.writes, token)
    response: Response[None] = Response(None, status_code=204)
    response.delete_cookie(SESSION_COOKIE, path="/")
    response.delete_cookie(CSRF_COOKIE, path="/")
    return response


@get("/api/auth/session",
     **guarded("Who am I", tag=TAG,
               response_example=_PERSON | {"scopes": ["exchange:read"], "csrf_token": None}))  # fmt: skip
async def session(principal: Principal) -> Response[SessionView]:
    """The account and scopes behind this request's key or session."""
    answer = {
        "account_id": principal.account_id,
        "name": principal.name,
        "role": principal.role,
        "scopes": sorted(principal.scopes),
        "csrf_token": principal.csrf_token,
    }
    return bodies.encoded(answer)
