"""Readiness of a process that speaks HTTP."""

from __future__ import annotations

import aiohttp

from localnet.process import Probe

_TIMEOUT = aiohttp.ClientTimeout(total=3)


def http_ok(url: str) -> Probe:
    """A probe that says yes when ``url`` answers 200."""

    async def probe() -> bool:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as answer:
            return answer.status == 200

    return probe
