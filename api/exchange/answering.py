"""An intent's answer: 202 with the resource as accepted, or 200 with the decided one for who waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response

from api.deps import Deps
from api.events.hub import Hub
from api.http import waiting
from api.http.idempotency import claim_of, json_answer, replace_answer, respond
from api.http.scopes import Principal
from storage.database import Connection
from storage.intents.idempotency import Stored
from storage.reads.base import Listing, Row

Read = Callable[[], Awaitable[Row | None]]


async def accepted(connection: Connection, listing: Listing, item_id: str, location: str) -> Stored:
    """202 with the row as this transaction wrote it."""
    cursor = await connection.execute(
        f"SELECT ({listing.body})::text AS body FROM {listing.source} WHERE {listing.key} = %s", [item_id]
    )
    row = await cursor.fetchone()
    assert row is not None
    return json_answer(202, row["body"], location=location)


async def decided(
    request: Request[Any, Any, Any],
    deps: Deps,
    hub: Hub,
    principal: Principal,
    response: Response[Any],
    location: str,
    read: Read,
) -> Response[Any]:
    """With `Prefer: wait`, the resource as soon as it is not `requested` any more; else the answer as it was."""
    seconds = waiting.asked(request)
    if not seconds:
        return response

    async def look() -> tuple[str, bool]:
        row = await read()
        assert row is not None
        return row["body"], row["status"] != "requested"

    body = await waiting.until_finished(hub, seconds, look)
    if body is None:
        return response
    answer = json_answer(200, body, location=location, preference_applied="wait")
    claim = await claim_of(request, principal, required=True)
    if claim is not None:
        await replace_answer(deps, claim, answer)
    return respond(answer)
