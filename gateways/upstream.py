"""HTTP to a paid upstream: one request per call, bounded in time and size, keys never in a message.

Retrying is the workflow's. What passes (no answer, 429, 5xx) is Unavailable, what does not (another 4xx: key, quota,
malformed) Rejected `upstream_refused`, and an answer of unknown shape Quarantined.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import httpx
from pydantic_core import from_json

from domain.shared.errors import Rejected, Unavailable
from gateways.circuit import Circuit
from gateways.evm.envelopes import printable
from gateways.limits import TokenBucket, retry_after_s
from gateways.protocols import Quarantined

logging.getLogger("httpx").setLevel(logging.WARNING)

BODY_MAX: Final = 1 << 20
PAYLOAD_MAX: Final = 8_192
WAIT_MAX_S: Final = 60


class Answer(NamedTuple):
    status: int
    body: bytes


class Upstream:
    """One service at one address.

    Args:  code  of its Unavailable.   timeout_s  for connecting and answering together.   calls_per_s  our own limit.
           body_most  of an answer, in bytes.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        code: str,
        headers: dict[str, str],
        timeout_s: float,
        calls_per_s: float = 5.0,
        body_most: int = BODY_MAX,
        circuit: Circuit | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name, self._url, self._code, self._timeout_s = name, httpx.URL(url), code, timeout_s
        self._body_most = body_most
        self.host = self._url.host
        self._circuit = circuit or Circuit(code, f"{name} at {self.host}")
        self._limit = TokenBucket(calls_per_s, max(1, math.ceil(calls_per_s)))
        self._client = httpx.AsyncClient(
            headers={"user-agent": f"holdfast/{version('holdfast')}", "accept": "application/json", **headers},
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=2),
        )

    def __repr__(self) -> str:
        return f"Upstream({self.name} at {self.host})"

    async def aclose(self) -> None:
        await self._client.aclose()

    async def post(self, content: dict[str, Any]) -> Any:
        """POST a JSON body and parse the answer's.

        Raises: Unavailable with this upstream's code, Rejected upstream_refused, Quarantined.
        """
        return self.parsed(await self.call("POST", json=content))

    async def call(self, method: str, path: str = "", *, understood: Collection[int] = (), **asked: Any) -> Answer:
        """One request to the address and `path`; `asked` is httpx's: json, params, files.

        Args:   understood  statuses whose meaning the caller knows, beside success.
        Raises: Unavailable with this upstream's code, Rejected upstream_refused.
        """
        async with self._circuit.guard():
            if not await self._limit.take(at_most_s=self._timeout_s):
                raise self.away("our own limit of calls a second is used up")
            status, headers, body = await self._exchange(method, path, asked)
            if status not in understood:
                self._check(status, headers, body)
        return Answer(status, body)

    def parsed(self, answer: Answer) -> Any:
        """The JSON of an answer. Raises: Quarantined."""
        try:
            return from_json(answer.body, allow_inf_nan=False)
        except ValueError as failure:
            raise self.odd("body", "not JSON", answer.body.decode("utf-8", "replace")) from failure

    def odd(self, kind: str, reason: str, payload: Any) -> Quarantined:
        """An answer we do not understand, for the quarantine table."""
        text = repr(payload)
        return Quarantined(self.name, kind, reason, payload if len(text) <= PAYLOAD_MAX else text[:PAYLOAD_MAX])

    async def _exchange(self, method: str, path: str, asked: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(method, f"{self._url}{path}", **asked) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self._body_most:
                        raise self.away(f"sent more than {self._body_most} bytes")
                return response.status_code, response.headers, bytes(body)
        except (TimeoutError, httpx.TimeoutException) as failure:
            raise self.away(f"no answer within {self._timeout_s:g} s", timeout=True) from failure
        except (httpx.RequestError, httpx.InvalidURL) as failure:
            raise self.away(f"connection failed: {type(failure).__name__}") from failure

    def _check(self, status: int, headers: httpx.Headers, body: bytes) -> None:
        if 200 <= status < 300:
            return
        said = printable(body[:300].decode("utf-8", "replace"), 200)
        if status in (408, 425, 429) or status >= 500:
            after = retry_after_s(headers) or _estimated_s(body)
            if after:
                self._limit.pause(after)
            raise self.away(f"HTTP {status}: {said}", retry_after_s=max(1, math.ceil(after)), status=status)
        raise Rejected("upstream_refused", f"{self.name} at {self.host} refuses: HTTP {status}: {said}", status=status)

    def away(self, detail: str, *, retry_after_s: int = 1, **data: object) -> Unavailable:
        """It cannot answer now, or not sensibly."""
        return Unavailable(self._code, f"{self.name} at {self.host}: {detail}", retry_after_s=retry_after_s, **data)


def _estimated_s(body: bytes) -> float:
    """How long a model still loads (Hugging Face: 503 with `estimated_time`)."""
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError:
        return 0.0
    seconds = found.get("estimated_time") if isinstance(found, dict) else None
    return min(float(seconds), WAIT_MAX_S) if isinstance(seconds, int | float) and seconds > 0 else 0.0
