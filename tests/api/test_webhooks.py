"""Webhook subscriptions: who may hear what, where deliveries may not go, and starting over."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest

from api.events.webhooks import check_url
from domain.shared.errors import Rejected
from storage.events import new_id
from tests.api.lab import Api, problem

URL = "https://example.org/hooks"


async def test_a_webhook_is_created_listed_and_deleted(api: Api) -> None:
    account_id, key = await api.account()
    made = await api.post("/api/webhooks", {"url": URL, "topics": ["deposits", "deposits"]}, key)
    assert made.status_code == 201
    body = made.json()
    assert body["account_id"] == account_id
    assert body["topics"] == ["deposits"]
    assert len(base64.b64decode(body["secret"].removeprefix("whsec_"))) == 32
    listed = await api.get("/api/webhooks", key)
    assert [h["id"] for h in listed.json()["items"]] == [body["id"]]
    assert body["secret"] not in listed.text
    assert (await api.get(f"/api/webhooks/{body['id']}", key)).json()["url"] == URL
    _, stranger = await api.account()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries")):
        problem(await api.call(method, f"/api/webhooks/{body['id']}{path}", stranger), 404, "not_found")
    assert (await api.call("DELETE", f"/api/webhooks/{body['id']}", key)).status_code == 204
    problem(await api.call("DELETE", f"/api/webhooks/{body['id']}", key), 404, "not_found")
    assert (await api.get("/api/webhooks", key)).json()["items"] == []


async def test_it_starts_after_the_newest_event(api: Api) -> None:
    _, key = await api.account()
    body = (await api.post("/api/webhooks", {"url": URL, "topics": ["accounts"]}, key)).json()
    rows = await api.rows(
        """SELECT count(*)::int AS n FROM platform.outbox o, platform.webhooks h
           WHERE h.id = %s AND (o.xact, o.id) > (h.after_xact, h.after_id)""",
        body["id"],
    )
    assert rows == [{"n": 0}]
    await api.account()
    rows = await api.rows(
        """SELECT count(*)::int AS n FROM platform.outbox o, platform.webhooks h
           WHERE h.id = %s AND (o.xact, o.id) > (h.after_xact, h.after_id)""",
        body["id"],
    )
    assert rows[0]["n"] >= 1


async def test_deliveries_start_over_under_a_new_id(api: Api) -> None:
    _, key = await api.account()
    hook = (await api.post("/api/webhooks", {"url": URL, "topics": ["accounts"]}, key)).json()["id"]
    event = (await api.rows("SELECT max(id) AS id FROM platform.outbox"))[0]["id"]
    delivery = new_id()
    await api.rows(
        """INSERT INTO platform.webhook_deliveries (id, webhook_id, event_id, status, attempts, last_error)
           VALUES (%s, %s, %s, 'pending', 8, 'status 500')""",
        delivery, hook, event,
    )  # fmt: skip
    path = f"/api/webhooks/{hook}/deliveries"
    problem(await api.post(f"{path}/{delivery}/redeliver", None, key), 409, "conflict")
    await api.rows("UPDATE platform.webhook_deliveries SET dispatched_at = now() WHERE id = %s", delivery)
    problem(await api.post(f"{path}/{delivery}/redeliver", None, key), 503, "temporal_unavailable")
    await api.rows("UPDATE platform.webhook_deliveries SET status = 'failed' WHERE id = %s", delivery)
    failed = (await api.get(f"{path}?status=failed", key)).json()["items"]
    assert [(d["id"], d["attempts"], d["last_error"]) for d in failed] == [(delivery, 8, "status 500")]
    again = await api.post(f"{path}/{delivery}/redeliver", None, key, Idempotency_Key=delivery)
    assert again.status_code == 202
    assert (await api.get(again.headers["location"], key)).json() == again.json()
    repeated = await api.post(f"{path}/{delivery}/redeliver", None, key, Idempotency_Key=delivery)
    assert repeated.json() == again.json()
    assert repeated.headers["idempotency-hit"] == "true"
    assert again.json()["status"] == "pending"
    assert again.json()["id"] != delivery
    rows = await api.rows("SELECT id, dispatched_at FROM platform.webhook_deliveries WHERE webhook_id = %s", hook)
    assert rows == [{"id": again.json()["id"], "dispatched_at": None}]
    problem(await api.post(f"{path}/{uuid4()}/redeliver", None, key), 404, "not_found")
    problem(await api.get(f"{path}/{delivery}", key), 404, "not_found")
    _, stranger = await api.account()
    problem(await api.get(again.headers["location"], stranger), 404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": URL},
        {"url": URL, "topics": []},
        {"url": URL, "topics": ["everything"]},
        {"url": "ftp://example.org/x", "topics": ["deposits"]},
        {"url": "https://", "topics": ["deposits"]},
        {"url": "https://user:pass@example.org/", "topics": ["deposits"]},
        {"url": "https://example.org:99999/", "topics": ["deposits"]},
        {"url": "https://[::1", "topics": ["deposits"]},
        {"url": "https://exa mple.org/", "topics": ["deposits"]},
        {"url": "javascript:alert(1)", "topics": ["deposits"]},
        {"url": "https://example.org/\u0000", "topics": ["deposits"]},
    ],
)
async def test_bad_subscriptions(api: Api, body: dict[str, object]) -> None:
    problem(await api.post("/api/webhooks", body), 400, "validation_failed")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://10.0.0.8/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://postgres/",
        "https://db.internal/",
        "https://printer.local/",
        "https://224.0.0.1/",
    ],
)
def test_production_calls_only_public_https(url: str) -> None:
    with pytest.raises(Rejected):
        check_url(url, local=False)


def test_public_addresses_are_allowed() -> None:
    check_url("https://example.org/hooks?x=1", local=False)
    check_url("https://93.184.216.34:8443/", local=False)
    check_url("http://127.0.0.1:9/", local=True)
