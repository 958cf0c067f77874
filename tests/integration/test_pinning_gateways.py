"""Kubo and Pinata against the local node, with every fault it knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from domain.launchpad.cids import cid_of
from domain.shared.errors import Broken, Failure, Rejected, Unavailable
from gateways.ipfs import Kubo, Pinata, Pinning
from gateways.protocols import Quarantined
from localnet.upstreams import Upstreams
from tests.picture_lab import png

SMALL, LARGE = b'{"name":"x"}', png(pad=700_000)
KINDS = ["kubo", "pinata"]


@pytest_asyncio.fixture(loop_scope="session")
async def web() -> AsyncIterator[Upstreams]:
    async with Upstreams() as server:
        yield server


def made(kind: str, web: Upstreams) -> Pinning:
    return Kubo(web.url, timeout_s=5) if kind == "kubo" else Pinata("jwt", web.url, timeout_s=5)


@pytest_asyncio.fixture(loop_scope="session", params=KINDS)
async def node(request: pytest.FixtureRequest, web: Upstreams) -> AsyncIterator[Pinning]:
    gateway = made(request.param, web)
    yield gateway
    await gateway.aclose()


@pytest.mark.parametrize("content", [SMALL, LARGE, b""], ids=["one block", "many blocks", "empty"])
async def test_a_file_is_pinned_once_read_by_anybody_and_let_go(node: Pinning, web: Upstreams, content: bytes) -> None:
    cid = cid_of(content)
    assert not await node.pinned(cid)
    assert await node.pin(content, "HOLD logo") == cid
    assert await node.pin(content, "HOLD logo") == cid
    assert await node.pinned(cid)
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(f"{web.url}/ipfs/{cid}")).content == content
    await node.unpin(cid)
    await node.unpin(cid)
    assert not await node.pinned(cid)


async def test_letting_go_of_what_never_was_is_success(node: Pinning) -> None:
    await node.unpin(cid_of(b"never"))


@pytest.mark.parametrize("fault", ["http_500", "http_429", "stall", "drop", "huge"])
async def test_an_outage_is_unavailable_and_passes(node: Pinning, web: Upstreams, fault: str) -> None:
    cid = cid_of(SMALL)
    for act in (lambda: node.pin(SMALL, "x"), lambda: node.pinned(cid), lambda: node.unpin(cid)):
        web.fail("ipfs", fault, seconds=3)
        with pytest.raises(Unavailable) as caught:
            await act()
        assert caught.value.code == "pinning_unavailable"
        if fault == "http_429":
            assert caught.value.retry_after_s == 3
            return


@pytest.mark.parametrize("fault", ["not_json", "odd_shape"])
async def test_an_answer_of_unknown_shape_is_quarantined(node: Pinning, web: Upstreams, fault: str) -> None:
    for act in (lambda: node.pin(SMALL, "x"), lambda: node.pinned(cid_of(SMALL))):
        web.fail("ipfs", fault)
        with pytest.raises(Quarantined):
            await act()


async def test_a_refused_key_is_not_tried_again(node: Pinning, web: Upstreams) -> None:
    web.fail("ipfs", "unauthorized")
    with pytest.raises(Rejected) as caught:
        await node.pin(SMALL, "x")
    assert caught.value.code == "upstream_refused"


async def test_another_files_name_is_never_believed(node: Pinning, web: Upstreams) -> None:
    web.fail("ipfs", "renames")
    with pytest.raises(Broken) as caught:
        await node.pin(LARGE, "x")
    assert caught.value.code == "pin_mismatch"
    assert cid_of(LARGE) in caught.value.detail


async def test_a_lost_answer_is_no_lost_pin(node: Pinning, web: Upstreams) -> None:
    web.fail("ipfs", "done_then_drop")
    with pytest.raises(Unavailable):
        await node.pin(SMALL, "x")
    assert await node.pinned(cid_of(SMALL))
    assert await node.pin(SMALL, "x") == cid_of(SMALL)
    web.fail("ipfs", "done_then_drop")
    with pytest.raises(Unavailable):
        await node.unpin(cid_of(SMALL))
    await node.unpin(cid_of(SMALL))
    assert not await node.pinned(cid_of(SMALL))


async def test_the_key_is_sent_and_never_shown(web: Upstreams) -> None:
    for gateway in (Kubo(f"{web.url}/api/v0/", "s3cret", timeout_s=5), Pinata("s3cret", web.url, timeout_s=5)):
        web.fail("ipfs", "unauthorized")
        with pytest.raises(Failure) as caught:
            await gateway.pin(SMALL, "x")
        assert "s3cret" not in f"{caught.value!r}{caught.value.data}"
        assert await gateway.pin(SMALL, "x") == cid_of(SMALL)
        await gateway.aclose()


async def test_the_flags_that_decide_the_name_are_sent(web: Upstreams) -> None:
    asked: list[httpx.Request] = []

    class Listening(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request)
            await request.aread()
            return httpx.Response(200, json={"Hash": cid_of(SMALL)})

    gateway = Kubo("http://ipfs.test:5001", transport=Listening())
    await gateway.pin(SMALL, "HOLD metadata")
    assert asked[0].url.path == "/api/v0/add"
    wanted = {"cid-version": "1", "raw-leaves": "true", "chunker": "size-262144", "pin": "true"}
    assert dict(asked[0].url.params).items() >= wanted.items()
    await gateway.aclose()


async def test_pins_survive_a_restart_of_the_node(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("ipfs")
    async with Upstreams(directory=directory) as first:
        gateway = made("kubo", first)
        kept, gone = await gateway.pin(LARGE, "x"), await gateway.pin(SMALL, "y")
        await gateway.unpin(gone)
        await gateway.aclose()
    async with Upstreams(directory=directory) as second:
        gateway = made("kubo", second)
        assert [await gateway.pinned(cid) for cid in (kept, gone)] == [True, False]
        assert second.ipfs.files.content[kept] == LARGE
        await gateway.aclose()


@pytest.fixture(autouse=True)
def _no_fault_is_left(web: Upstreams) -> Iterator[None]:
    yield
    web.faults.clear()


async def test_many_at_once_are_one_file(node: Pinning, web: Upstreams) -> None:
    assert set(await asyncio.gather(*(node.pin(LARGE, "x") for _ in range(8)))) == {cid_of(LARGE)}
    assert len(web.ipfs.files.pins) == 1
