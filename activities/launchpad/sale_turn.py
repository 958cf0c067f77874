"""One turn of the feed of sales: look at every account, read the histories of those that moved, compare the two.

Each sale alone: whatever is wrong with one calls an operator and keeps no other from being read.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from temporalio import activity

from domain.launchpad.chain_time import CLOCK, time_of
from domain.launchpad.sale import SaleState, Told
from domain.launchpad.sale_life import ENDED, Phase, phase, status
from domain.launchpad.sale_messages import Followed, SaleNews, ToldTransaction
from domain.shared import ids
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from domain.launchpad.solana import Account, ChainTransaction, SignatureRow
    from gateways.protocols import SolanaNodes
    from gateways.solana.sale_program import SaleProgram
    from storage.launchpad.sale_feed import SaleFeedStore

ACCOUNTS_MOST: Final = 99
"""In one call, beside the clock."""
PAGE: Final = 1_000
BATCH: Final = 50
"""Transactions that are read together and booked together."""
READS_AT_ONCE: Final = 8
REREAD_S: Final = 15.0
"""So often the history of a sale is looked at whose account did not move."""
REREAD_ENDED_S: Final = 60.0
QUIET_S: Final = 600.0
"""So often a sale is looked at in which nobody waits for anything any more."""
QUIET_AT_ONCE: Final = 5
"""Such sales in one look: however many there are, the others come every time."""
POKE_S: Final = 10.0
DIFFERS_REREAD_S: Final = 5.0
DIFFERS_ALERT_S: Final = 20.0
REREAD_AGAIN_S: Final = 300.0
"""So often the whole history is read of a sale that stays different."""
REREAD_MOST: Final = 500
"""Transactions of it in one look, after the other sales."""
BROKEN_S: Final = 15.0
"""A sale that could not be booked is tried again after so long."""
UNREAD_ALERT_S: Final = 60.0

T = TypeVar("T")


@dataclass
class Collaborators:
    """`read_events`: (program, transaction) → what it told.  `older`: (address, until, before) → the longest history
    any node tells.  `signal`: (workflow id, name, argument) → False when none runs."""

    nodes: SolanaNodes
    program: SaleProgram
    read_events: Callable[[str, ChainTransaction], Told]
    quarantine: Callable[[str, str, str, Any], Awaitable[None]]
    signal: Callable[[str, str, SaleNews], Awaitable[bool]]
    redispatch: Callable[[list[str]], Awaitable[None]]
    older: Callable[[str, str | None, str], Awaitable[list[SignatureRow]]]


@dataclass
class _Seen:
    """What this turn remembers of a sale. `differs_since`: the account is not what its events add up to; `reread`: its
    whole history is due; `tried`: what was fetched of it again; `broken_at`: when it could not be booked."""

    digest: bytes = b""
    read_at: float = -math.inf
    poked_at: float = -POKE_S
    differs_since: float | None = None
    reread_at: float = -REREAD_AGAIN_S
    reread: bool = False
    tried: set[str] = field(default_factory=set)
    broken_at: float = -BROKEN_S
    unread_since: float | None = None
    alerted: bool = False
    agreed: bool = False

    @property
    def uneasy(self) -> bool:
        """Something about it is not as it should be."""
        return self.broken_at > 0 or self.differs_since is not None or self.unread_since is not None


@dataclass
class SaleTurn:
    """Owns the feed's connection for a while."""

    store: SaleFeedStore
    with_: Collaborators
    recorded: int = 0
    _seen: dict[str, _Seen] = field(default_factory=dict)

    async def look(self) -> None:
        """At every sale once, at some of the quiet ones; then the histories again of those that stay different.

        Raises: Unavailable when none could be read.
        """
        away: list[Unavailable] = []
        followed = await self.store.followed()
        sales = self._chosen(followed)
        for some in _some(sales, ACCOUNTS_MOST):
            addresses = [CLOCK, *(sale.address for sale in some)]
            clock, *accounts = await self.with_.nodes.accounts(addresses, commitment="finalized")
            if clock is None:
                raise Unavailable("solana_unavailable", "a node does not know the clock")
            for sale, account in zip(some, accounts, strict=True):
                if account is not None:
                    away += await self._alone(sale, self._look_at(sale, account, time_of(clock.data)))
        if away and len(away) == len(followed):
            raise away[-1]
        for sale in sales:
            if self._of(sale).reread:
                await self._alone(sale, self._reread(sale))

    def _chosen(self, sales: Sequence[Followed]) -> list[Followed]:
        """All that are not quiet or not as they should be; of the others those that were not looked at for longest."""
        chosen = [sale for sale in sales if not sale.quiet or self._of(sale).uneasy]
        rested = time.monotonic() - QUIET_S
        due = [sale for sale in sales if sale.quiet and not self._of(sale).uneasy and self._of(sale).read_at < rested]
        return chosen + sorted(due, key=lambda sale: self._of(sale).read_at)[:QUIET_AT_ONCE]

    def _of(self, sale: Followed) -> _Seen:
        return self._seen.setdefault(sale.id, _Seen())

    async def _alone(self, sale: Followed, work: Coroutine[Any, Any, None]) -> list[Unavailable]:
        """Do it. What is wrong with this sale is told of it; a connection that is lost ends the turn."""
        try:
            await work
        except Unavailable as away:
            await self._unread(sale, away)
            return [away]
        except Exception as broken:
            if self.store.lost:
                raise
            activity.logger.exception("sale %s was not booked", sale.id)
            seen = self._of(sale)
            seen.broken_at, seen.agreed = time.monotonic(), False
            await self.store.differs(sale, (f"its history cannot be booked: {type(broken).__name__}: {broken}",))
        return []

    async def _unread(self, sale: Followed, away: Unavailable) -> None:
        activity.logger.warning("sale %s was not read: %s", sale.id, away.detail)
        seen, now = self._of(sale), time.monotonic()
        seen.unread_since = seen.unread_since or now
        if now > seen.unread_since + UNREAD_ALERT_S and not seen.alerted:
            await self.store.differs(sale, (f"its history cannot be read: {away.detail}",))
            seen.alerted = True

    async def _look_at(self, sale: Followed, account: Account, now: int) -> None:
        seen = self._of(sale)
        state = self.with_.program.read_sale(account.address, account.data)
        digest = hashlib.sha256(account.data).digest()
        pause = REREAD_ENDED_S if sale.status in ENDED else REREAD_S
        due = time.monotonic() > seen.read_at + pause
        moved = digest != seen.digest or due or seen.differs_since is not None
        if moved and time.monotonic() > seen.broken_at + BROKEN_S:
            reached = await self._book(sale, await self._rows(sale, sale.cursor or None))
            found = await self.store.observed(sale, state, account.slot, now)
            if reached <= account.slot:  # events that are younger than the account say nothing about it
                await self._judge(sale, seen, found)
            seen.digest, seen.read_at = digest, time.monotonic()
            seen.unread_since, seen.broken_at = None, -BROKEN_S
        await self._poke(sale, seen, state, now)

    async def _reread(self, sale: Followed) -> None:
        """Fetch again what told nothing of the sale yet, or not all; some in each look until the history is through."""
        seen = self._of(sale)
        rows = await self._rows(sale, None)
        whole = seen.tried | await self.store.read_whole(sale, [row.signature for row in rows])
        missing = [row for row in rows if row.signature not in whole][:REREAD_MOST]
        await self._book(sale, missing, again=True)
        seen.tried |= {row.signature for row in missing}
        if len(missing) < REREAD_MOST:
            seen.reread, seen.reread_at, seen.tried = False, time.monotonic(), set()

    async def _book(self, sale: Followed, rows: Sequence[SignatureRow], *, again: bool = False) -> int:
        """Book what these told; the slot of the last transaction that concerns the sale. `again`: not where the books
        end."""
        reached = sale.cursor_slot
        for some in _some(rows, BATCH):
            page = await self._told(some)
            chains = await self._uplines(sale, page)
            self.recorded += await self.store.record(sale, page, chains, move=not again)
            reached = max(reached, page[-1].slot)
        return reached

    async def _rows(self, sale: Followed, until: str | None) -> list[SignatureRow]:
        """Everything after `until`, oldest first. A short page may be a node's that does not know `before`: the history
        is at its end when no node knows more."""
        found: list[SignatureRow] = []
        while True:
            before = found[-1].signature if found else None
            page = await self.with_.nodes.signatures_for(sale.address, until=until, before=before, limit=PAGE)
            found += page
            if len(page) < PAGE:
                older = await self.with_.older(sale.address, until, found[-1].signature) if found else []
                if not older:
                    return found[::-1]
                found += older

    async def _told(self, rows: Sequence[SignatureRow]) -> list[ToldTransaction]:
        """What these transactions told; those that failed told nothing."""
        limit = asyncio.Semaphore(READS_AT_ONCE)

        async def one(row: SignatureRow) -> ToldTransaction:
            async with limit:
                return await self._told_by(row)

        return await asyncio.gather(*(one(row) for row in rows))

    async def _told_by(self, row: SignatureRow) -> ToldTransaction:
        nothing = ToldTransaction(row.signature, row.slot, row.block_time)
        if row.err is not None:
            return nothing
        found = await self.with_.nodes.transaction(row.signature)
        if found is None:
            raise Unavailable("solana_unavailable", f"{row.signature} is in the history, but no node has it")
        if found.err is not None:
            return nothing
        told = self.with_.read_events(self.with_.program.program, found)
        for data in told.unknown:
            payload = {"signature": row.signature, "slot": row.slot, "data": data}
            await self.with_.quarantine("solana", "sale_event", "the program told what its IDL does not know", payload)
        block_time = row.block_time if row.block_time is not None else found.block_time
        return ToldTransaction(row.signature, row.slot, block_time, told.events)

    async def _uplines(self, sale: Followed, page: Sequence[ToldTransaction]) -> dict[str, tuple[str, ...]]:
        """The chains of those who traded with one; it is fixed at registration, so it can be read at any time."""
        events = (event for transaction in page for _, event in transaction.events)
        traders = {event.data["trader"] for event in events if event.kind in ("Traded", "ReferralSettled")}
        found = await self.store.uplines(sorted(traders))
        told = (event for transaction in page for _, event in transaction.events if event.kind == "Traded")
        for trader in sorted({event.data["trader"] for event in told if event.data["referral"]} - set(found)):
            address = self.with_.program.addresses.referral(trader)
            account = await self.with_.nodes.account(address, commitment="finalized")
            if account is None:
                raise Unavailable("solana_unavailable", f"{trader} traded with uplines, but no node has its account")
            found[trader] = self.with_.program.read_referral(account.data).upline
        return found

    async def _judge(self, sale: Followed, seen: _Seen, found: tuple[str, ...]) -> None:
        """A node's history may be behind its accounts for a moment. What stays different is read anew, then told."""
        now = time.monotonic()
        if not found:
            if not seen.agreed or seen.differs_since is not None:
                await self.store.agrees(sale)
            seen.differs_since, seen.reread, seen.alerted, seen.agreed = None, False, False, True
            seen.tried = set()
            return
        seen.agreed = False
        seen.differs_since = seen.differs_since or now
        seen.reread = seen.reread or now > max(seen.differs_since + DIFFERS_REREAD_S, seen.reread_at + REREAD_AGAIN_S)
        if now > seen.differs_since + DIFFERS_ALERT_S and not seen.alerted:
            await self.store.differs(sale, found)
            seen.alerted = True

    async def _poke(self, sale: Followed, seen: _Seen, state: SaleState, now: int) -> None:
        """Wake the sale's process when the chain is further than its row."""
        found = phase(state, now)
        behind = status(found, state.held) != sale.status or found is Phase.GRADUATING
        if sale.status in ENDED or not behind or time.monotonic() < seen.poked_at + POKE_S:
            return
        seen.poked_at = time.monotonic()
        news = SaleNews(cause=f"the chain says {found}")
        running = await self.with_.signal(ids.curve_sale(sale.project_id), "look", news)
        if not running and sale.operation_id is not None:
            await self.with_.redispatch([sale.operation_id])


def _some(of: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (of[start : start + size] for start in range(0, len(of), size))
