"""nginx: what it proxies, hides and limits."""

from __future__ import annotations

import json
import re

from tests.deployment import (
    ROOT,
)


def nginx_blocks() -> dict[str, str]:
    """The innermost text of each `location` of the TLS server, by its head."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    return {
        found[1].strip(): found[2] for found in re.finditer(r"location ([^{]+)\{([^{}]*(?:'\{[^']*\}'[^{}]*)*)\}", text)
    }


def test_nginx_redirects_proxies_and_hides() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()
    assert text.count("{") == text.count("}")
    assert "return 308 https://$host$request_uri;" in text
    assert "server api:8000 resolve;" in text
    assert "zone api" in text
    assert set(re.findall(r"proxy_pass (\S+);", text)) == {"http://api"}, "nothing but the API is behind nginx"
    assert "X-Forwarded-For $remote_addr;" in text
    assert "$proxy_add_x_forwarded_for" not in text
    for header in ("Host $host", "X-Real-IP $remote_addr", "X-Forwarded-Proto $scheme"):
        assert f"proxy_set_header {header};" in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    blocks = nginx_blocks()
    assert "return 404;" in blocks["^~ /metrics"]
    events = blocks["^~ /api/events"]
    assert "proxy_buffering off;" in events
    assert "proxy_read_timeout 1h;" in events
    socket = blocks["= /api/sync"]
    assert "limit_conn streams 20;" in socket
    assert "proxy_read_timeout 1h;" in socket
    assert "proxy_set_header Upgrade $http_upgrade;" in text
    # proxy_set_header in a location would drop all those above: none may appear there.
    assert not any("proxy_set_header" in block for block in blocks.values())


def test_nginx_limits_login_in_every_spelling() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()
    assert re.search(r"limit_req_zone \$login_key zone=login:\d+m rate=10r/m;", text)
    head, block = next((head, block) for head, block in nginx_blocks().items() if "zone=login" in block)
    pattern = head.removeprefix("~ ")
    for path in ("/api/auth/login", "/api/auth/login/", "/login"):
        assert re.search(pattern, path), path
    assert not re.search(pattern, "/api/auth/logins-report")
    assert "nodelay" in block
    assert "limit_req_status 429;" in text


def test_nginx_own_errors_are_problems() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()
    bodies = [json.loads(body) for body in re.findall(r"return \d+ '(\{.*\})';", text)]
    assert {body["code"] for body in bodies} == {"rate_limited", "unavailable"}
    for body in bodies:
        assert {"type", "title", "status", "detail", "code", "instance", "trace_id"} <= set(body)
