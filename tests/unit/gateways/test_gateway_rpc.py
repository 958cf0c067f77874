"""The client's patience: what is tried again, how often, how long, and what it says when it gives up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from domain.shared.errors import Unavailable
from gateways.evm import rpc as rpc_module
from gateways.evm.envelopes import Call
from gateways.evm.fallback import FallbackRpc
from gateways.evm.rpc import PAYLOAD_MAX, JsonRpc
from gateways.protocols import Quarantined

SECRET = "https://node.example/v2/s3cr3t-key"
Handler = Callable[[httpx.Request], httpx.Response]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client(handler: Handler, **options: Any) -> tuple[JsonRpc, Clock]:
    clock = Clock()
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return JsonRpc(SECRET, client=http, clock=clock, sleep=clock.sleep, uniform=lambda _a, b: b, **options), clock


def result(request: httpx.Request, value: Any = "0x1") -> httpx.Response:
    asked = json.loads(request.content)
    if isinstance(asked, list):
        return httpx.Response(200, json=[{"jsonrpc": "2.0", "id": item["id"], "result": value} for item in asked])
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": asked["id"], "result": value})


def sequence(*steps: Any) -> tuple[Handler, list[httpx.Request]]:
    """Answer with the steps in turn, the last one for ever; an exception is raised, None is a good answer."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        step = steps[min(len(seen), len(steps) - 1)]
        seen.append(request)
        if isinstance(step, Exception):
            raise step
        return result(request) if step is None else step

    return handler, seen


@pytest.mark.parametrize(
    "step",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("closed"),
        httpx.ReadTimeout("slow"),
        httpx.Response(429),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"id": 1, "error": {"code": 429, "message": "slow down"}}),
    ],
    ids=lambda step: type(step).__name__ + str(getattr(step, "status_code", "")),
)
async def test_what_passes_is_tried_again(step: Any) -> None:
    handler, seen = sequence(step, None)
    node, clock = client(handler)
    assert await node.call("eth_chainId") == "0x1"
    assert (len(seen), clock.slept) == (2, [0.05])


async def test_back_off_doubles_and_ends() -> None:
    handler, seen = sequence(httpx.ConnectError("refused"))
    node, clock = client(handler, attempts=8)
    with pytest.raises(Unavailable) as caught:
        await node.call("eth_chainId")
    assert clock.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert len(seen) == 8
    assert caught.value.code == "chain_unavailable"
    assert caught.value.data == {"attempts": 8, "timeout": False}


async def test_the_budget_ends_the_attempts() -> None:
    handler, seen = sequence(httpx.ConnectError("refused"))
    node, clock = client(handler, attempts=100, budget_s=1)
    with pytest.raises(Unavailable):
        await node.call("eth_chainId")
    assert sum(clock.slept) < 1
    assert len(seen) < 10


async def test_the_url_is_in_no_message_and_no_repr() -> None:
    for step in (httpx.ConnectError(f"cannot reach {SECRET}"), httpx.Response(403, text=SECRET), httpx.Response(500)):
        handler, _ = sequence(step)
        node, _ = client(handler)
        with pytest.raises(Unavailable) as caught:
            await node.call("eth_chainId")
        assert "s3cr3t" not in f"{caught.value} {caught.value.data} {node!r}"
        assert "node.example" in str(caught.value)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413])
async def test_refusals_that_stay_are_not_repeated(status: int) -> None:
    handler, seen = sequence(httpx.Response(status, text="no"))
    node, _ = client(handler)
    with pytest.raises(Unavailable, match=str(status)):
        await node.call("eth_chainId")
    assert len(seen) == 1


async def test_a_json_rpc_error_under_http_400_is_an_answer() -> None:
    handler, _ = sequence(httpx.Response(400, json={"id": 1, "error": {"code": -32602, "message": "bad params"}}))
    node, _ = client(handler)
    with pytest.raises(Unavailable, match="bad params"):
        await node.call("eth_call")


async def test_long_batches_are_cut() -> None:
    handler, seen = sequence(None)
    node, _ = client(handler, max_batch=10)
    assert len(await node.batch([Call("m")] * 25)) == 25
    assert [len(json.loads(request.content)) for request in seen] == [10, 10, 5]


async def test_a_refused_batch_is_halved_for_a_minute() -> None:
    sizes: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        sizes.append(len(asked) if isinstance(asked, list) else 1)
        if sizes[-1] > 3:
            return httpx.Response(200, json={"id": None, "error": {"code": -32600, "message": "batch too large"}})
        return result(request)

    node, clock = client(handler, max_batch=8)
    assert len(await node.batch([Call("m")] * 8)) == 8
    assert sizes == [8, 4, 2, 2, 2, 2]
    await node.batch([Call("m")] * 8)
    assert sizes[6:] == [2, 2, 2, 2]
    clock.now += 61
    await node.batch([Call("m")] * 8)
    assert sizes[10] == 8


async def test_our_own_limit_delays_and_then_refuses() -> None:
    handler, seen = sequence(None)
    node, clock = client(handler, calls_per_s=10)
    await node.batch([Call("m")] * 10)
    await node.call("m")
    assert clock.slept == [pytest.approx(0.1)]
    await node.batch([Call("m")] * 30)
    await node.batch([Call("m")] * 70)  # dearer than the bucket: goes when it is full and leaves a debt
    with pytest.raises(Unavailable, match="our own limit") as caught:
        await node.call("m")
    assert caught.value.retry_after_s == 7
    assert len(seen) == 4


async def test_a_body_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "BODY_MAX", 1_000)
    handler, seen = sequence(httpx.Response(200, content=b" " * 2_000))
    node, _ = client(handler)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        await node.call("eth_chainId")
    assert len(seen) == 1


async def test_what_goes_into_quarantine_is_bounded() -> None:
    handler, _ = sequence(httpx.Response(200, json=["x" * 200_000]))
    node, _ = client(handler)
    with pytest.raises(Quarantined) as caught:
        await node.call("eth_chainId")
    assert len(caught.value.payload) == PAYLOAD_MAX


async def test_the_failed_node_is_asked_last_for_a_while() -> None:
    bad, bad_seen = sequence(httpx.ConnectError("refused"))
    good, good_seen = sequence(None)
    first, clock = client(bad, attempts=1)
    second, _ = client(good)
    nodes = FallbackRpc([first, second], clock=clock)
    for _ in range(5):
        assert await nodes.call("m") == "0x1"
    assert (len(bad_seen), len(good_seen)) == (1, 5)
    clock.now += 6
    await nodes.call("m")
    assert len(bad_seen) == 2


async def test_when_all_nodes_fail_the_last_failure_is_told() -> None:
    nodes = FallbackRpc([client(sequence(httpx.Response(500))[0])[0], client(sequence(httpx.Response(403))[0])[0]])
    with pytest.raises(Unavailable, match="403"):
        await nodes.call("m")


async def test_an_error_answer_is_not_asked_of_the_next_node() -> None:
    refusal, _ = sequence(httpx.Response(200, json={"id": 1, "error": {"code": 3, "message": "execution reverted"}}))
    other, other_seen = sequence(None)
    nodes = FallbackRpc([client(refusal)[0], client(other)[0]])
    with pytest.raises(Unavailable, match="reverted"):
        await nodes.call("eth_call")
    assert other_seen == []
