"""One transaction of ingest: canonical rows, the shadow, groups, how far was read, what is told. Set-wise throughout.

The caller's transaction holds INGEST, so detect times rise with commits. A row that is there already changes nothing,
so the same rows may come from any number of readings (polls, triggers, backfills), in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from domain.copytrade.grouping import Part
from domain.copytrade.groups import GroupKind
from domain.copytrade.legs import Applied, Cannot, Outcome
from domain.copytrade.normalise import Move, Recorded, Trade
from domain.copytrade.readings import Taken
from domain.copytrade.shadow import NOTHING_LEFT, Moved, Seen, Shadow
from domain.copytrade.venue import Kind
from domain.shared.events import Event
from storage.copytrade import event_rows, shadow
from storage.copytrade.grouping import group
from storage.copytrade.shadow import Booking, Needs
from storage.database import Connection
from storage.events import audit, emit

_USERS: Final = """
SELECT id, followed_since FROM copytrade.followed_users
WHERE id = ANY(%s::uuid[]) AND baseline_at IS NOT NULL AND unfollowed_at IS NULL
"""
_NOW: Final = "SELECT clock_timestamp() AS now"
_CHECKPOINTS: Final = """
INSERT INTO copytrade.checkpoints AS c (key, value)
SELECT 'api:lastActivityTime:' || v.id, jsonb_build_object('at', v.at) FROM unnest(%s::text[], %s::text[]) AS v(id, at)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()
WHERE (c.value->>'at')::timestamptz < (excluded.value->>'at')::timestamptz
"""


_CLAIMED: Final = """
SELECT v.tx_hash, v.wallet FROM copytrade.activity_events v JOIN copytrade.activity_applications a ON a.event_id = v.id
WHERE v.tx_hash = ANY(%s::text[]) AND v.kind = 'CONVERSION' AND a.state = 'applied'
"""


class Converted(NamedTuple):
    """A transaction with conversions of a wallet."""

    tx_hash: str
    wallet: str


Receipts = Mapping[Converted, Moved]


class Written(NamedTuple):
    """What was new. `groups`: keys opened or joined."""

    trades: int = 0
    activities: int = 0
    entries: int = 0
    groups: tuple[str, ...] = ()
    event_ids: frozenset[str] = frozenset()


class Folded(NamedTuple):
    """One event to fold: whose it is, and whether it may be copied."""

    user_id: str
    seen: Seen
    live: bool


async def ingest(
    connection: Connection,
    taken: Sequence[Taken],
    seed: str,
    *,
    backfilled: bool = False,
    receipts: Receipts | None = None,
    at: datetime | None = None,
) -> Written:
    """Write what is new of these rows and all that follows from it; the caller holds INGEST.

    Args:  seed  of the jitter.   backfilled  the shadow follows, nothing is copied.   receipts  of conversions, those
           that could be read already.   at  the detect time a tape gives; else it is now.
    """
    users = {row["id"]: row["followed_since"] for row in await _users(connection, taken)}
    taken = [one for one in taken if one.user_id in users]
    if not taken:
        return Written()
    now = at or await clock(connection)
    before = {one.event_id for one in taken if one.event_time < users[one.user_id]}
    await event_rows.know_wallets(connection, taken)
    await event_rows.know_markets(connection, taken)
    new = await event_rows.insert(connection, taken, now, before, backfilled=backfilled)
    await _checkpoints(connection, taken)
    fresh = [one for one in taken if one.event_id in new]
    ignored = {one.event_id: why for one in fresh if (why := _ignored(one, before))}
    booked = [one for one in fresh if one.event_id not in before and not isinstance(one.event, Recorded)]
    told = await unclaimed(connection, receipts or {})
    events = [Folded(one.user_id, _seen(one, told), not backfilled) for one in booked]
    entries, groups = await fold(connection, events, seed, now, ignored)
    trades = sum(isinstance(one.event, Trade) for one in fresh)
    written = Written(trades, len(fresh) - trades, entries, groups, frozenset(new))
    await _tell(connection, fresh, before, backfilled)
    return written


async def fold(
    connection: Connection, events: Sequence[Folded], seed: str, now: datetime, ignored: Mapping[str, str]
) -> tuple[int, tuple[str, ...]]:
    """Book events into their shadows, in order of time, and group those that may be copied.

    Returns: lines of the ledger, keys of groups.
    """
    if not events:
        await shadow.note(connection, {}, ignored)
        return 0, ()
    opened = await shadow.opened(connection, _needs(events), [event.seen.event_id for event in events])
    for event in sorted(events, key=lambda one: one.seen.event_time):
        opened.shadows[event.user_id].apply(event.seen)
    outcomes: dict[str, Outcome] = {}
    for one in opened.shadows.values():
        outcomes |= one.outcomes
    bookings = [Booking(opened.ledgers[user], one.lines, one.holdings) for user, one in opened.shadows.items()]
    entries = await shadow.write(connection, bookings)
    await shadow.note(connection, outcomes, ignored)
    await _trace(connection, outcomes)
    parts = [part for event in events if event.live and (part := _part(event, outcomes, opened.shadows))]
    if not parts:
        return entries, ()
    done = await group(connection, parts, seed, now)
    opened_keys = [one.group_key for one in done.groups if one.new]
    if opened_keys:
        await emit(
            connection,
            *(Event(topic="copytrade", type="group_opened", payload={"group_key": key}) for key in opened_keys),
        )
    return entries, tuple(one.group_key for one in done.groups)


async def clock(connection: Connection) -> datetime:
    """The database's clock: what detect times are read from."""
    row = await (await connection.execute(_NOW)).fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


async def _users(connection: Connection, taken: Iterable[Taken]) -> list[dict[str, Any]]:
    return await (await connection.execute(_USERS, [sorted({one.user_id for one in taken})])).fetchall()


async def _checkpoints(connection: Connection, taken: Iterable[Taken]) -> None:
    """The time of the newest row that is stored: never further than what was read, and never back."""
    newest: dict[str, datetime] = {}
    for one in taken:
        newest[one.user_id] = max(one.event_time, newest.get(one.user_id, one.event_time))
    users = sorted(newest)
    await connection.execute(_CHECKPOINTS, [users, [newest[user].isoformat() for user in users]])


def _ignored(one: Taken, before: set[str]) -> str:
    if isinstance(one.event, Recorded):
        return one.event.why
    return "before following began" if isinstance(one.event, Move) and one.event_id in before else ""


def _seen(one: Taken, told: dict[Converted, Moved]) -> Seen:
    assert not isinstance(one.event, Recorded)
    moved = claim(told, one.row.tx_hash, one.row.wallet) if one.row.kind is Kind.CONVERSION else None
    return Seen(one.event_id, one.row.condition_id, one.row.token_id, one.event_time, one.event, moved)


async def unclaimed(connection: Connection, receipts: Receipts) -> dict[Converted, Moved]:
    """A receipt tells the legs of all conversions in its transaction: they belong to the first row, so to none when one
    of them is booked already."""
    if not receipts:
        return {}
    cursor = await connection.execute(_CLAIMED, [sorted({one.tx_hash for one in receipts})])
    claimed = {Converted(row["tx_hash"], row["wallet"]) for row in await cursor.fetchall()}
    return {one: NOTHING_LEFT if one in claimed else moved for one, moved in receipts.items()}


def claim(told: dict[Converted, Moved], tx_hash: str, wallet: str) -> Moved | None:
    """What a row brings; the next of its transaction brings nothing. None: its receipt has not been read."""
    key = Converted(tx_hash, wallet)
    moved = told.get(key)
    if moved is not None:
        told[key] = NOTHING_LEFT
    return moved


def _needs(events: Iterable[Folded]) -> dict[str, Needs]:
    needs: dict[str, Needs] = {}
    for user_id, seen, _ in events:
        need = needs.setdefault(user_id, Needs(set(), set()))
        moved = seen.moved.legs if seen.moved is not None else ()
        need.tokens.update(token for token in (seen.token_id, *(t for t, _ in moved)) if token)
        if isinstance(seen.what, Move):
            need.conditions.add(seen.condition_id)
            kind = seen.what.kind
            needs[user_id] = need._replace(
                redeems=need.redeems or kind is Kind.REDEEM, converts=need.converts or kind is Kind.CONVERSION
            )
    return needs


def _part(event: Folded, outcomes: Mapping[str, Outcome], shadows: Mapping[str, Shadow]) -> Part | None:
    """What an event adds to its group; None while its legs are not known."""
    seen, what = event.seen, event.seen.what
    if isinstance(what, Trade):
        amounts = (what.shares, what.notional, what.usdc, what.fee)
        return _as_part(event, GroupKind(what.side), (seen.token_id,), amounts)
    outcome = outcomes.get(seen.event_id)
    if not isinstance(outcome, Applied):
        return None
    tokens = tuple(leg.token_id for leg in outcome.legs) or tuple(token for token, _ in outcome.settled)
    if what.kind is not Kind.CONVERSION:
        market = shadows[event.user_id].known.markets.get(seen.condition_id)
        tokens = market.tokens if market is not None and market.tokens else tokens
    if not tokens:
        return None
    return _as_part(event, GroupKind(what.kind), tokens, (what.shares, what.usdc, what.usdc, 0))


def _as_part(event: Folded, kind: GroupKind, tokens: tuple[str, ...], amounts: tuple[int, int, int, int]) -> Part:
    seen = event.seen
    return Part(seen.event_id, event.user_id, kind, seen.condition_id, tokens, seen.event_time, *amounts)


async def _trace(connection: Connection, outcomes: Mapping[str, Outcome]) -> None:
    """What cannot be booked leaves a trace for operators (CT-067)."""
    for event_id, outcome in outcomes.items():
        if isinstance(outcome, Cannot):
            await audit(connection, "ingest", "MERGE_SPLIT_NOT_APPLICABLE", event_id, why=outcome.why)


async def _tell(connection: Connection, fresh: Sequence[Taken], before: set[str], backfilled: bool) -> None:
    """One event per leader and transaction."""
    counted: dict[str, list[int]] = {}
    for one in fresh:
        if one.event_id not in before:
            count = counted.setdefault(one.user_id, [0, 0])
            count[not isinstance(one.event, Trade)] += 1
    events = [
        Event(
            topic="copytrade",
            type="leader_events",
            payload={"followed_user_id": user, "trades": trades, "activities": others, "backfilled": backfilled},
        )
        for user, (trades, others) in sorted(counted.items())
    ]
    if events:
        await emit(connection, *events)
