"""Statuses of signatures from one node: what is asked at the same time by many goes in one request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from domain.launchpad.solana import Level, Status, View
from domain.shared.errors import Failure
from gateways.evm.envelopes import Call
from gateways.protocols import Quarantined
from gateways.solana.rpc import Node
from gateways.solana.shapes import Answered, StatusShape, parse

MOST: Final = 256
"""Signatures per call, as nodes allow."""
GATHER_S: Final = 0.03

_ANSWERED: Final = TypeAdapter(Answered)
_STATUS: Final = TypeAdapter(StatusShape)


class StatusDesk:
    """`search`: in the whole history of the node, not only the last minutes."""

    def __init__(self, node: Node, *, search: bool) -> None:
        self._node, self._search = node, search
        self._waiting: dict[str, list[asyncio.Future[View]]] = {}
        self._tasks = set[asyncio.Task[None]]()

    async def ask(self, signature: str) -> View:
        """Raises: Unavailable solana_unavailable, Quarantined."""
        mine: asyncio.Future[View] = asyncio.get_running_loop().create_future()
        first = not self._waiting
        self._waiting.setdefault(signature, []).append(mine)
        if first:
            task = asyncio.create_task(self._gathered())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await mine

    async def _gathered(self) -> None:
        await asyncio.sleep(GATHER_S)
        waiting, self._waiting = self._waiting, {}
        names = list(waiting)
        for start in range(0, len(names), MOST):
            part = names[start : start + MOST]
            try:
                views: Sequence[View | Failure] = await self._views(part)
            except Failure as failure:
                views = [failure] * len(part)
            for name, view in zip(part, views, strict=True):
                for one in waiting[name]:
                    if one.done():
                        continue
                    if isinstance(view, Failure):
                        one.set_exception(view)
                    else:
                        one.set_result(view)

    async def _views(self, signatures: list[str]) -> list[View]:
        options = {"searchTransactionHistory": self._search}
        [raw] = await self._node.ask(Call("getSignatureStatuses", (signatures, options)))
        answered = parse(_ANSWERED, raw, self._node.name, "statuses")
        if not isinstance(answered.value, list) or len(answered.value) != len(signatures):
            raise Quarantined(self._node.name, "statuses", f"not {len(signatures)} statuses", raw)
        return [
            View(node=self._node.name, slot=answered.context.slot, status=self._status(one)) for one in answered.value
        ]

    def _status(self, raw: Any) -> Status | None:
        if raw is None:
            return None
        shape = parse(_STATUS, raw, self._node.name, "status")
        return Status(slot=shape.slot, level=Level[shape.confirmationStatus.upper()], err=shape.err)
