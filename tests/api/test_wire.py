"""What holds for every route: problems for everything, headers, strict bodies, documents from our own files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from api.docs import build
from api.http.bodies import splice
from api.http.limits import Buckets
from api.http.strict import too_deep
from api.locked_paths import COPYTRADE
from domain.shared.errors import Rejected
from domain.shared.problems import PROBLEMS
from storage.migrate import pending, upgrade
from storage.reads.system import Revisions, shipped_revisions
from tests.api.lab import Api, problem

VENDOR = Path("api/static/vendor")
OPEN = {"/api/health", "/api/ready", "/metrics", "/api/problems", "/api/problems/{code}", "/api/auth/login"}


async def test_health_is_public(api: Api) -> None:
    answer = await api.get("/api/health", None)
    assert answer.json() == {"status": "ok", "version": "0.1.0", "commit": "", "profile": "local"}


async def test_ready_names_what_is_missing(api: Api) -> None:
    answer = await api.get("/api/ready", None)
    problem(answer, 503, "temporal_unavailable")
    assert answer.headers["retry-after"]


async def test_a_database_with_pending_migrations_is_not_ready(database: str) -> None:
    async with Api.open(database) as api:
        await api.rows("DELETE FROM platform.alembic_version")
        found = problem(await api.get("/api/ready", None), 503, "unavailable")
        assert shipped_revisions().newest in found["detail"]


async def test_a_database_ahead_of_the_code_does_not_stop_a_rollback(database: str) -> None:
    """Nothing is pending, so only Temporal, which is not there, is missed."""
    async with Api.open(database) as api:
        await api.rows("UPDATE platform.alembic_version SET version_num = 'of-a-newer-release'")
        problem(await api.get("/api/ready", None), 503, "temporal_unavailable")
    assert pending(database) == upgrade(database) == []


@pytest.mark.parametrize(("at", "missing"), [(None, True), ("1", True), ("2", False), ("3", False)])
def test_only_revisions_the_code_knows_can_be_pending(at: str | None, missing: bool) -> None:
    assert Revisions("2", frozenset({"1", "2"})).pending(at) is missing


async def test_unknown_paths_and_methods_are_problems(api: Api) -> None:
    for path in ("/", "/nope", "/api/nope", "/api/accounts/zz", "/api//accounts/%2e%2e", "/%ff"):
        problem(await api.get(path), 404, "not_found")
    for method in ("PUT", "TRACE", "PATCH", "FOO"):
        answer = await api.call(method, "/api/health")
        problem(answer, 405, "method_not_allowed")
        assert "GET" in answer.headers["allow"]


async def test_nul_bytes_are_refused_everywhere(api: Api) -> None:
    problem(await api.get("/api/system/audit?subject=a%00b"), 400, "malformed_request")
    problem(await api.get("/api/problems/a%00b"), 400, "malformed_request")


@pytest.mark.parametrize(
    "content", [b"{", b"\xff\xfe", b'{"name": "\\ud800", "role": "trader"}', b"{'a': 1}", b'{"a": 1e999}', b"nul"]
)
async def test_bodies_that_are_not_json(api: Api, content: bytes) -> None:
    headers = {"Authorization": f"Bearer {api.admin}", "Content-Type": "application/json"}
    answer = await api.client.post("/api/accounts", content=content, headers=headers)
    problem(answer, 400, "malformed_request")


async def test_paths_that_the_sources_lock_lead_to_where_they_are(api: Api) -> None:
    for path in ("overview", "users", "users/7", "portfolio/global", "trades?limit=3", "copy-attempts", "markets"):
        answer = await api.get(f"/api/{path}", None)
        assert (answer.status_code, answer.headers["location"]) == (308, f"/api/copytrade/{path}")
        assert (await api.get(answer.headers["location"])).status_code in (200, 404)
    for path in ("config/global", "config/user/7", "control/pause", "users"):
        answer = await api.call("POST", f"/api/{path}", json={})
        assert (answer.status_code, answer.headers["location"]) == (308, f"/api/copytrade/{path}")


async def test_no_answer_names_its_character_set_twice(api: Api) -> None:
    for path in ("/metrics", "/api/docs"):
        assert (await api.get(path, None)).headers["content-type"].count("charset") == 1


async def test_other_media_types_are_refused(api: Api) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        headers = {"Authorization": f"Bearer {api.admin}", "Content-Type": kind}
        answer = await api.client.post("/api/accounts", content=b"{}", headers=headers)
        problem(answer, 415, "unsupported_media_type")


async def test_large_bodies_are_refused(api: Api) -> None:
    body = {"name": "x" * 300_000, "role": "trader"}
    problem(await api.post("/api/accounts", body), 413, "payload_too_large")


async def test_deep_json_is_no_defect(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.admin}", "Content-Type": "application/json"}
    for content in (b"[" * 50_000, b'{"name":' + b"[" * 50_000):
        answer = await api.client.post("/api/accounts", content=content, headers=headers)
        problem(answer, 400, "malformed_request")


async def test_every_answer_carries_the_security_headers(api: Api) -> None:
    for path in ("/api/health", "/nope", "/api/docs"):
        headers = (await api.get(path, None)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert headers["cache-control"]


async def test_trace_ids_are_taken_over_when_they_are_harmless(api: Api) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (await api.get("/nope", None, traceparent=parent)).json()["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (await api.get("/nope", None, X_Request_Id="my-request-1")).json()["trace_id"] == "my-request-1"
    answer = await api.get("/nope", None, X_Request_Id="<script>alert(1)</script>")
    assert "script" not in answer.text


async def test_a_defect_tells_only_its_trace_id(fresh_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await fresh_api.rows("ALTER TABLE platform.audit_log RENAME TO audit_secret")
    found = problem(await fresh_api.get("/api/system/audit"), 500, "internal_error")
    assert "audit" not in json.dumps({k: v for k, v in found.items() if k != "instance"})
    assert "errors" not in found


async def test_without_postgres_the_answer_is_503(database: str) -> None:
    async with Api.open(database) as api:
        await api.get("/api/auth/session")
        await api.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                       "AND pid <> pg_backend_pid()")  # fmt: skip
        await api.deps.reads.close()
        answer = await api.get("/api/system/controls")
        problem(answer, 503, "database_unavailable")
        text = (await api.get("/metrics", None)).text
        assert "holdfast_books_readable 0.0" in text


async def test_problem_codes_are_explained(api: Api) -> None:
    listed = (await api.get("/api/problems", None)).json()["items"]
    assert {item["code"] for item in listed} == set(PROBLEMS)
    for code, entry in PROBLEMS.items():
        body = (await api.get(f"/api/problems/{code}", None)).json()
        assert body == {"code": code, "status": entry.status, "title": entry.title, "advice": entry.advice}
    problem(await api.get("/api/problems/none", None), 404, "not_found")


async def test_routes_need_a_key_unless_listed_as_open(api: Api) -> None:
    for route in api.app.routes:
        if not isinstance(route, HTTPRoute) or route.path_format in OPEN or route.path_format.startswith("/api/docs"):
            continue
        path = route.path_format
        if path.split("/")[2] in COPYTRADE:
            continue  # says where to ask
        for name in route.path_parameters:
            path = path.replace("{" + name + "}", "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f")
        for method in route.route_handler_map:
            if method == "OPTIONS" or "openapi" in path or "/.litestar" in path:
                continue
            problem(await api.call(method, path, None), 401, "unauthorized")


def _fits(example: Any, schema: dict[str, Any], schemas: dict[str, Any], where: str) -> None:
    """An example has every field the schema requires and none it does not know."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(example, list):
        for item in example:
            _fits(item, schema.get("items", {}), schemas, where)
    if not isinstance(example, dict) or "properties" not in schema:
        return
    assert set(schema.get("required", ())) <= set(example) <= set(schema["properties"]), where
    for name, value in example.items():
        _fits(value, schema["properties"][name], schemas, where)


async def test_the_document_is_complete(api: Api) -> None:
    document = (await api.get("/api/openapi.json", None)).json()
    assert document["openapi"].startswith("3.1")
    seen = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            assert operation["operationId"] not in seen, where
            seen.add(operation["operationId"])
            problems = [r for s, r in operation["responses"].items() if int(s) >= 400]
            assert problems, where
            for answer in problems:
                assert set(answer["content"]) == {"application/problem+json"}, where
                assert answer["content"]["application/problem+json"]["examples"], where
            body = operation.get("requestBody")
            if body is not None and "multipart/form-data" not in body["content"]:
                assert body["content"]["application/json"]["example"], where
            for status, answer in operation["responses"].items():
                shown = answer.get("content", {}).get("application/json")
                if int(status) < 300 and shown is not None:
                    _fits(shown["example"], shown["schema"], document["components"]["schemas"], where)
    assert document["components"]["schemas"]["NewWithdrawal"]["additionalProperties"] is False
    assert build(api.app) == document


async def test_docs_come_from_vendored_files(api: Api) -> None:
    page = (await api.get("/api/docs", None)).text
    assert "http://" not in page
    assert "https://" not in page
    assert "<script>" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js"):
        assert f"/api/docs/{name}" in page
        assert (await api.get(f"/api/docs/{name}", None)).status_code == 200
    problem(await api.get("/api/docs/vendor.json", None), 404, "not_found")
    for entry in json.loads((VENDOR / "vendor.json").read_text()):
        content = (VENDOR / entry["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["path"]
    assert (VENDOR / "swagger-ui" / "LICENSE").exists()


async def test_no_page_of_the_framework_is_left_open(api: Api) -> None:
    for path in ("/schema", "/schema/openapi.json", "/api/.litestar/swagger"):
        assert (await api.get(path, None)).status_code == 404


def test_splice_adds_fields_without_parsing() -> None:
    assert json.loads(splice('{"a" : 1}', b="é")) == {"a": 1, "b": "é"}
    assert json.loads(splice("{ }", b=None)) == {"b": None}


def test_depth_ignores_what_is_in_strings() -> None:
    assert not too_deep(b'{"a": "' + b"[" * 400 + b'\\""}')
    assert not too_deep(b"[[1], [2]]" * 400)
    assert too_deep(b"[" * 33)
    assert not too_deep(b"[" * 32)
    assert too_deep(b'"' + b'x\\"' + b'"' + b'{"a":' * 40)


def test_buckets_refill() -> None:
    buckets = Buckets(2, 1000.0)
    buckets.take("a")
    buckets.take("a")
    buckets.take("b")
    slow = Buckets(1, 0.5)
    slow.take("a")
    with pytest.raises(Rejected) as refused:
        slow.take("a")
    assert refused.value.data["retry_after_s"] == 2
