"""JSON-RPC over httpx: one node, with retries that end soon, batches, and a limit on calls a second.

A failure here lasts a few seconds at most and then becomes `Unavailable`: the long waiting is Temporal's. The URL is a
secret (providers put keys into it): it is in no message and no repr; `source`, the host, stands for it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx

from domain.shared.errors import Unavailable
from gateways.evm.envelopes import (
    Answer,
    Call,
    NodeError,
    NotJson,
    OddEnvelope,
    WholeBatchRefused,
    decode,
    encode,
    load,
)
from gateways.limits import Clock, Sleep, TokenBucket, retry_after_s
from gateways.protocols import Quarantined

logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it writes whole URLs, with the provider's key in them

BODY_MAX: Final = 64 * 2**20
"""Bytes read of one answer; ten thousand logs take about five million."""

PAYLOAD_MAX: Final = 64 * 2**10
"""Characters of an odd answer that go into quarantine."""

_BACKOFF_FIRST_S: Final = 0.05
_BACKOFF_MAX_S: Final = 1.0
_SMALLER_S: Final = 60.0
"""How long batches stay smaller after a node refused one whole."""


class RpcClient(ABC):
    """What the chain gateway needs of a node, or of several."""

    source: str

    @abstractmethod
    async def answers(self, calls: Sequence[Call]) -> list[Answer]:
        """Results in the order of the calls; a node's error stands in its place as a NodeError.

        Raises: Unavailable chain_unavailable, Quarantined.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Results in the order of the calls.

        Raises: NodeError (the first), Unavailable chain_unavailable, Quarantined.
        """
        results = await self.answers(calls)
        for result in results:
            if isinstance(result, NodeError):
                raise result
        return results

    async def call(self, method: str, *params: Any) -> Any:
        """One call. Raises as `batch` does."""
        return (await self.batch([Call(method, params)]))[0]


class _TryAgain(Exception):
    """This attempt failed in a way that passes."""

    def __init__(self, detail: str, *, after_s: float = 0.0, timeout: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.after_s, self.timeout = detail, after_s, timeout


class JsonRpc(RpcClient):
    """One node.

    Args:  timeout_s  for one attempt.   budget_s  for all attempts and waits together.   attempts  at most.
           calls_per_s  a batch of ten counts ten; 0: no limit.   max_batch  calls per request; halved for a minute
           when the node refuses a batch as a whole, down to single calls.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 4.0,
        budget_s: float = 6.0,
        attempts: int = 4,
        max_batch: int = 500,
        calls_per_s: float = 0,
        client: httpx.AsyncClient | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._url = httpx.URL(url)
        self.source = self._url.host
        self._timeout_s, self._budget_s, self._attempts = timeout_s, budget_s, attempts
        self._max_batch = self._smaller = max_batch
        self._smaller_until = -math.inf
        self._clock, self._sleep, self._uniform = clock, sleep, uniform
        burst = max(1, math.ceil(calls_per_s))
        self._limit = TokenBucket(calls_per_s or 1e9, burst if calls_per_s else 10**9, clock=clock, sleep=sleep)
        self._client = client or httpx.AsyncClient(
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=8), trust_env=False
        )
        self._ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"JsonRpc({self.source})"

    async def aclose(self) -> None:
        await self._client.aclose()

    async def answers(self, calls: Sequence[Call]) -> list[Answer]:
        results: list[Answer] = []
        while len(results) < len(calls):
            size = self._smaller if self._clock() < self._smaller_until else self._max_batch
            part = calls[len(results) : len(results) + size]
            try:
                results += await self._exchange(part)
            except WholeBatchRefused:
                # Not a guess at the message: half the size is tried until single calls say what is wrong.
                self._smaller = max(1, len(part) // 2)
                self._smaller_until = self._clock() + _SMALLER_S
        return results

    async def _exchange(self, calls: Sequence[Call]) -> list[Answer]:
        """Attempts until an answer, the last attempt, or the end of the budget."""
        deadline = self._clock() + self._budget_s
        for attempt in itertools.count(1):
            try:
                return await self._attempt(calls, deadline)
            except _TryAgain as failure:
                pause = self._pause_s(attempt, failure.after_s)
                if attempt >= self._attempts or self._clock() + pause >= deadline:
                    raise self._unavailable(calls, failure, attempt) from failure
                await self._sleep(pause)
            except OddEnvelope as odd:
                raise Quarantined(self.source, "envelope", odd.reason, _bounded(odd.raw)) from odd
        raise AssertionError("unreachable")

    def _pause_s(self, attempt: int, after_s: float) -> float:
        """Doubling from 50 ms to 1 s with full jitter; never less than what Retry-After asks."""
        ceiling = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2.0 ** (attempt - 1))
        return max(after_s, self._uniform(ceiling / 2, ceiling))

    def _unavailable(self, calls: Sequence[Call], failure: _TryAgain, attempts: int) -> Unavailable:
        return Unavailable(
            "chain_unavailable",
            f"{self.source} {calls[0].method}: {failure.detail}",
            retry_after_s=max(1, math.ceil(failure.after_s)),
            attempts=attempts,
            timeout=failure.timeout,
        )

    async def _attempt(self, calls: Sequence[Call], deadline: float) -> list[Answer]:
        left = deadline - self._clock()
        if not await self._limit.take(len(calls), at_most_s=left):
            wait = self._limit.wait_s(len(calls))
            raise _TryAgain("our own limit of calls a second for this node is used up", after_s=wait)
        first_id = next(self._ids)
        for _ in calls[1:]:
            next(self._ids)
        status, headers, body = await self._post(encode(calls, first_id), max(0.05, deadline - self._clock()))
        self._check_status(status, headers, body)
        try:
            results = decode(load(body), calls, first_id)
        except NotJson as failure:
            raise _TryAgain(f"HTTP {status}, {failure}, {len(body)} bytes") from failure
        except WholeBatchRefused as refused:
            if refused.error.throttled:
                raise self._throttled(refused.error) from refused
            raise
        for result in results:
            if isinstance(result, NodeError) and result.throttled:
                raise self._throttled(result)
        return results

    def _throttled(self, error: NodeError) -> _TryAgain:
        return _TryAgain(f"throttled: {error.message}")

    async def _post(self, content: bytes, left_s: float) -> tuple[int, httpx.Headers, bytes]:
        timeout = min(self._timeout_s, left_s)
        try:
            async with asyncio.timeout(timeout):
                headers = {"content-type": "application/json"}
                async with self._client.stream(
                    "POST", self._url, content=content, headers=headers, timeout=timeout
                ) as response:
                    body = bytearray()
                    async for chunk in response.aiter_bytes():
                        body += chunk
                        if len(body) > BODY_MAX:
                            raise Unavailable("chain_unavailable", f"{self.source} sent more than {BODY_MAX} bytes")
                    return response.status_code, response.headers, bytes(body)
        except (TimeoutError, httpx.TimeoutException) as failure:
            raise _TryAgain(f"no answer within {timeout:.1f} s", timeout=True) from failure
        except httpx.RequestError as failure:
            raise _TryAgain(f"connection failed: {type(failure).__name__}") from failure

    def _check_status(self, status: int, headers: httpx.Headers, body: bytes) -> None:
        """429 and 5xx pass; other refusals count as answers only when the body is JSON-RPC."""
        if status == 429 or status >= 500:
            after = retry_after_s(headers)
            if after:
                self._limit.pause(after)
            raise _TryAgain(f"HTTP {status}", after_s=after)
        if status >= 300 and not body.lstrip().startswith((b"{", b"[")):
            raise Unavailable("chain_unavailable", f"{self.source} refuses with HTTP {status}", status=status)


def _bounded(raw: Any) -> Any:
    """An odd answer in a size fit for a table row: itself, or the start of its text."""
    text = repr(raw)
    return raw if len(text) <= PAYLOAD_MAX else text[:PAYLOAD_MAX]
