"""Logging in: cookies, CSRF, rate limit, and what a wrong password may tell."""

from __future__ import annotations

from http.cookies import SimpleCookie
from uuid import uuid4

import httpx

from tests.api.lab import Api, problem

PASSWORD = "correct horse battery"


async def _person(api: Api, role: str = "operator") -> str:
    email = f"p-{uuid4().hex}@example.org"
    made = await api.post("/api/accounts", {"name": "P", "role": role, "email": email, "password": PASSWORD})
    assert made.status_code == 201
    return email


def _cookies(answer: httpx.Response) -> SimpleCookie:
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        found.load(line)
    return found


async def test_a_session_works_with_its_csrf_token(api: Api) -> None:
    email = await _person(api)
    answer = await api.post("/api/auth/login", {"email": email.upper(), "password": PASSWORD}, None)
    assert answer.status_code == 200
    cookies = _cookies(answer)
    assert cookies["hf_session"]["httponly"]
    assert cookies["hf_session"]["samesite"] == "strict"
    token, csrf = cookies["hf_session"].value, cookies["hf_csrf"].value
    assert answer.json()["csrf_token"] == csrf
    assert token not in answer.text
    stored = await api.rows("SELECT token_hash FROM platform.sessions")
    assert token.encode() not in [bytes(r["token_hash"]) for r in stored]
    api.client.cookies.clear()
    cookie = f"hf_session={token}"
    who = await api.get("/api/auth/session", None, Cookie=cookie)
    assert who.json()["role"] == "operator"
    body = {"name": "by session", "role": "trader"}
    problem(await api.post("/api/accounts", body, None, Cookie=cookie), 403, "csrf_failed")
    problem(await api.post("/api/accounts", body, None, Cookie=cookie, X_CSRF_Token="no"), 403, "csrf_failed")
    made = await api.post("/api/accounts", body, None, Cookie=cookie, X_CSRF_Token=csrf)
    assert made.status_code == 201
    out = await api.post("/api/auth/logout", None, None, Cookie=cookie, X_CSRF_Token=csrf)
    assert out.status_code == 204
    problem(await api.get("/api/auth/session", None, Cookie=cookie), 401, "unauthorized")


async def test_who_is_disabled_loses_the_session(api: Api) -> None:
    email = await _person(api, "admin")
    answer = await api.post("/api/auth/login", {"email": email, "password": PASSWORD}, None)
    cookie = f"hf_session={_cookies(answer)['hf_session'].value}"
    api.client.cookies.clear()
    assert (await api.get("/api/auth/session", None, Cookie=cookie)).status_code == 200
    await api.rows("UPDATE platform.accounts SET disabled = true WHERE email = %s", email)
    problem(await api.get("/api/auth/session", None, Cookie=cookie), 401, "unauthorized")


async def test_wrong_credentials_tell_nothing(api: Api) -> None:
    email = await _person(api)
    wrong = await api.post("/api/auth/login", {"email": email, "password": "wrong"}, None)
    unknown = await api.post("/api/auth/login", {"email": "nobody@example.org", "password": "wrong"}, None)
    first = problem(wrong, 401, "invalid_credentials")
    second = problem(unknown, 401, "invalid_credentials")
    assert first["detail"] == second["detail"]
    assert "set-cookie" not in wrong.headers


async def test_passwords_are_argon2id(api: Api) -> None:
    email = await _person(api)
    rows = await api.rows("SELECT password_hash FROM platform.accounts WHERE email = %s", email)
    assert rows[0]["password_hash"].startswith("$argon2id$")


async def test_malformed_credentials_are_400(api: Api) -> None:
    for body in ({}, {"email": "a"}, {"email": "a", "password": ""}, {"email": "a\x00", "password": "b"}):
        problem(await api.post("/api/auth/login", body, None), 400, "validation_failed")


async def test_logins_are_limited_per_address(database: str) -> None:
    async with Api.open(database, login_limit_per_minute=3) as api:
        body = {"email": "nobody@example.org", "password": "wrong"}
        for _ in range(3):
            problem(await api.post("/api/auth/login", body, None), 401, "invalid_credentials")
        answer = await api.post("/api/auth/login", body, None)
        problem(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 20


async def test_requests_are_limited_per_key(database: str) -> None:
    async with Api.open(database, rate_limit_per_s=5) as api:
        answers = [await api.get("/api/auth/session") for _ in range(8)]
        assert answers[0].status_code == 200
        problem(answers[-1], 429, "rate_limited")
        assert answers[-1].headers["retry-after"] == "1"


async def test_cookies_are_secure_over_https(database: str) -> None:
    async with Api.open(database, public_url="https://holdfast.test") as api:
        email = await _person(api)
        answer = await api.post("/api/auth/login", {"email": email, "password": PASSWORD}, None)
        assert _cookies(answer)["hf_session"]["secure"]
        assert "strict-transport-security" in answer.headers
