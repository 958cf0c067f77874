"""The local upstreams as a process of their own, steered over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from cli.outside import Misuse, Outside
from localnet.ports import PortBook, free_port
from localnet.running import Solo
from localnet.upstreams import UpstreamsProcess
from tests.patience import PATIENCE_S

KEYPAIR = "[1]"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UpstreamsProcess]:
    process = UpstreamsProcess(free_port(), seed=7)
    running = Solo(process.child(tmp_path_factory.mktemp("upstreams") / "log"))
    await running.start()
    yield process
    await running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def client(served: UpstreamsProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE_S) as opened:
        yield opened
        for what in ("moods", "faults"):
            await opened.delete(f"/control/{what}")


async def ask(client: httpx.AsyncClient, content: str) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    answer = await client.post("/v1/chat/completions", json=body, headers={"Authorization": "Bearer x"})
    return str(answer.json()["choices"][0]["message"]["content"])


async def test_moods_are_set_per_asset_and_the_newest_wins(client: httpx.AsyncClient) -> None:
    for mood in ({"match": "*", "mood": "bearish"}, {"match": "ACME", "mood": "bullish", "delta_percent": "3.75"}):
        assert (await client.post("/control/moods", json=mood)).status_code == 204
    assert '"delta_percent": 3.75' in await ask(client, "Asset: Acme (symbol ACME)")
    assert '"delta_percent": -2.5' in await ask(client, "Asset: other")
    search = await client.post("/search", json={"q": "ACME news", "num": 3}, headers={"X-API-KEY": "x"})
    assert len(search.json()["organic"]) == 3
    assert (await client.get("/control")).json()["moods"]["ACME"]["name"] == "bullish"


async def test_the_same_question_has_the_same_answer(client: httpx.AsyncClient) -> None:
    assert await ask(client, "Asset: quiet") == await ask(client, "Asset: quiet")


async def test_a_fault_meets_so_many_calls_as_asked_for(client: httpx.AsyncClient) -> None:
    fault = {"target": "search", "fault": "http_429", "times": 2, "match": "acme", "seconds": 7}
    assert (await client.post("/control/faults", json=fault)).status_code == 204
    headers = {"X-API-KEY": "x"}
    asked = [("other", 200), ("ACME", 429), ("acme", 429), ("acme", 200)]
    for query, status in asked:
        answer = await client.post("/search", json={"q": query}, headers=headers)
        assert answer.status_code == status
        if status == 429:
            assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("path", "body"),
    [("moods", {"mood": "furious"}), ("moods", {"mood": "bullish", "delta_percent": "lots"}), ("moods", []),
     ("faults", {"target": "moon", "fault": "drop"}), ("faults", {"target": "llm", "fault": "hiccup"})],
)  # fmt: skip
async def test_control_refuses_what_it_does_not_know(client: httpx.AsyncClient, path: str, body: object) -> None:
    assert (await client.post(f"/control/{path}", json=body)).status_code == 400


async def test_keys_are_asked_for_as_the_real_services_do(client: httpx.AsyncClient) -> None:
    assert (await client.post("/search", json={"q": "x"})).status_code == 403
    assert (await client.post("/v1/chat/completions", json={})).status_code == 401
    assert (await client.get("/data/pinList")).status_code == 401


async def test_the_pinning_node_speaks_kubo(client: httpx.AsyncClient) -> None:
    added = await client.post("/api/v0/add", params={"pin": "false"}, files={"file": ("a.txt", b"hello world")})
    cid = added.json()["Hash"]
    assert added.json() == {"Name": "a.txt", "Hash": cid, "Size": "11"}
    refused = await client.post("/api/v0/pin/ls", params={"arg": cid})
    assert (refused.status_code, refused.json()["Message"]) == (500, f"path '{cid}' is not pinned")
    assert (await client.post("/api/v0/pin/add", params={"arg": cid})).json() == {"Pins": [cid]}
    assert cid in (await client.post("/api/v0/pin/ls")).json()["Keys"]
    assert (await client.post("/api/v0/cat", params={"arg": cid})).content == b"hello world"
    assert (await client.post("/api/v0/pin/rm", params={"arg": cid})).json() == {"Pins": [cid]}
    for path, params in (
        ("pin/rm", {"arg": cid}),
        ("pin/add", {"arg": "bafnone"}),
        ("cat", {"arg": "bafnone"}),
        ("add", {}),
    ):
        assert (await client.post(f"/api/v0/{path}", params=params)).json()["Type"] == "error"
    assert (await client.get("/ipfs/bafnone")).status_code == 404


def test_the_stack_gives_workers_the_local_upstreams(tmp_path: Path) -> None:
    outside = Outside(tmp_path, frozenset(), PortBook(tmp_path / "ports.json"), KEYPAIR)
    assert set(outside.urls) == {"search_url", "llm_url", "ipfs_url"}
    assert outside.env["IPFS_API_URL"] == outside.urls["ipfs_url"]
    assert outside.public == {
        "IPFS_GATEWAY_URL": f"{outside.urls['ipfs_url']}/ipfs",
        "ARWEAVE_GATEWAY_URL": outside.urls["ipfs_url"],
    }
    assert (outside.env["ARWEAVE_BUNDLER_URL"], outside.env["ARWEAVE_KEYPAIR"]) == (outside.urls["ipfs_url"], KEYPAIR)
    assert outside.env["OPENAI_BASE_URL"] == outside.urls["llm_url"]
    assert outside.env["SERPER_BASE_URL"] == outside.urls["search_url"]


def test_a_part_left_out_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERPER_API_KEY", "OPENAI_BASE_URL", "HUGGINGFACE_API_KEY", "IPFS_API_URL", "ARWEAVE_BUNDLER_URL"):
        monkeypatch.delenv(name, raising=False)
    ports = PortBook(tmp_path / "ports.json")
    with pytest.raises(Misuse, match="--without search needs SERPER_API_KEY"):
        Outside(tmp_path, frozenset({"search"}), ports, KEYPAIR)
    with pytest.raises(Misuse, match="OPENAI_BASE_URL or HUGGINGFACE_API_KEY"):
        Outside(tmp_path, frozenset({"llm"}), ports, KEYPAIR)
    with pytest.raises(Misuse, match="--without ipfs needs IPFS_API_URL"):
        Outside(tmp_path, frozenset({"ipfs"}), ports, KEYPAIR)
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("SERPER_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example/v1")
    monkeypatch.setenv("IPFS_API_URL", "https://ipfs.example")
    one = Outside(tmp_path, frozenset({"search"}), ports, KEYPAIR)
    assert (set(one.urls), one.env["SERPER_API_KEY"]) == ({"llm_url", "ipfs_url"}, "from-a-file")
    none = Outside(tmp_path, frozenset({"search", "llm", "ipfs"}), ports, KEYPAIR)
    assert (none.process, none.urls, none.env["OPENAI_BASE_URL"]) == (None, {}, "https://models.example/v1")
    assert (none.env["IPFS_API_URL"], none.public) == ("https://ipfs.example", {})


async def test_what_is_pinned_survives_a_killed_node(tmp_path: Path) -> None:
    process = UpstreamsProcess(free_port(), files=tmp_path / "ipfs")
    running = Solo(process.child(tmp_path / "log"))
    await running.start()
    async with httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as client:
        added = await client.post("/api/v0/add", files={"file": ("a", bytes(700_000))})
        await running.kill()
        await running.start()
        cid = added.json()["Hash"]
        assert cid in (await client.post("/api/v0/pin/ls", params={"arg": cid})).json()["Keys"]
        assert (await client.get(f"/ipfs/{cid}")).content == bytes(700_000)
    await running.stop()
