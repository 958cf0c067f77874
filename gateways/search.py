"""Web search through Serper (google.serper.dev), or anything that speaks its wire format."""

from __future__ import annotations

from typing import Final, Protocol

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from domain.exchange.oracle import Found
from gateways.upstream import Upstream

SERPER_URL: Final = "https://google.serper.dev"
RESULTS: Final = 5
TIMEOUT_S: Final = 10.0


class WebSearch(Protocol):
    """`provider` names who answers, for provenance."""

    provider: str

    async def search(self, query: str) -> list[Found]:
        """The first results of one query.

        Raises: Unavailable search_unavailable, Rejected upstream_refused, Quarantined.
        """
        ...


class _Hit(BaseModel):
    model_config = ConfigDict(extra="ignore")
    title: str = ""
    link: str
    snippet: str = ""
    date: str = ""


class _Answer(BaseModel):
    """`organic` is missing when nothing was found; other sections (ads, answer boxes) are not read."""

    model_config = ConfigDict(extra="ignore")
    organic: list[_Hit] = []


class Serper:
    """POST {base}/search with X-API-KEY and {"q", "num"}."""

    def __init__(
        self,
        api_key: str,
        base_url: str = SERPER_URL,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._upstream = Upstream(
            "serper",
            f"{base_url.rstrip('/')}/search",
            code="search_unavailable",
            headers={"x-api-key": api_key},
            timeout_s=timeout_s,
            transport=transport,
        )
        self.provider = f"serper ({self._upstream.host})"

    async def aclose(self) -> None:
        await self._upstream.aclose()

    async def search(self, query: str) -> list[Found]:
        raw = await self._upstream.post({"q": query, "num": RESULTS})
        if not isinstance(raw, dict) or not ({"organic", "searchParameters"} & set(raw)):
            raise self._upstream.odd("search", "no organic results and no search parameters", raw)
        try:
            answer = _Answer.model_validate(raw)
        except ValidationError as error:
            raise self._upstream.odd("search", f"{error.error_count()} fields of the wrong kind", raw) from error
        return [
            Found(title=hit.title, url=hit.link, snippet=hit.snippet, date=hit.date) for hit in answer.organic[:RESULTS]
        ]
