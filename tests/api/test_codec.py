"""The codec server of Temporal's UI and command line: who may decode, from which page, and that both ends agree."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from api.http.cors import origin_of
from domain.shared.processes import Start
from localnet.running import running_temporal
from localnet.temporal import binary
from storage.accounts import ensure_admin, new_key
from storage.database import make_pool
from tests.api.lab import Api, problem
from tests.api.process import running_server
from workflows.client import connect
from workflows.codec import CodecServer, EncryptionCodec, codec_from_keys

KEYS = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
UI = "http://ui.test"
PASSWORD = "correct horse battery"


def ring() -> EncryptionCodec:
    codec = codec_from_keys(KEYS)
    assert codec is not None
    return codec


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


CLEAR = {"payloads": [{"metadata": {"encoding": b64(b"json/plain")}, "data": b64(b'"Ada"')}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sealing(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Api]:
    """An API whose payloads are encrypted."""
    async with Api.open(await new_database(), codec=CodecServer(ring()), temporal_ui_url=f"{UI}/") as opened:
        yield opened


async def _sealed(api: Api) -> dict[str, Any]:
    answer = await api.post("/api/codec/encode", CLEAR)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_is_encoded_can_be_decoded(sealing: Api) -> None:
    sealed = await _sealed(sealing)
    metadata = sealed["payloads"][0]["metadata"]
    assert base64.b64decode(metadata["encoding"]) == b"binary/encrypted"
    assert base64.b64decode(metadata["encryption-key-id"]) == b"k1"
    assert (await sealing.post("/api/codec/decode", sealed)).json() == CLEAR
    assert (await sealing.post("/api/codec/decode", CLEAR)).json() == CLEAR, "what is in clear stays as it is"
    assert (await sealing.post("/api/codec/decode", {"payloads": []})).json() == {"payloads": []}


async def test_without_keys_the_problem_says_so(api: Api) -> None:
    for path in ("encode", "decode"):
        found = problem(await api.post(f"/api/codec/{path}", CLEAR), 409, "payload_keys_missing")
        assert "PAYLOAD_KEYS" in found["detail"]


async def test_only_operators_decode(sealing: Api) -> None:
    sealed = await _sealed(sealing)
    problem(await sealing.post("/api/codec/decode", sealed, None), 401, "unauthorized")
    _, trader = await sealing.account()
    problem(await sealing.post("/api/codec/decode", sealed, trader), 403, "forbidden")
    _, reader = await sealing.account("operator", ["system:read"])
    assert (await sealing.post("/api/codec/decode", sealed, reader)).json() == CLEAR
    problem(await sealing.post("/api/codec/encode", CLEAR, reader), 403, "forbidden")


@pytest.mark.parametrize(
    "body",
    [{}, {"payloads": 1}, {"payloads": [{"data": "not base64!"}]}, {"payloads": [], "more": 1}, {"payloads": [1]}],
)
async def test_bodies_that_are_no_payloads(sealing: Api, body: dict[str, Any]) -> None:
    assert problem(await sealing.post("/api/codec/decode", body), 400, "validation_failed")["errors"]


async def test_payloads_may_be_as_large_as_temporals(sealing: Api) -> None:
    big = {"payloads": [{"metadata": {"encoding": b64(b"binary/plain")}, "data": b64(os.urandom(2 * 2**20))}]}
    sealed = (await sealing.post("/api/codec/encode", big)).json()
    assert (await sealing.post("/api/codec/decode", sealed)).json() == big


async def test_the_browser_lets_the_temporal_ui_and_nobody_else_read_answers(sealing: Api) -> None:
    ask = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type,x-namespace"}
    for path in ("encode", "decode"):
        allowed = await sealing.call("OPTIONS", f"/api/codec/{path}", None, Origin=UI, **ask)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == UI
        assert allowed.headers["access-control-allow-credentials"] == "true"
        assert "POST" in allowed.headers["access-control-allow-methods"]
        assert {"content-type", "x-namespace", "authorization"} <= set(
            allowed.headers["access-control-allow-headers"].split(", ")
        )
    for origin in ("http://evil.test", "http://ui.test.evil.test", "null"):
        refused = await sealing.call("OPTIONS", "/api/codec/decode", None, Origin=origin, **ask)
        assert "access-control-allow-origin" not in refused.headers
        assert refused.headers["vary"] == "origin"
    answered = await sealing.post("/api/codec/decode", CLEAR, Origin=UI)
    assert answered.headers["access-control-allow-origin"] == UI
    denied = await sealing.post("/api/codec/decode", CLEAR, None, Origin=UI)
    assert denied.headers["access-control-allow-origin"] == UI, "or the page could not say what is wrong"
    elsewhere = await sealing.get("/api/system/status", Origin=UI)
    assert "access-control-allow-origin" not in elsewhere.headers


async def test_an_operators_session_counts_from_the_temporal_ui_alone(sealing: Api) -> None:
    """The UI sends the session's cookie and cannot know our CSRF token; the browser names the page it is of."""
    email = f"p-{uuid4().hex}@example.org"
    await sealing.post("/api/accounts", {"name": "P", "role": "operator", "email": email, "password": PASSWORD})
    login = await sealing.post("/api/auth/login", {"email": email, "password": PASSWORD}, None)
    cookie = f"hf_session={login.cookies['hf_session']}"
    sealing.client.cookies.clear()
    sealed = await _sealed(sealing)
    assert (await sealing.post("/api/codec/decode", sealed, None, Cookie=cookie, Origin=UI)).json() == CLEAR
    for origin in ({}, {"Origin": "http://evil.test"}):
        problem(await sealing.post("/api/codec/decode", sealed, None, Cookie=cookie, **origin), 403, "csrf_failed")
    other = await sealing.post("/api/accounts", {"name": "x", "role": "trader"}, None, Cookie=cookie, Origin=UI)
    problem(other, 403, "csrf_failed")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("", ""),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://Temporal.example.org:443/ui/", "https://temporal.example.org"),
        ("http://[::1]:8233/", "http://[::1]:8233"),
        ("temporal:8080", ""),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


async def _input(address: str, *arguments: str) -> bytes:
    """The first argument of the workflow `sealed`, as Temporal's own command line shows it."""
    process = await asyncio.create_subprocess_exec(
        str(binary()), "workflow", "show", "--workflow-id", "sealed", "--address", address, "--output", "json",
        *arguments, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    started = json.loads(out)["events"][0]["workflowExecutionStartedEventAttributes"]
    return base64.b64decode(started["input"]["payloads"][0]["data"])


async def test_temporals_own_command_line_shows_clear_text_through_it(database: str, tmp_path: Path) -> None:
    """A real server, a real client of the codec protocol, and nothing of ours in between."""
    async with running_temporal(tmp_path / "temporal") as temporal:
        client = await connect(temporal.address, temporal.namespace, codec=ring())
        await client.start_workflow("Deposit", Start(subject_id="of-ada"), id="sealed", task_queue="nobody")
        async with running_server(database, PAYLOAD_KEYS=KEYS) as server, make_pool(database, size=1, name="t") as pool:
            key = new_key()
            await ensure_admin(pool, key)
            codec = ("--codec-endpoint", f"{server.url}/api/codec", "--codec-auth", f"Bearer {key}")
            assert json.loads(await _input(temporal.address, *codec))["subject_id"] == "of-ada"
            assert b"of-ada" not in await _input(temporal.address)
