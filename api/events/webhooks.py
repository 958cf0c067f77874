"""Webhook subscriptions (Standard Webhooks). Delivery itself is a process of its own, in the workers."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import BaseModel, Field, StringConstraints

from api.deps import Deps
from api.http import bodies, paging
from api.http.asked import own_or_asked
from api.http.documented import guarded
from api.http.idempotency import intend, json_answer
from api.http.inputs import Input
from api.http.scopes import Principal
from domain.shared import ids
from domain.shared.errors import Rejected
from storage.database import Connection, transaction
from storage.intents import webhooks as intents
from storage.intents.idempotency import Stored
from storage.reads import webhooks as reads
from storage.reads.base import Row

TAG: Final = "Webhooks"
Topic = Literal[
    "accounts",
    "deposits",
    "withdrawals",
    "custody",
    "assets",
    "trades",
    "prices",
    "oracle",
    "liquidity",
    "operations",
    "system",
]
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
WEBHOOK: Final = {
    "id": _ID,
    "account_id": _ID,
    "url": "https://example.org/hooks",
    "topics": ["deposits"],
    "created_at": "2026-11-21T04:00:00.000000Z",
}
DELIVERY: Final = {
    "id": _ID,
    "webhook_id": _ID,
    "event_id": "17",
    "event_type": "deposit_credited",
    "topic": "deposits",
    "status": "delivered",
    "attempts": 1,
    "last_error": "",
    "delivered_at": "2026-11-21T04:00:01.000000Z",
    "created_at": "2026-11-21T04:00:00.000000Z",
}
_PRIVATE_NAMES: Final = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")


_URL: Final = (
    r"^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
    r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
    r"([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?$"
)
"""A host name or IPv4 address, no user name, no fragment; what RFC 3986 wants encoded must be encoded."""
Url = Annotated[str, StringConstraints(max_length=500, pattern=_URL)]


class NewWebhook(Input):
    url: Url
    topics: Annotated[list[Topic], Field(min_length=1, max_length=len(get_args(Topic)))]


class WebhookView(BaseModel):
    id: str
    account_id: str
    url: str
    topics: list[Topic]
    created_at: datetime


class NewWebhookView(BaseModel):
    """`secret` signs deliveries; shown here once."""

    id: str
    account_id: str
    url: str
    topics: list[Topic]
    secret: str


class WebhookPage(BaseModel):
    items: list[WebhookView]
    next_cursor: str | None


class DeliveryView(BaseModel):
    id: str
    webhook_id: str
    event_id: str
    event_type: str | None
    topic: str | None
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    last_error: str
    delivered_at: datetime | None
    created_at: datetime


class DeliveryPage(BaseModel):
    items: list[DeliveryView]
    next_cursor: str | None


def check_url(url: str, *, local: bool) -> None:
    """In production refuse what is not https to a public host: workers call this address from inside.

    A name can resolve to a private address later; the sender checks the address it connects to as well.

    Raises: Rejected validation_failed.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if local:
        return
    if parts.scheme != "https":
        raise Rejected("validation_failed", "only https is called", pointer="/url")
    if not _is_public(host):
        raise Rejected("validation_failed", "only public hosts are called", pointer="/url")


def _is_public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        looks_numeric = host.replace(".", "").removeprefix("0x").isalnum() and host[0].isdigit() and "." not in host
        names_number = all(part.isdigit() or part.startswith("0x") for part in host.split("."))
        return "." in host and not host.endswith(_PRIVATE_NAMES) and not looks_numeric and not names_number
    return address.is_global and not address.is_multicast


async def _owned(deps: Deps, principal: Principal, webhook_id: UUID) -> Row:
    row = await reads.webhook(deps.reads, str(webhook_id))
    if row is None or not principal.sees(row["owner"]):
        raise Rejected("not_found", "no such webhook, or not yours")
    return row


@post("/api/webhooks",
      **guarded("Create a webhook", tag=TAG, scopes=("webhooks:write",), body=True,
                request_example={"url": "https://example.org/hooks", "topics": ["deposits"]},
                response_example={"id": _ID, "account_id": _ID, "url": "https://example.org/hooks",
                                  "topics": ["deposits"], "secret": "whsec_…"}))  # fmt: skip
async def create(deps: Deps, principal: Principal, data: JSONBody[NewWebhook]) -> Response[NewWebhookView]:
    """Events from now on are sent as signed POSTs (Standard Webhooks headers). The secret is shown once, hence no
    Idempotency-Key. A trader's webhook hears its own account's events and market data (`assets`, `prices`, `oracle`),
    an operator's hears all.
    """
    check_url(data.url, local=deps.config.profile == "local")
    topics: list[str] = list(dict.fromkeys(data.topics))
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    async with transaction(deps.writes) as connection:
        webhook_id = await intents.add_webhook(
            connection,
            account_id=principal.account_id,
            url=data.url,
            topics=topics,
            secret=secret,
            principal=principal.account_id,
        )
    answer = {
        "id": webhook_id,
        "account_id": principal.account_id,
        "url": data.url,
        "topics": topics,
        "secret": secret,
    }
    return bodies.encoded(answer, 201, {"Location": f"/api/webhooks/{webhook_id}"})


@get("/api/webhooks",
     **guarded("List webhooks", "invalid_cursor", tag=TAG, scopes=("exchange:read",),
               response_example={"items": [WEBHOOK], "next_cursor": None}))  # fmt: skip
async def list_webhooks(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[WebhookPage]:
    """Subscriptions that are not deleted."""
    owner = own_or_asked(principal, None)
    found = await reads.webhooks(deps.reads, account_id=owner, limit=limit, after=paging.after(request, cursor))
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key)


@get("/api/webhooks/{webhook_id:uuid}",
     **guarded("Read a webhook", tag=TAG, scopes=("exchange:read",), response_example=WEBHOOK))  # fmt: skip
async def read(deps: Deps, principal: Principal, webhook_id: FromPath[UUID]) -> Response[WebhookView]:
    """Without its secret."""
    return bodies.json_response((await _owned(deps, principal, webhook_id))["body"])


@delete("/api/webhooks/{webhook_id:uuid}", **guarded("Delete a webhook", tag=TAG, scopes=("webhooks:write",)))
async def remove(deps: Deps, principal: Principal, webhook_id: FromPath[UUID]) -> None:
    """Nothing more is sent; deliveries under way may still arrive."""
    await _owned(deps, principal, webhook_id)
    async with transaction(deps.writes) as connection:
        await intents.delete_webhook(connection, webhook_id=str(webhook_id), principal=principal.account_id)


@get("/api/webhooks/{webhook_id:uuid}/deliveries",
     **guarded("List deliveries", "invalid_cursor", tag=TAG, scopes=("exchange:read",),
               response_example={"items": [DELIVERY], "next_cursor": None}))  # fmt: skip
async def list_deliveries(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    webhook_id: FromPath[UUID],
    status: Annotated[Literal["pending", "delivered", "failed"] | None, QueryParameter(required=False)] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[DeliveryPage]:
    """What was sent, what failed and why, newest first."""
    await _owned(deps, principal, webhook_id)
    after = paging.after(request, cursor)
    found = await reads.deliveries(deps.reads, str(webhook_id), status=status, limit=limit, after=after)
    return paging.answer(request, [r["body"] for r in found.rows], found.next_key)


async def _delivery(deps: Deps, principal: Principal, webhook_id: UUID, delivery_id: UUID) -> Row:
    await _owned(deps, principal, webhook_id)
    row = await reads.delivery(deps.reads, str(delivery_id))
    if row is None or row["webhook_id"] != str(webhook_id):
        raise Rejected("not_found", "no such delivery")
    return row


@get("/api/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}",
     **guarded("Read a delivery", tag=TAG, scopes=("exchange:read",), response_example=DELIVERY))  # fmt: skip
async def read_delivery(
    deps: Deps, principal: Principal, webhook_id: FromPath[UUID], delivery_id: FromPath[UUID]
) -> Response[DeliveryView]:
    """Whether it arrived, or what the receiver answered last."""
    return bodies.json_response((await _delivery(deps, principal, webhook_id, delivery_id))["body"])


async def _abandoned(deps: Deps, delivery_id: UUID) -> bool:
    """Was its process started, and ended without noting an end? Then nobody is at it, whatever the row says.

    Raises: Unavailable temporal_unavailable.
    """
    row = await reads.delivery(deps.reads, str(delivery_id))
    if row is None or row["status"] != "pending" or not row["dispatched"]:
        return False
    return await deps.processes.state(ids.webhook_delivery(str(delivery_id))) not in ("running", "paused")


@post("/api/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/redeliver", status_code=202,
      **guarded("Deliver again", "conflict", "temporal_unavailable", tag=TAG, scopes=("webhooks:write",), keyed=True,
                response_example=DELIVERY | {"status": "pending"}))  # fmt: skip
async def redeliver(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    webhook_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
) -> Response[DeliveryView]:
    """A delivery that ended, or whose process was taken out, is tried afresh under a new id; 409 while it is still
    under way.
    """
    abandoned = await _abandoned(deps, delivery_id)

    async def work(connection: Connection) -> Stored:
        await _delivery(deps, principal, webhook_id, delivery_id)
        fresh = await intents.redeliver(
            connection,
            webhook_id=str(webhook_id),
            delivery_id=str(delivery_id),
            principal=principal.account_id,
            abandoned=abandoned,
        )
        listing = reads.DELIVERIES
        cursor = await connection.execute(
            f"SELECT ({listing.body})::text AS body FROM {listing.source} WHERE {listing.key} = %s", [fresh]
        )
        again = await cursor.fetchone()
        assert again is not None
        return json_answer(202, again["body"], location=f"/api/webhooks/{webhook_id}/deliveries/{fresh}")

    return await intend(request, deps, principal, work)
