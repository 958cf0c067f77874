"""server.py with one thing exchanged: the desk answers orders from memory, and nothing is written or waited for.

Everything before and after is the product's: server, routing, authentication, parsing, idempotency claim, answer.
"""

from __future__ import annotations

import contextlib

from litestar import Litestar

import server
from api.exchange.desk import Answer
from api.exchange.trades import EXAMPLE
from api.http.bodies import encoded
from api.http.idempotency import json_answer
from settings import ApiSettings
from storage.intents.orders import PATH, Ask

_BODY = bytes(encoded(EXAMPLE).content)
_build = server.build


class MemoryDesk:
    """Knows the answer already."""

    async def place(self, ask: Ask, _seconds: float, _trace_id: str) -> Answer:
        return Answer(json_answer(200, _BODY, location=f"{PATH}/{ask.trade_id}", preference_applied="wait"))


async def build(settings: ApiSettings, stack: contextlib.AsyncExitStack) -> Litestar:
    app = await _build(settings, stack)
    app.state.desk = MemoryDesk()
    return app


if __name__ == "__main__":
    server.build = build
    server.main()
