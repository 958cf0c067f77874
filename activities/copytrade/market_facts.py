"""What markets are: read at first sight, read again every hour; events that waited for facts are booked afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from temporalio import activity

from activities.beating import beating, ended, leave_if_stopping
from domain.copytrade.feed_messages import MarketsRead, ResolutionRead
from domain.copytrade.normalise import Move
from domain.copytrade.readings import Taken
from domain.copytrade.shadow import Moved
from domain.copytrade.venue import Kind, Market, Resolution
from domain.shared.errors import Failure

if TYPE_CHECKING:
    from domain.copytrade.conversions import Conversion
    from storage.copytrade.ingest import Converted
    from storage.copytrade.markets import MarketStore

log = structlog.get_logger(__name__)

PREPARE_S: Final = 2.0
"""A split is copied only when its legs are known: its facts are read first, for so long at most."""
PAGE: Final = 100
AT_ONCE: Final = 50
AGAIN_S: Final = 60.0
"""A market that Gamma does not list yet is asked for again (polymarket.md 1.3: minutes after minting)."""
SOURCE: Final = "polymarket"

Quarantine = Callable[[str, str, str, Any], Awaitable[None]]


class Markets(Protocol):
    async def markets(self, condition_ids: Sequence[str] = (), token_ids: Sequence[str] = ()) -> list[Market]: ...


class Resolutions(Protocol):
    async def resolutions(self, condition_ids: Sequence[str]) -> list[Resolution]: ...


class Receipts(Protocol):
    async def conversion(self, tx_hash: str, wallet: str) -> Conversion: ...


class FactsReader:
    """`receipts` None: no Polygon node is configured, so conversions wait."""

    def __init__(
        self,
        store: MarketStore,
        gamma: Markets,
        data: Resolutions,
        receipts: Receipts | None,
        quarantine: Quarantine,
    ) -> None:
        self.store, self.gamma, self.data, self.receipts = store, gamma, data, receipts
        self.quarantine = quarantine
        self._again: dict[str, float] = {}
        self._odd: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None

    async def prepare(self, taken: Sequence[Taken]) -> dict[Converted, Moved]:
        """Before events are booked: facts of the markets that were split, merged or redeemed, receipts of conversions.

        Best effort and short; what cannot be had now is waited for.
        """
        moves = [(one, one.event.kind) for one in taken if isinstance(one.event, Move)]
        conditions = sorted({one.row.condition_id for one, _ in moves})
        redeemed = {one.row.condition_id for one, kind in moves if kind is Kind.REDEEM}
        converted = {(one.row.tx_hash, one.row.wallet) for one, kind in moves if kind is Kind.CONVERSION}
        found: dict[Converted, Moved] = {}
        if not conditions:
            return found
        try:
            async with asyncio.timeout(PREPARE_S):
                lacking = await self.store.lacking(conditions)
                await self.read(self._not_asked(lacking.facts))
                await self.resolve([condition for condition in lacking.payouts if condition in redeemed])
                await self._read_receipts(sorted(converted), found)
        except (TimeoutError, Failure) as failure:
            log.info("facts_not_ready", why=str(failure))
        return found

    def look_up(self) -> None:
        """After events are booked: read what only their ids are known of, beside the work."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._catch_up())

    async def close(self) -> None:
        if self._task is not None:
            await ended(self._task)

    async def read(self, conditions: Sequence[str]) -> int:
        """Facts from Gamma; what it does not list is asked for again later. Returns how many it knew."""
        found = []
        for start in range(0, len(conditions), AT_ONCE):
            batch = conditions[start : start + AT_ONCE]
            found += await self.gamma.markets(batch)
        await self.store.write(found)
        known = {market.condition_id for market in found}
        later = time.monotonic() + AGAIN_S
        self._again |= {condition: later for condition in conditions if condition not in known}
        for condition in known:
            self._again.pop(condition, None)
        return len(known)

    async def resolve(self, conditions: Sequence[str]) -> list[str]:
        """Ask how far these have come, keep it. Returns those that are resolved."""
        if not conditions:
            return []
        found = await self.data.resolutions(conditions)
        return await self.store.write_resolutions([as_message(one) for one in found])

    async def catch_up(self) -> MarketsRead:
        """Everything that waits for facts or receipts, as far as the venue and the chain tell them now."""
        wanted = self._not_asked(await self.store.unread(PAGE))
        known = await self.read(wanted)
        applied = await self.store.apply_waiting(await self._receipts())
        return MarketsRead(markets=known, unknown=len(wanted) - known, applied=applied)

    async def _catch_up(self) -> None:
        try:
            await self.catch_up()
        except Failure as failure:
            log.info("facts_not_read", why=str(failure))
        except Exception:  # nobody awaits this task; the periodic process reports what lasts
            log.exception("facts_not_read")

    async def _receipts(self) -> dict[Converted, Moved]:
        found: dict[Converted, Moved] = {}
        if self.receipts is not None:
            await self._read_receipts(await self.store.conversions(AT_ONCE), found)
        return found

    async def _read_receipts(self, wanted: Sequence[tuple[str, str]], found: dict[Converted, Moved]) -> None:
        """Legs of conversions into `found`, and their markets. An odd receipt goes to quarantine, once."""
        for tx_hash, wallet in wanted:
            if self.receipts is None or (tx_hash, wallet) in self._odd:
                continue
            try:
                told = await self.receipts.conversion(tx_hash, wallet)
            except Failure as failure:
                if failure.code == "quarantined":
                    self._odd.add((tx_hash, wallet))
                    data = failure.data
                    await self.quarantine(str(data["source"]), str(data["kind"]), str(data["reason"]), data["payload"])
                continue
            legs = tuple((leg.token_id, leg.shares) for leg in told.legs)
            unknown = await self.store.strangers([token for token, _ in legs])
            if unknown:
                await self.store.write(await self.gamma.markets((), unknown))
            found[self.store.converted(tx_hash, wallet)] = Moved(legs, told.usdc)

    def _not_asked(self, conditions: Sequence[str]) -> list[str]:
        now = time.monotonic()
        return [condition for condition in conditions if self._again.get(condition, 0.0) <= now]


class MarketFactsActivities:
    def __init__(self, reader: FactsReader) -> None:
        self.reader = reader

    @activity.defn
    async def read_market_facts(self) -> MarketsRead:
        """Read the facts of every market that is not over again, then book what had waited.

        Effect: rows of markets and tokens; what had waited: ledger lines and groups, one transaction.
        Again:  facts are read anew; an event that is booked waits no longer.
        """
        after, known, asked = "", 0, 0
        async with beating():
            while page := await self.reader.store.stale(after, PAGE):
                leave_if_stopping()
                known += await self.reader.read(page)
                asked, after = asked + len(page), page[-1]
            caught = await self.reader.catch_up()
        return MarketsRead(
            markets=known + caught.markets, unknown=asked - known + caught.unknown, applied=caught.applied
        )


def as_message(one: Resolution) -> ResolutionRead:
    return ResolutionRead(
        condition_id=one.condition_id, status=one.status, payouts=one.payouts, resolved_at=one.resolved_at
    )
