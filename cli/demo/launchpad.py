"""The launchpad in the demo: a launch that goes all the way, one that is undone, one whose buyers are refunded."""

from __future__ import annotations

from typing import Final

from cli.demo.board import Board
from cli.demo.client import Resource
from cli.demo.launches import Launches
from cli.demo.sales import Sales
from cli.demo.solana import Solana
from cli.demo.world import Ended, World

SALE_S: Final = 7 * 86_400
SHORT_S: Final = 3_600


class Launchpad:
    """`tag`: what makes its names its own."""

    def __init__(self, world: World, solana: Solana, tag: str) -> None:
        self.solana = solana
        self.launches = Launches(world, solana, tag)
        self.sales = Sales(world, solana)
        self._live: Resource | None = None

    async def play(self, board: Board) -> None:
        """Every job, one after the other."""
        await board.play("launch from pictures to a live curve", self._launched)
        await board.play("five levels of uplines buy", lambda: self.sales.upline(self._launch()))
        await board.play("hard cap reached", lambda: self.sales.filled(self._launch()))
        await board.play("70 % to a pool, 30 % to vesting", lambda: self.sales.graduated(self._launch()))
        await board.play("launch that fails before its mint", self._undone)
        await board.play("sale below its soft cap, refunded", self._refunded)

    def _launch(self) -> Resource:
        assert self._live is not None, "nothing was launched"
        return self._live

    async def _launched(self) -> Ended:
        """The creator's own wallet signs."""
        creator = await self.solana.wallet(5)
        self._live = await self.launches.launched("orbit", creator, await self.solana.now() + SALE_S, "creator")
        return Ended(await self.launches.show_token(self._live), await self.launches.links(self._live))

    async def _undone(self) -> Ended:
        creator = await self.solana.wallet(5)
        return await self.launches.undone("comet", creator, await self.solana.now() + SALE_S)

    async def _refunded(self) -> Ended:
        """The platform's wallet signs; the sale's hour passes by the chain's clock."""
        creator, ends_at = await self.solana.wallet(5), await self.solana.now() + SHORT_S
        live = await self.launches.launched("ember", creator, ends_at, "platform")
        return await self.sales.refunded(live, ends_at)
