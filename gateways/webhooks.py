"""Outgoing webhooks after the Standard Webhooks specification: signed, sent once per call, never into our own network.

Headers: `webhook-id` (the same on every retry: the receiver's idempotency key), `webhook-timestamp` (unix seconds),
`webhook-signature` (`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; one per secret while secrets rotate).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx

from domain.shared.errors import Broken, Unavailable
from gateways.evm.envelopes import printable
from gateways.limits import retry_after_s

RESPONSE_MAX: Final = 1024
"""Bytes read of a receiver's answer; only its status counts, the rest is for people."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) to IP addresses."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def new_secret() -> str:
    """A fresh signing secret: `whsec_` and base64 of 32 random bytes."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>` over `id.timestamp.body`.

    Raises: ValueError, without the value, when the secret is not `whsec_` and base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith("whsec_") or not key:
        raise ValueError("not a whsec_ secret")
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def is_public(address: str) -> bool:
    """May we connect there? Not to loopback, private, link-local, multicast or reserved addresses, in any disguise:
    IPv4 inside IPv6 (mapped, 6to4, Teredo, NAT64) is judged by the inner address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """All addresses of a host by the system's resolver, without duplicates. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class WebhookSender:
    """Delivers one message per call. Retrying is the workflow's.

    Args:  allow_private  also plain http and private addresses: the local stack and tests only.
           timeout_s      for resolving, connecting and answering together.
           verify         TLS trust; None: the certificates certifi ships.   transport  instead of sockets, for tests.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.time,
        resolve: Resolve = resolve_host,
        verify: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allow_private, self._timeout_s, self._clock, self._resolve = allow_private, timeout_s, clock, resolve
        # No connection is kept: the pool knows it by its IP alone, and the next host on that IP would get a connection
        # whose certificate was checked for this one.
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            transport=transport or httpx.AsyncHTTPTransport(verify=verify or True, limits=limits, trust_env=False),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def send(self, *, url: str, message_id: str, body: bytes, secrets: Sequence[str]) -> int:
        """POST a JSON body.

        Args:    message_id  the same for every attempt of one delivery.   secrets  newest first, at least one.
        Returns: the receiver's 2xx status.
        Raises:  Unavailable webhook_failing for everything else, `status` in data when there was one;
                 Broken internal_error when a secret of ours cannot be read.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                request = await self._request(httpx.URL(url), message_id, body, secrets)
                return await self._deliver(request)
        except TimeoutError as failure:
            raise _failing(f"no answer within {self._timeout_s:g} s") from failure
        except (httpx.RequestError, httpx.InvalidURL) as failure:
            raise _failing(f"{type(failure).__name__}: {printable(str(failure), 200)}") from failure

    async def _request(self, url: httpx.URL, message_id: str, body: bytes, secrets: Sequence[str]) -> httpx.Request:
        """The request to the very address that was checked; Host and the certificate's name stay the URL's."""
        address = await self._address(url)
        timestamp = int(self._clock())
        try:
            signatures = " ".join(signature(secret, message_id, timestamp, body) for secret in secrets)
        except ValueError as failure:
            raise Broken("internal_error", f"webhook secret: {failure}") from failure
        if not signatures:
            raise Broken("internal_error", "a webhook without a secret")
        headers = {
            "host": url.netloc.decode(),
            "connection": "close",
            "content-type": "application/json",
            "user-agent": "holdfast-webhooks",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures,
        }
        return self._client.build_request(
            "POST", url.copy_with(host=address), content=body, headers=headers, extensions={"sni_hostname": url.host}
        )

    async def _address(self, url: httpx.URL) -> str:
        """Resolve and check. One private address among several refuses the host: it is a rebinding trick or an error.

        Raises: Unavailable webhook_failing.
        """
        allowed = ("https", "http") if self._allow_private else ("https",)
        if url.scheme not in allowed or not url.host or url.userinfo:
            raise _failing(f"the URL must be {' or '.join(allowed)}, with a host and without credentials")
        try:
            found = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        except OSError as failure:
            raise _failing(f"the host {printable(url.host, 100)} does not resolve") from failure
        if not found:
            raise _failing(f"the host {printable(url.host, 100)} has no address")
        if not self._allow_private and not all(is_public(address) for address in found):
            raise _failing("the host resolves to an address that is not public", reason="address_refused")
        return found[0]

    async def _deliver(self, request: httpx.Request) -> int:
        response = await self._client.send(request, stream=True)
        try:
            said = await _first_bytes(response)
        finally:
            await response.aclose()
        if response.is_success:
            return response.status_code
        raise _failing(
            f"HTTP {response.status_code}: {printable(said.decode('utf-8', 'replace'), 200)}",
            retry_after_s=max(1, int(retry_after_s(response.headers))),
            status=response.status_code,
        )


async def _first_bytes(response: httpx.Response) -> bytes:
    """At most a kilobyte of the raw body; a receiver cannot make us read or unpack more."""
    said = b""
    async for chunk in response.aiter_raw(RESPONSE_MAX):
        said += chunk
        if len(said) >= RESPONSE_MAX:
            break
    return said[:RESPONSE_MAX]


def _failing(detail: str, *, retry_after_s: int = 1, **data: object) -> Unavailable:
    return Unavailable("webhook_failing", detail, retry_after_s=retry_after_s, **data)
