"""A client of the HTTP API that keeps its nerve: one idempotency key a request, asked again until it is answered."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self, TypeVar

import httpx

from domain.shared.errors import Broken

PATIENCE_S: Final = 45.0
WAIT_S: Final = 10
"""What is asked for with Prefer: wait."""
_PAUSE_S: Final = 0.2

Resource = dict[str, Any]
Found = TypeVar("Found")


class Client:
    """Speaks as the administrator, or as another account with a key of its own."""

    def __init__(self, api_url: str, api_key: str) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = httpx.AsyncClient(base_url=api_url, headers=headers, timeout=20)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Resource:
        return await self._ok("GET", path, None, 0)

    async def post(self, path: str, body: Any = None, *, wait: int = 0) -> Resource:
        """Raises: Broken with the problem's code when it is refused."""
        return await self._ok("POST", path, body, wait)

    async def upload(self, path: str, name: str, content: bytes, content_type: str) -> Resource:
        """A file, as the field `file` of a form."""
        answer = await self._http.post(path, files={"file": (name, content, content_type)})
        found: Resource = answer.json()
        if answer.status_code >= 400:
            raise Broken(str(found.get("code", "internal_error")), f"POST {path}: {found.get('detail')}")
        return found

    async def refused(self, path: str, body: Any) -> Resource:
        """The problem that answers a request which must be refused."""
        status, found = await self._ask("POST", path, body, 0)
        assert status == 409, f"POST {path} was answered with {status}: {found}"
        return found

    async def _ok(self, method: str, path: str, body: Any, wait: int) -> Resource:
        status, found = await self._ask(method, path, body, wait)
        if status >= 400:
            raise Broken(str(found.get("code", "internal_error")), f"{method} {path}: {found.get('detail')}")
        return found

    async def _ask(self, method: str, path: str, body: Any, wait: int) -> tuple[int, Resource]:
        """A cut connection, a 503 or a first request still in flight says nothing about the outcome: the same again."""
        headers = {"Idempotency-Key": uuid.uuid4().hex} | ({"Prefer": f"wait={wait}"} if wait else {})
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = await self._http.request(method, path, json=body, headers=headers)
                found: Resource = answer.json()
                if answer.status_code != 503 and found.get("code") != "idempotency_in_flight":
                    return answer.status_code, found
            except httpx.TransportError as error:
                found = {"detail": repr(error)}
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path}: no answer in {PATIENCE_S:.0f} s: {found.get('detail')}")
            await asyncio.sleep(_PAUSE_S)


async def until(look: Callable[[], Awaitable[Found | None]], what: str) -> Found:
    """Ask until there is an answer. Raises: TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := await look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s for {what}")
        await asyncio.sleep(_PAUSE_S)
    return found
