"""Standard Webhooks: the specification's own vector, rotation, and where we refuse to connect."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from domain.shared.errors import Broken, Unavailable
from gateways.webhooks import RESPONSE_MAX, WebhookSender, is_public, new_secret, signature

SPEC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of the specification
SPEC_BODY = b'{"test": 2432232314}'
SPEC_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
URL = "https://hooks.example:8443/in?x=1"


def sender(handler: Any, addresses: Sequence[str] = ("93.184.215.14",), **options: Any) -> WebhookSender:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    async def unread(request: httpx.Request) -> httpx.Response:
        """Answers built in memory count as read; a real transport's do not."""
        made = handler(request)
        made = await made if asyncio.iscoroutine(made) else made
        stream = made.stream if made.headers.get("x-stream") else httpx.ByteStream(made.content)
        return httpx.Response(made.status_code, headers=made.headers, stream=stream)

    return WebhookSender(transport=httpx.MockTransport(unread), resolve=resolve, clock=lambda: 1614265330.7, **options)


async def send(one: WebhookSender, url: str = URL, secrets: Sequence[str] = (SPEC_SECRET,)) -> int:
    return await one.send(url=url, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", body=SPEC_BODY, secrets=secrets)


def answer(status: int = 200, **options: Any) -> Any:
    return lambda _request: httpx.Response(status, **options)


def test_the_signature_of_the_specification() -> None:
    assert signature(SPEC_SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, SPEC_BODY) == SPEC_SIGNATURE


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_abc"])
def test_secrets_that_cannot_be_read(secret: str) -> None:
    with pytest.raises(ValueError, match="not a whsec_ secret"):
        signature(secret, "id", 1, b"")


def test_new_secrets_are_long_and_differ() -> None:
    assert new_secret() != new_secret()
    assert len(base64.b64decode(new_secret().removeprefix("whsec_"))) == 32


async def test_headers_and_the_checked_address() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    assert await send(sender(handler), secrets=[SPEC_SECRET, new_secret()]) == 204
    (request,) = seen
    assert str(request.url) == "https://93.184.215.14:8443/in?x=1"
    assert (request.headers["host"], request.extensions["sni_hostname"]) == ("hooks.example:8443", "hooks.example")
    assert request.headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert request.headers["webhook-timestamp"] == "1614265330"
    first, second = request.headers["webhook-signature"].split(" ")
    assert first == SPEC_SIGNATURE
    assert second.startswith("v1,")
    assert request.content == SPEC_BODY


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 410, 429, 500, 503])
async def test_everything_but_2xx_fails_and_redirects_are_not_followed(status: int) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, headers={"location": "http://10.0.0.1/", "retry-after": "7"}, text="no\x1b")

    with pytest.raises(Unavailable, match=f"HTTP {status}: no ") as caught:
        await send(sender(handler))
    assert (caught.value.code, caught.value.data, caught.value.retry_after_s) == (
        "webhook_failing",
        {"status": status},
        7,
    )
    assert len(seen) == 1


async def test_at_most_a_kilobyte_of_the_answer_is_read() -> None:
    given: list[int] = []

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                given.append(512)
                yield b"x" * 512

    assert await send(sender(lambda _request: httpx.Response(200, headers={"x-stream": "1"}, stream=Endless()))) == 200
    assert sum(given) <= 2 * RESPONSE_MAX


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["172.16.0.1"],
        ["192.168.1.1"],
        ["169.254.169.254"],
        ["0.0.0.0"],
        ["100.64.0.1"],
        ["224.0.0.1"],
        ["255.255.255.255"],
        ["::1"],
        ["fe80::1%eth0"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:7f00:1::"],
        ["93.184.215.14", "10.0.0.1"],
    ],
    ids=str,
)
async def test_hosts_inside_our_network_are_refused(addresses: list[str]) -> None:
    def never(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("connected")

    with pytest.raises(Unavailable, match="not public") as caught:
        await send(sender(never, addresses))
    assert caught.value.data["reason"] == "address_refused"


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


async def test_the_local_stack_may_use_loopback_and_http() -> None:
    assert await send(sender(answer(), ["127.0.0.1"], allow_private=True), "http://localhost:1234/") == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https:///x",
        "https://u:p@hooks.example/",
        "nonsense",
    ],
)
async def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Unavailable):
        await send(sender(answer()), url)


async def test_a_literal_ipv6_host() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200)

    await send(sender(handler, ["2606:4700::1111"]), "https://[2606:4700::1111]/x")
    assert seen == ["https://[2606:4700::1111]/x"]


async def test_silence_and_broken_connections() -> None:
    async def stall(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
        await send(sender(stall, timeout_s=0.05))

    def broken(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Unavailable, match="ConnectError"):
        await send(sender(broken))


async def test_names_that_do_not_resolve() -> None:
    async def fails(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(Unavailable, match="does not resolve"):
        await send(WebhookSender(resolve=fails))
    with pytest.raises(Unavailable, match="no address"):
        await send(sender(answer(), []))


async def test_our_own_broken_secrets_are_ours_to_mend() -> None:
    for secrets in ([], ["whsec_!!"]):
        with pytest.raises(Broken):
            await send(sender(answer()), secrets=secrets)
