"""Funding rounds on the books: accept, activate, cancel, refund. Each is one transaction on the locked asset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.exchange import funding as rules
from domain.exchange import liquidity
from domain.exchange.funding import Ask, Verdict
from domain.exchange.liquidity_messages import (
    AdmitContributions,
    BatchRefunded,
    ContributionState,
    EndRound,
    RefundBatch,
    RoundState,
)
from domain.shared.errors import Broken, Rejected, Unavailable
from domain.shared.events import Event
from domain.shared.ledger import available, lp_principal
from domain.shared.money import USDC, format_usdc
from storage.books import Book, Books
from storage.events import audit, emit
from storage.exchange.pools import AssetFacts, lock_asset, read_positions, show_progress, told, write_positions
from storage.operations import mark_step, set_operation

STUCK: Final = "funding_refund_stuck"


class FundingStore:
    """What the `FundingRound` workflow asks of the books."""

    def __init__(self, books: Books, batch: int = 200) -> None:
        """`batch`: contributions decided or refunded in one transaction."""
        self.books = books
        self.batch = batch

    async def admit(self, command: AdmitContributions) -> RoundState:
        """Decide the oldest requests: book what is accepted, refuse the rest; the soft cap activates at once."""
        async with self.books.begin() as book:
            asset = await lock_asset(book, command.asset_id)
            asks = await _requested(book, asset.id, self.batch)
            at = asset.moment(command.at)
            found = rules.admit(asset.round, asks, await _balances(book, asset.id, asks), at)
            if asks:
                asset = await self._settle(book, asset, found.verdicts, at)
            if asset.status == "funding":
                active = found.round.status == "active"
                asset = await (self._activate(book, asset, at) if active else self._show(book, asset))
            decided = [_state(verdict) for verdict in found.verdicts]
            if command.wanted is not None and all(d.contribution_id != command.wanted for d in decided):
                decided += await _known(book, asset.id, command.wanted)
            return _round(asset, decided, more=len(asks) == self.batch)

    async def _settle(self, book: Book, asset: AssetFacts, verdicts: Sequence[Verdict], at: datetime) -> AssetFacts:
        accepted = [verdict.ask for verdict in verdicts if verdict.code is None]
        refused = [verdict for verdict in verdicts if verdict.code is not None]
        await book.book(*(rules.contribution(asset.id, ask) for ask in accepted))
        before = await read_positions(book, asset.id, {ask.account_id for ask in accepted})
        after = dict(before)
        for ask in accepted:
            after[ask.account_id] = liquidity.contributed(after[ask.account_id], asset.fee_index, ask.amount)
        await book.connection.execute(
            """UPDATE exchange.contributions SET status = 'accepted', accepted_at = %s WHERE id = ANY(%s::uuid[])""",
            [at, [ask.id for ask in accepted]],
        )
        await _refuse(book, asset, refused)
        await emit(book.connection, *(_event("contribution_accepted", asset, ask) for ask in accepted))
        return asset.model_copy(update={"lp_shares_micros": await write_positions(book, asset, before, after)})

    async def _activate(self, book: Book, asset: AssetFacts, at: datetime) -> AssetFacts:
        await book.connection.execute(
            "UPDATE exchange.assets SET status = 'active', activated_at = %s WHERE id = %s", [at, asset.id]
        )
        await mark_step(book.connection, asset.operation_id, "funding", "done", _raised(asset))
        await mark_step(book.connection, asset.operation_id, "decision", "done", "Active: trading is open")
        await mark_step(book.connection, asset.operation_id, "refunds", "skipped")
        asset = asset.model_copy(update={"status": "active"})
        await emit(book.connection, _asset_event("activated", asset))
        return asset

    async def _show(self, book: Book, asset: AssetFacts) -> AssetFacts:
        await show_progress(book, asset.operation_id, "funding", _raised(asset))
        await set_operation(book.connection, asset.operation_id, "waiting", _sentence(asset))
        return asset

    async def end(self, command: EndRound) -> RoundState:
        """Cancel a round that is funding: after its deadline, or because an operator wants it. Refunds come next.

        Asked when it is active or cancelled already it answers that; before the deadline, that it is funding.
        """
        async with self.books.begin() as book:
            asset = await lock_asset(book, command.asset_id)
            at = asset.moment(command.at)
            wanted = command.principal is not None
            if asset.status == "funding" and (wanted or rules.has_failed(asset.round, at)):
                asset = await self._cancel(book, asset, at, command)
            return _round(asset)

    async def _cancel(self, book: Book, asset: AssetFacts, at: datetime, command: EndRound) -> AssetFacts:
        await book.connection.execute(
            "UPDATE exchange.assets SET status = 'cancelled', cancelled_at = %s WHERE id = %s", [at, asset.id]
        )
        await refuse_requested(book, asset)
        why = "The soft cap was not reached by the deadline"
        if command.principal is not None:
            why = "Cancelled by an operator"
            await audit(book.connection, command.principal, "funding_cancelled", asset.id, note=command.note)
        await mark_step(book.connection, asset.operation_id, "funding", "done", _raised(asset))
        await mark_step(book.connection, asset.operation_id, "decision", "done", why)
        await mark_step(book.connection, asset.operation_id, "refunds", "running")
        await set_operation(book.connection, asset.operation_id, "running", f"{why}: refunding {asset.symbol}")
        asset = asset.model_copy(update={"status": "cancelled"})
        await emit(book.connection, _asset_event("cancelled", asset))
        return asset

    async def refund(self, command: RefundBatch) -> BatchRefunded:
        """Give the next accepted contributions back, all of each; one that cannot be booked holds up no other.

        What the books refuse is narrowed down by half as many at a time, and left to `finish`.
        """
        limit = self.batch
        while True:
            try:
                return await self._refund_next(command, limit)
            except Unavailable:
                raise
            except Exception as failure:  # noqa: BLE001 - whatever is wrong with one must not hold up others
                if limit == 1:
                    return await self._skip(command, failure)
                limit //= 2

    async def _refund_next(self, command: RefundBatch, limit: int) -> BatchRefunded:
        async with self.books.begin() as book:
            asset = await lock_asset(book, command.asset_id)
            asks = await _accepted(book, command, limit)
            if asset.status != "cancelled" and asks:
                raise Broken(STUCK, f"asset {asset.symbol} is {asset.status}: nothing is refunded")
            left = await self._give_back(book, asset, asks) if asks else asset.lp_shares_micros
            detail = f"{format_usdc(left)} USDC left to refund"
            await show_progress(book, asset.operation_id, "refunds", detail)
            return BatchRefunded(last=asks[-1].id if len(asks) == limit else None, summary=detail)

    async def _give_back(self, book: Book, asset: AssetFacts, asks: Sequence[Ask]) -> int:
        await book.book(*(rules.refund(asset.id, ask) for ask in asks))
        before = await read_positions(book, asset.id, {ask.account_id for ask in asks})
        after = dict(before)
        for ask in asks:
            after[ask.account_id] = liquidity.contributed(after[ask.account_id], asset.fee_index, -ask.amount)
        await book.connection.execute(
            """UPDATE exchange.contributions SET status = 'refunded', refunded_at = clock_timestamp()
               WHERE id = ANY(%s::uuid[])""",
            [[ask.id for ask in asks]],
        )
        await emit(book.connection, *(_event("contribution_refunded", asset, ask) for ask in asks))
        return await write_positions(book, asset, before, after)

    async def _skip(self, command: RefundBatch, failure: Exception) -> BatchRefunded:
        """Leave the one that cannot be refunded; a failure that has nothing to skip is told as it is."""
        async with self.books.begin() as book:
            asset = await lock_asset(book, command.asset_id)
            asks = await _accepted(book, command, 1)
            if not asks or asset.status != "cancelled":
                raise failure
            detail = f"contribution {asks[0].id} cannot be refunded: {failure}"[:300]
            await show_progress(book, asset.operation_id, "refunds", detail)
            return BatchRefunded(last=asks[0].id, summary=detail)

    async def finish(self, asset_id: str) -> RoundState:
        """End the operation; refuse what was requested meanwhile.

        Raises: Broken funding_refund_stuck when a contribution of a cancelled round is not refunded.
        """
        async with self.books.begin() as book:
            asset = await lock_asset(book, asset_id)
            await refuse_requested(book, asset)
            left, done = await _left(book, asset.id)
            if asset.status == "cancelled" and left:
                stuck = ", ".join(ask.id for ask in await _accepted(book, RefundBatch(asset_id=asset.id), 5))
                raise Broken(STUCK, f"{left} contributions to {asset.symbol} not refunded, {done} were: {stuck}")
            if asset.status == "cancelled":
                summary = f"{asset.symbol} was cancelled; {done} contributions refunded in full"
                await set_operation(book.connection, asset.operation_id, "cancelled", summary)
            else:
                summary = f"{asset.symbol} is active with {format_usdc(asset.lp_shares_micros)} USDC of liquidity"
                await set_operation(book.connection, asset.operation_id, "completed", summary)
            return _round(asset).model_copy(update={"summary": summary})


async def _accepted(book: Book, command: RefundBatch, limit: int) -> list[Ask]:
    return await _asks(
        book,
        "asset_id = %s AND status = 'accepted' AND (%s::uuid IS NULL OR id > %s::uuid) ORDER BY id LIMIT %s",
        [command.asset_id, command.after, command.after, limit],
    )


async def refuse_requested(book: Book, asset: AssetFacts) -> int:
    """Refuse every request that came too late; how many there were."""
    verdicts = [Verdict(ask, "funding_closed") for ask in await _requested(book, asset.id, None)]
    await _refuse(book, asset, verdicts)
    return len(verdicts)


async def _refuse(book: Book, asset: AssetFacts, verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        return
    await book.connection.execute(
        """UPDATE exchange.contributions c SET status = 'refused', refuse_code = v.code
           FROM unnest(%s::uuid[], %s::text[]) AS v(id, code) WHERE c.id = v.id AND c.status = 'requested'""",
        [[v.ask.id for v in verdicts], [v.code for v in verdicts]],
    )
    await emit(book.connection, *(_event("contribution_refused", asset, v.ask, code=v.code) for v in verdicts))


async def _requested(book: Book, asset_id: str, limit: int | None) -> list[Ask]:
    return await _asks(book, "asset_id = %s AND status = 'requested' ORDER BY id LIMIT %s", [asset_id, limit])


async def _asks(book: Book, condition: str, arguments: list[Any]) -> list[Ask]:
    query = f"SELECT id, account_id, amount_micros FROM exchange.contributions WHERE {condition}"
    cursor = await book.connection.execute(query, arguments)
    return [Ask(*row.values()) for row in await cursor.fetchall()]


async def _balances(book: Book, asset_id: str, asks: Sequence[Ask]) -> dict[str, int]:
    """What these accounts can spend; locked in the order in which postings lock, the pool's account among them."""
    owners = {available(ask.account_id): ask.account_id for ask in asks}
    cursor = await book.connection.execute(
        """SELECT account, balance FROM platform.balances WHERE unit = %s AND account = ANY(%s)
           ORDER BY account, unit FOR UPDATE""",
        [USDC, [*owners, lp_principal(asset_id)]],
    )
    return {owners[row["account"]]: row["balance"] for row in await cursor.fetchall() if row["account"] in owners}


async def _known(book: Book, asset_id: str, contribution_id: str) -> list[ContributionState]:
    """What was decided before, or is not decided yet."""
    cursor = await book.connection.execute(
        "SELECT status::text AS status, refuse_code FROM exchange.contributions WHERE id = %s AND asset_id = %s",
        [contribution_id, asset_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"contribution {contribution_id}")
    if row["status"] == "requested":
        return []
    return [ContributionState(contribution_id=contribution_id, status=row["status"], code=row["refuse_code"])]


async def _left(book: Book, asset_id: str) -> tuple[int, int]:
    """Contributions still accepted, and refunded ones."""
    cursor = await book.connection.execute(
        """SELECT count(*) FILTER (WHERE status = 'accepted') AS accepted,
             count(*) FILTER (WHERE status = 'refunded') AS refunded
           FROM exchange.contributions WHERE asset_id = %s""",
        [asset_id],
    )
    row = await cursor.fetchone()
    assert row is not None
    return row["accepted"], row["refunded"]


def _state(verdict: Verdict) -> ContributionState:
    status = "refused" if verdict.code else "accepted"
    return ContributionState(contribution_id=verdict.ask.id, status=status, code=verdict.code)


def _round(asset: AssetFacts, decided: Sequence[ContributionState] = (), *, more: bool = False) -> RoundState:
    status = asset.status if asset.status in ("funding", "cancelled") else "active"
    return RoundState(
        status=status, deadline=asset.funding_deadline, summary=_sentence(asset), decided=tuple(decided), more=more
    )


def _raised(asset: AssetFacts) -> str:
    return f"{format_usdc(asset.lp_shares_micros)} of {format_usdc(asset.soft_cap_micros)} USDC"


def _sentence(asset: AssetFacts) -> str:
    if asset.status == "funding":
        return f"{asset.symbol} raised {_raised(asset)}; open until {asset.funding_deadline:%Y-%m-%d %H:%M} UTC"
    return f"{asset.symbol} is {asset.status}; raised {_raised(asset)}"


def _event(kind: str, asset: AssetFacts, ask: Ask, *, code: str | None = None) -> Event:
    return told(kind, ask.account_id, asset, id=ask.id, amount_usdc=format_usdc(ask.amount), code=code)


def _asset_event(kind: str, asset: AssetFacts) -> Event:
    raised = format_usdc(asset.lp_shares_micros)
    return Event(
        topic="assets",
        type=kind,
        payload={"asset_id": asset.id, "symbol": asset.symbol, "status": kind, "lp_principal_usdc": raised},
    )
