"""All of Polymarket behind one door: the Data API, the CLOB, Gamma, on one transport with its limits."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

import httpx

from gateways.polymarket.asking import Quarantine
from gateways.polymarket.clob import Clob
from gateways.polymarket.counts import RequestCounts
from gateways.polymarket.data import DataApi, DataApiV2
from gateways.polymarket.data_v1 import DataApiV1
from gateways.polymarket.gamma import Gamma
from gateways.polymarket.recording import Recorder
from gateways.polymarket.routes import CLOB, DATA, GAMMA
from gateways.polymarket.transport import Transport

DATA_URL: Final = "https://data-api.polymarket.com"
CLOB_URL: Final = "https://clob.polymarket.com"
GAMMA_URL: Final = "https://gamma-api.polymarket.com"


class Polymarket:
    """One per process: the limits are this object's. Public reads only; it has no key and can place no order."""

    def __init__(self, transport: Transport, data: DataApi, clob: Clob, gamma: Gamma) -> None:
        self._transport = transport
        self.data, self.clob, self.gamma = data, clob, gamma

    @classmethod
    def connect(
        cls,
        *,
        quarantine: Quarantine,
        data_url: str = DATA_URL,
        clob_url: str = CLOB_URL,
        gamma_url: str = GAMMA_URL,
        data_version: Literal["v1", "v2"] = "v2",
        max_rps: float = 20,
        burst: int = 40,
        timeout_s: float = 10.0,
        counts: RequestCounts | None = None,
        recorder: Recorder | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        **clocks: Any,
    ) -> Self:
        """Opens nothing yet; the first request does.

        Args:  quarantine  keeps what cannot be understood.   counts  of requests, with a metric if wanted.
               recorder  keeps every raw answer.   clocks  clock, sleep, uniform of a test.
        """
        transport = Transport(
            {DATA: data_url, CLOB: clob_url, GAMMA: gamma_url},
            max_rps=max_rps,
            burst=burst,
            timeout_s=timeout_s,
            counts=counts,
            recorder=recorder,
            http=http,
            **clocks,
        )
        gamma = Gamma(transport, quarantine)
        data: DataApi = (
            DataApiV2(transport, quarantine) if data_version == "v2" else DataApiV1(transport, quarantine, gamma)
        )
        return cls(transport, data, Clob(transport, quarantine), gamma)

    @property
    def counts(self) -> RequestCounts:
        return self._transport.counts

    def open_circuits(self) -> list[str]:
        """Routes that are left alone now, after failures or a 429."""
        return self._transport.open_circuits()

    async def aclose(self) -> None:
        await self._transport.aclose()
