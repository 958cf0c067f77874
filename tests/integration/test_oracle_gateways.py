"""Search and model gateways against the local upstreams, with every fault those know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from domain.exchange.oracle import Found, Prompt, build_prompt, sources_from
from domain.shared.errors import Rejected, Unavailable
from gateways.circuit import Circuit
from gateways.llm import HUGGINGFACE_URL, HuggingFace, LanguageModel, OpenAiChat
from gateways.protocols import Quarantined
from gateways.search import SERPER_URL, Serper
from localnet.upstreams import Upstreams

TRANSPORT = ["http_500", "http_429", "loading", "stall", "drop", "huge"]
NAMES = ["serper", "openai", "huggingface"]


@pytest_asyncio.fixture(loop_scope="session")
async def web() -> AsyncIterator[Upstreams]:
    async with Upstreams() as server:
        yield server


class Asking:
    """The three gateways on one server, asked the same way."""

    def __init__(self, web: Upstreams) -> None:
        self.search = Serper("k", web.url, timeout_s=5)
        self.openai = OpenAiChat(web.llm_url, "k", "local-analyst", timeout_s=5)
        self.small = HuggingFace("k", f"{web.url}/models/google/flan-t5-base", timeout_s=5)

    async def ask(self, name: str) -> object:
        if name == "serper":
            return await self.search.search("Hold Fast news")
        return await self.model(name).complete(prompt())

    def model(self, name: str) -> LanguageModel:
        return self.openai if name == "openai" else self.small

    def code(self, name: str) -> str:
        return "search_unavailable" if name == "serper" else "model_unavailable"

    def target(self, name: str) -> str:
        return "search" if name == "serper" else "llm"


@pytest_asyncio.fixture(loop_scope="session")
async def asking(web: Upstreams) -> AsyncIterator[Asking]:
    made = Asking(web)
    yield made
    for gateway in (made.search, made.openai, made.small):
        await gateway.aclose()


def prompt() -> Prompt:
    hits = [Found(title="t", url=f"https://s{n}.example/", snippet="s") for n in range(3)]
    return build_prompt("HFC", "Hold Fast", sources_from([hits]))


async def test_a_search_gives_titles_links_snippets_and_dates(asking: Asking, web: Upstreams) -> None:
    found = await asking.search.search("Hold Fast news")
    assert len(found) == 5
    assert len({hit.url for hit in found}) == 5
    assert all(hit.title and hit.snippet and hit.date for hit in found)
    assert found == await asking.search.search("Hold Fast news"), "the same seed and query, the same results"
    assert web.requests[0]["agent"].startswith("holdfast/")


async def test_a_search_without_results_is_an_answer(asking: Asking, web: Upstreams) -> None:
    web.fail("search", "nothing")
    assert await asking.search.search("q") == []


@pytest.mark.parametrize("name", ["openai", "huggingface"])
async def test_a_model_answers_with_text_and_its_name(asking: Asking, web: Upstreams, name: str) -> None:
    web.feel("bearish", "Hold Fast", delta_percent="-1.25")
    said = await asking.model(name).complete(prompt())
    assert '"delta_percent": -1.25' in said.text
    assert said.model == ("local-analyst" if name == "openai" else "google/flan-t5-base")
    if name == "huggingface":
        assert not said.text.startswith("{"), "a small model talks around its answer"


@pytest.mark.parametrize("fault", TRANSPORT)
@pytest.mark.parametrize("name", NAMES)
async def test_what_passes_is_unavailable_and_the_next_call_works(
    asking: Asking, web: Upstreams, name: str, fault: str
) -> None:
    web.fail(asking.target(name), fault, seconds=1)
    with pytest.raises(Unavailable) as failed:
        await asking.ask(name)
    assert failed.value.code == asking.code(name)
    assert failed.value.retryable
    if fault in ("http_429", "loading"):
        await asyncio.sleep(1.1)  # the pause that was asked for
    assert await asking.ask(name)


@pytest.mark.parametrize("name", NAMES)
async def test_a_loading_model_says_how_long(asking: Asking, web: Upstreams, name: str) -> None:
    web.fail(asking.target(name), "loading", seconds=20)
    with pytest.raises(Unavailable) as failed:
        await asking.ask(name)
    assert failed.value.retry_after_s == 20
    calls = web.calls.total()
    with pytest.raises(Unavailable, match="our own limit"):
        await asking.ask(name)
    assert web.calls.total() == calls, "it is not asked before the time is over"


@pytest.mark.parametrize("name", NAMES)
async def test_a_refused_key_is_rejected_for_good(asking: Asking, web: Upstreams, name: str) -> None:
    web.fail(asking.target(name), "unauthorized")
    with pytest.raises(Rejected) as failed:
        await asking.ask(name)
    assert (failed.value.code, failed.value.retryable) == ("upstream_refused", False)


@pytest.mark.parametrize("fault", ["not_json", "odd_shape"])
@pytest.mark.parametrize("name", NAMES)
async def test_an_unknown_shape_goes_to_quarantine(asking: Asking, web: Upstreams, name: str, fault: str) -> None:
    web.fail(asking.target(name), fault)
    with pytest.raises(Quarantined) as failed:
        await asking.ask(name)
    assert failed.value.source == name
    assert failed.value.payload


async def test_a_key_is_in_no_message(web: Upstreams) -> None:
    secret = "sk-very-secret"
    model = OpenAiChat(web.llm_url, secret, "m", timeout_s=5)
    for fault in ("http_500", "unauthorized", "odd_shape"):
        web.fail("llm", fault)
        with pytest.raises((Unavailable, Rejected)) as failed:
            await model.complete(prompt())
        assert secret not in f"{failed.value} {failed.value.data} {model!r} {vars(model)}"
    await model.aclose()


async def test_an_upstream_that_is_down_is_left_alone_then_looked_at_by_one(web: Upstreams) -> None:
    clock = [0.0]
    circuit = Circuit("search_unavailable", "serper", failures=3, pause_s=30, clock=lambda: clock[0])
    search = Serper("k", web.url, timeout_s=5)
    search._upstream._circuit = circuit
    search._upstream._limit._rate = 1e9
    web.fail("search", "http_500", None)
    for _ in range(10):
        with pytest.raises(Unavailable):
            await search.search("q")
    assert web.calls["search"] == 3
    clock[0] = 31
    answers = await asyncio.gather(*(search.search("q") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert web.calls["search"] == 4, "one looks, the others wait"
    web.faults.clear()
    clock[0] = 62
    assert await search.search("q")
    assert await search.search("q")
    await search.aclose()


async def test_a_host_that_does_not_exist_is_unavailable() -> None:
    search = Serper("k", "http://127.0.0.1:1", timeout_s=5)
    with pytest.raises(Unavailable) as failed:
        await search.search("q")
    assert failed.value.code == "search_unavailable"
    await search.aclose()


async def test_the_requests_are_those_of_the_real_services() -> None:
    """What goes over the wire, seen by a transport instead of the network."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "google.serper.dev":
            return httpx.Response(200, json={"organic": []})
        if "chat" in request.url.path:
            return httpx.Response(200, json={"choices": [{"message": {"content": None, "refusal": "no"}}]})
        return httpx.Response(200, json=[{"generated_text": "yes"}])

    transport = httpx.MockTransport(answer)
    assert await Serper("sk", SERPER_URL, transport=transport).search("q") == []
    chat = OpenAiChat("https://api.openai.com/v1/", "ok", "m", transport=transport)
    assert (await chat.complete(prompt())).text == "no"
    assert (await HuggingFace("hk", HUGGINGFACE_URL, transport=transport).complete(prompt())).text == "yes"
    assert [str(request.url) for request in seen] == [
        "https://google.serper.dev/search", "https://api.openai.com/v1/chat/completions",
        "https://api-inference.huggingface.co/models/google/flan-t5-base",
    ]  # fmt: skip
    assert seen[0].headers["x-api-key"] == "sk"
    assert [request.headers["authorization"] for request in seen[1:]] == ["Bearer ok", "Bearer hk"]
    assert b'"strict":true' in seen[1].content.replace(b" ", b"")
