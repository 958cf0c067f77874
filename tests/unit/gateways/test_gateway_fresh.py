"""Coalescing without staleness."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from domain.shared.errors import Unavailable
from gateways.evm.envelopes import Answer, Call, NodeError
from gateways.evm.fresh import FreshReads
from gateways.evm.rpc import RpcClient

HEAD = Call("eth_getBlockByNumber", ("0x1", False))


class SlowNode(RpcClient):
    """Answers with the number of the request, read when the request arrives, delivered when the gate opens."""

    source = "slow"

    def __init__(self) -> None:
        self.batches: list[list[Call]] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def answers(self, calls: Sequence[Call]) -> list[Answer]:
        self.batches.append(list(calls))
        number = len(self.batches)
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return [number] * len(calls)

    async def aclose(self) -> None:
        return None


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_of_one_moment_share_one_request() -> None:
    node = SlowNode()
    node.gate.set()
    reads = FreshReads(node)
    assert await asyncio.gather(*(reads.read(HEAD) for _ in range(200))) == [1] * 200
    assert node.batches == [[HEAD]]


async def test_a_caller_never_gets_an_answer_asked_for_before_it_came() -> None:
    node, results = SlowNode(), []
    reads = FreshReads(node)
    for _ in range(4):
        results.append(asyncio.create_task(reads.read(HEAD)))
        await turns()
    assert len(node.batches) == 2, "two under way, the later callers gather"
    node.gate.set()
    assert await asyncio.gather(*results) == [1, 2, 3, 3]


async def test_different_questions_travel_in_one_batch_of_bounded_size() -> None:
    node = SlowNode()
    node.gate.set()
    reads = FreshReads(node, max_batch=100)
    calls = [Call("eth_getTransactionReceipt", (str(i),)) for i in range(250)]
    await asyncio.gather(*(reads.read(call) for call in calls))
    assert [len(batch) for batch in node.batches] == [100, 100, 50]


async def test_one_cancelled_caller_does_not_cancel_the_others() -> None:
    node = SlowNode()
    reads = FreshReads(node)
    first, second = asyncio.create_task(reads.read(HEAD)), asyncio.create_task(reads.read(HEAD))
    await turns()
    first.cancel()
    node.gate.set()
    assert await second == 1
    assert first.cancelled()


async def test_a_failure_reaches_every_caller_and_the_next_read_starts_anew() -> None:
    node = SlowNode()
    node.gate.set()
    node.failure = Unavailable("chain_unavailable", "away")
    reads = FreshReads(node)
    failed = await asyncio.gather(*(reads.read(HEAD) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in failed] == [Unavailable] * 3
    node.failure = None
    assert await reads.read(HEAD) == 2


async def test_an_error_answer_is_raised() -> None:
    class Refusing(SlowNode):
        async def answers(self, calls: Sequence[Call]) -> list[Answer]:
            return [NodeError(call.method, -32000, "no") for call in calls]

    with pytest.raises(NodeError):
        await FreshReads(Refusing()).read(HEAD)
