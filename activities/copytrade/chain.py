"""The chain trigger: listens to Polygon for what leaders do, so that the feed looks at once (copytrade.md 2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.copytrade.chain_turn import Collaborators, Turn
from domain.copytrade.chain_messages import FollowPolygon, PolygonFollowed

if TYPE_CHECKING:
    from gateways.polymarket.chain import PolygonSocket

TURN_S: Final = 900


class ChainTriggerActivities:
    """Args:  open_socket  None when no node is configured: then nothing is listened to, and polls are all there is."""

    def __init__(
        self, open_socket: Callable[[], PolygonSocket] | None, collaborators: Collaborators, *, turn_s: float = TURN_S
    ) -> None:
        self.open_socket, self.collaborators, self.turn_s = open_socket, collaborators, turn_s

    @activity.defn
    async def follow_polygon(self, command: FollowPolygon) -> PolygonFollowed:
        """Listen for one turn.

        Effect: rows of what was told, marks on what was taken back, checkpoints, alerts; the feed is woken by the
                commit of each row. No portfolio, no group, no detect time.
        Again:  a log is one row however often it is told; a repeat reads the blocks since the last checkpoint.
        """
        until = time.monotonic() + self.turn_s
        async with beating():
            if self.open_socket is None:
                await self.collaborators.state.off()
                while time.monotonic() < until:
                    leave_if_stopping()
                    await asyncio.sleep(1)
                return PolygonFollowed()
            return await Turn(self.open_socket(), self.collaborators).run(until)
