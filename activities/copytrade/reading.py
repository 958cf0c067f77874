"""Reading a leader's activity from the venue: whole windows, every wallet, repeated rows confirmed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from domain.copytrade.identity import agreed, repeats
from domain.copytrade.readings import Odd
from domain.copytrade.venue import ActivityRow, Feed, Kind, VenuePosition, VenueStatus

if TYPE_CHECKING:
    from domain.copytrade.readings import Sorted

CHUNKS: Final = 5
"""Cut windows read one after the other in one go; what is left is read at the next look."""
KINDS: Final = tuple(Kind)
SOURCE: Final = "polymarket"

Quarantine = Callable[[str, str, str, Any], Awaitable[None]]


class ActivityFeed(Protocol):
    """What of the Data API is used here."""

    async def activity(
        self, wallet: str, since: int, until: int | None = None, kinds: Sequence[Kind] = ...
    ) -> Feed: ...

    async def trades(self, wallet: str, since: int, until: int | None = None) -> Feed: ...

    async def positions(self, wallet: str) -> list[VenuePosition]: ...

    async def status(self) -> VenueStatus | None: ...


class WalletRead(NamedTuple):
    """Readings of whole seconds. `onward`: from which second on there is more; None: that is all."""

    readings: list[tuple[ActivityRow, ...]]
    onward: int | None


async def read_wallet(data: ActivityFeed, wallet: str, since: int) -> WalletRead:
    """What a wallet did since then.

    A row that is there twice is two equal fills or one served twice, so it is believed as often as a second reading
    has it too; if the venue only repeated itself, the next look finds the rest.
    """
    readings = []
    for _ in range(CHUNKS):
        feed = await data.activity(wallet, since, None, KINDS)
        rows = feed.rows
        if repeats(rows):
            again = await data.activity(wallet, since, feed.through, KINDS)
            rows = tuple(agreed(rows, again.rows))
        readings.append(rows)
        if feed.complete:
            return WalletRead(readings, None)
        since = feed.through + 1
    return WalletRead(readings, since)


class OddRows:
    """Sends what an operator should see to quarantine, each thing once while this process lives."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._told: set[str] = set()

    def forget(self) -> None:
        """What is as odd as before when it is read again is told again."""
        self._told.clear()

    async def tell(self, found: Sorted) -> None:
        for odd in found.odd:
            await self._once(odd)

    async def keep(self, row: ActivityRow, reason: str) -> None:
        await self._once(Odd(row, "row", reason, kept=False))

    async def _once(self, odd: Odd) -> None:
        if odd.row.raw in self._told:
            return
        await self._quarantine(SOURCE, f"activity_{odd.kind}", odd.reason, odd.row.raw)
        self._told.add(odd.row.raw)
