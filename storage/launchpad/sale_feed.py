"""The feed's side of sales: which are followed, what was told about them, and what their accounts say.

Everything one page of transactions tells is one transaction: events, positions, referrals, counters, outbox and the
cursor. An event is a row once, by its signature and its place; what is read again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from psycopg.types.json import Jsonb

from domain.launchpad.folding import (
    Move,
    Paid,
    Totals,
    amounts_of,
    counters,
    crosses,
    differences,
    move_of,
    totals_of,
    wallet_of,
)
from domain.launchpad.sale import Emitted, SaleState
from domain.launchpad.sale_messages import Followed, ToldTransaction
from domain.launchpad.sale_news import Of, news
from storage.database import Connection
from storage.events import emit, new_id, raise_alert, resolve_alert
from storage.launchpad.referrals import earn, known, settle, unearn

_FOLLOWED: Final = """
SELECT id, project_id, address, decimals, cursor, cursor_slot, status::text AS status, operation_id,
  CASE WHEN status IN ('refunded', 'cancelled') THEN coalesce((counters->>'reclaimed')::boolean, false)
    WHEN status = 'graduated' THEN coalesce((counters->>'held')::numeric = 0
      AND (counters->>'tax_held')::numeric = 0 AND (counters->>'other_due')::numeric = 0, false)
    ELSE false END
  AND NOT EXISTS (SELECT 1 FROM launchpad.transactions t WHERE t.subject_kind = 'sale' AND t.subject_id = s.id
    AND t.updated_at > clock_timestamp() - interval '2 minutes') AS quiet
FROM launchpad.sales s ORDER BY id
"""
_EVENT: Final = """
INSERT INTO launchpad.sale_events
  (sale_id, signature, ordinal, slot, block_time, kind, wallet, tokens, value_lamports, tax_lamports, data)
VALUES (%s, %s, %s, %s, to_timestamp(%s), %s, %s, %s, %s, %s, %s) ON CONFLICT (signature, ordinal) DO NOTHING
RETURNING id
"""
_MOVE: Final = """
INSERT INTO launchpad.sale_positions AS p (sale_id, wallet, bought, sold, held, claimed, paid_lamports,
  received_lamports, tax_lamports, refunded_lamports, referrer)
VALUES (%(sale)s, %(wallet)s, %(bought)s, %(sold)s, %(held)s, %(claimed)s, %(paid)s, %(received)s, %(tax)s,
  %(refunded)s, %(referrer)s)
ON CONFLICT (sale_id, wallet) DO UPDATE SET bought = p.bought + excluded.bought, sold = p.sold + excluded.sold,
  held = p.held + excluded.held, claimed = p.claimed + excluded.claimed,
  paid_lamports = p.paid_lamports + excluded.paid_lamports,
  received_lamports = p.received_lamports + excluded.received_lamports,
  tax_lamports = p.tax_lamports + excluded.tax_lamports,
  refunded_lamports = p.refunded_lamports + excluded.refunded_lamports,
  referrer = coalesce(p.referrer, excluded.referrer), updated_at = clock_timestamp()
"""
_ADD: Final = """
UPDATE launchpad.sales SET sold = sold + %(sold)s, raised_lamports = raised_lamports + %(raised)s,
  held = held + %(held)s, tax_total_lamports = tax_total_lamports + %(tax)s,
  latched_at = least(latched_at, to_timestamp(%(latched_at)s)),
  graduated_at = least(graduated_at, to_timestamp(%(graduated_at)s)),
  pool_address = coalesce(pool_address, %(pool)s)
WHERE id = %(id)s
"""
_CROSSED: Final = """
SELECT EXISTS (SELECT 1 FROM launchpad.sale_events WHERE sale_id = %s AND kind = 'Traded'
  AND (signature, ordinal) <> (%s, %s) AND (data->>'is_buy')::boolean AND (data->>'latched')::boolean
  AND (data->>'raised')::numeric - value_lamports < %s) AS crossed
"""
_READ: Final = """
SELECT e.signature FROM launchpad.sale_events e WHERE e.sale_id = %s AND e.signature = ANY(%s)
  AND NOT EXISTS (SELECT 1 FROM platform.quarantine q WHERE q.source = 'solana' AND q.kind = 'sale_event'
    AND q.payload->>'signature' = e.signature)
"""
_DISTRIBUTION: Final = """
INSERT INTO launchpad.tax_distributions (id, sale_id, signature, ordinal, marketing_lamports, treasury_lamports,
  rewards_lamports, burn_lamports, burned, on_chain_data, distributed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, to_timestamp(%s))
"""
_NOBODY: Final = "11111111111111111111111111111111"


class _Place(NamedTuple):
    sale: Followed
    transaction: ToldTransaction
    ordinal: int
    soft_cap: int


class SaleFeedStore:
    """On the feed's one connection (storage/fence.py): two workers that both believe they are the feed cannot both
    write."""

    def __init__(self, connection: Connection, program: str) -> None:
        self.connection, self.program = connection, program

    async def followed(self) -> list[Followed]:
        """Every sale; one that ended is still told about (claims, vesting, burns)."""
        cursor = await self.connection.execute(_FOLLOWED)
        return [Followed(**row) for row in await cursor.fetchall()]

    async def uplines(self, wallets: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The chains that are known already."""
        return await known(self.connection, self.program, wallets)

    @property
    def lost(self) -> bool:
        """The connection is gone: another worker is the feed, or the database is away."""
        return self.connection.closed or self.connection.broken

    async def read_whole(self, sale: Followed, signatures: Sequence[str]) -> set[str]:
        """Those of them that told of the sale and held nothing back from us."""
        cursor = await self.connection.execute(_READ, [sale.id, list(signatures)])
        return {row["signature"] for row in await cursor.fetchall()}

    async def record(
        self,
        sale: Followed,
        page: Sequence[ToldTransaction],
        uplines: Mapping[str, tuple[str, ...]],
        *,
        move: bool = True,
    ) -> int:
        """What these transactions told of the sale, oldest first. How many events are new.

        Args:  uplines  of every trader in it that has any.   move  the cursor behind the last of them.
        """
        new = 0
        async with self.connection.transaction():
            cursor = await self.connection.execute(
                "SELECT soft_cap_lamports FROM launchpad.sales WHERE id = %s FOR UPDATE", [sale.id]
            )
            row = await cursor.fetchone()
            assert row is not None, "a sale that is followed has its row"
            for transaction in page:
                for ordinal, event in transaction.events:
                    place = _Place(sale, transaction, ordinal, row["soft_cap_lamports"])
                    if event.data.get("sale") == sale.address and await self._keep(place, event):
                        await self._fold(place, event, uplines.get(wallet_of(event) or "", ()))
                        new += 1
            if move:
                last = page[-1]
                await self.connection.execute(
                    "UPDATE launchpad.sales SET cursor = %s, cursor_slot = %s WHERE id = %s AND cursor_slot <= %s",
                    [last.signature, last.slot, sale.id, last.slot],
                )
        return new

    async def _keep(self, place: _Place, event: Emitted) -> bool:
        sale, transaction, ordinal, _ = place
        cursor = await self.connection.execute(
            _EVENT,
            [
                *(sale.id, transaction.signature, ordinal, transaction.slot, transaction.block_time, event.kind),
                *(wallet_of(event), *amounts_of(event), Jsonb(event.data)),
            ],
        )
        return await cursor.fetchone() is not None

    async def _fold(self, place: _Place, event: Emitted, uplines: tuple[str, ...]) -> None:
        """By what the event itself says, never by what was read before it: a hole may be filled much later."""
        sale, wallet = place.sale, wallet_of(event)
        latches = await self._latches(place, event)
        latched_before = bool(event.data.get("latched")) and not latches
        refundable = event.kind in ("Traded", "Refunded") and not latched_before
        paid = await self._paid(sale, wallet) if refundable else Paid()
        await self._add(sale, event, totals_of(event, latched_before, paid))
        move = move_of(event, latched_before)
        if move is not None:
            await self._move(sale, move, uplines)
        if event.kind == "Traded" and event.data["referral"] and not paid.refunded:
            await earn(self.connection, self.program, wallet or "", uplines, event.data["tax"], sale.id)
        elif event.kind == "Refunded":
            await unearn(self.connection, self.program, wallet or "", sale.id)
        elif event.kind == "ReferralSettled":
            await settle(self.connection, self.program, wallet or "", event.data["shares"])
        elif event.kind in ("Distributed", "Burned"):
            await self._distribution(place, event)
        of = Of(sale.project_id, sale.id, sale.decimals, place.transaction.signature)
        told = news(event, of, uplines, latches)
        if told:
            await emit(self.connection, *told)

    async def _latches(self, place: _Place, event: Emitted) -> bool:
        """Is it the trade with which the soft cap was reached?"""
        if not crosses(event, place.soft_cap):
            return False
        cursor = await self.connection.execute(
            _CROSSED, [place.sale.id, place.transaction.signature, place.ordinal, place.soft_cap]
        )
        row = await cursor.fetchone()
        return row is not None and not row["crossed"]

    async def _paid(self, sale: Followed, wallet: str | None) -> Paid:
        cursor = await self.connection.execute(
            """SELECT paid_lamports AS value, tax_lamports AS tax, refunded_lamports > 0 AS refunded
               FROM launchpad.sale_positions WHERE sale_id = %s AND wallet = %s""",
            [sale.id, wallet],
        )
        row = await cursor.fetchone()
        return Paid(**row) if row else Paid()

    async def _add(self, sale: Followed, event: Emitted, totals: Totals) -> None:
        graduated = event.kind == "Graduated"
        pool = event.data["pool"] if graduated and event.data["pool"] != _NOBODY else None
        await self.connection.execute(
            _ADD,
            {
                **{"id": sale.id, "sold": totals.sold, "raised": totals.raised, "held": totals.held},
                **{"tax": totals.tax_total, "pool": pool},
                "latched_at": event.data["at"] if event.data.get("latched") else None,
                "graduated_at": event.data["at"] if graduated else None,
            },
        )

    async def _move(self, sale: Followed, move: Move, uplines: tuple[str, ...]) -> None:
        values: dict[str, Any] = {**move._asdict(), "sale": sale.id}
        await self.connection.execute(_MOVE, values | {"referrer": uplines[0] if uplines else None})

    async def _distribution(self, place: _Place, event: Emitted) -> None:
        sale, transaction, ordinal, _ = place
        data = event.data
        burned = event.kind == "Burned"
        parts = (0, 0, 0) if burned else (data["marketing"], data["treasury"], data["rewards"])
        burn = (data["lamports"], data["tokens"]) if burned else (0, 0)
        await self.connection.execute(
            _DISTRIBUTION,
            [
                *(new_id(), sale.id, transaction.signature, ordinal, *parts, *burn),
                *(Jsonb({"kind": event.kind, **data}), transaction.block_time),
            ],
        )

    async def observed(self, sale: Followed, state: SaleState, slot: int, chain_time: int) -> tuple[str, ...]:
        """Keep what the Sale account says, never an older reading over a newer one; where it and the events differ."""
        async with self.connection.transaction():
            await self.connection.execute(
                """UPDATE launchpad.sales SET counters = %s, tax_held_lamports = %s, read_slot = %s,
                     read_at = clock_timestamp() WHERE id = %s AND read_slot <= %s""",
                [Jsonb(counters(state, chain_time)), state.tax_held, slot, sale.id, slot],
            )
            cursor = await self.connection.execute(
                """SELECT sold, raised_lamports AS raised, held, tax_total_lamports AS tax_total,
                     latched_at IS NOT NULL AS latched FROM launchpad.sales WHERE id = %s""",
                [sale.id],
            )
            row = await cursor.fetchone()
        assert row is not None
        latched = bool(row.pop("latched"))
        return differences(Totals(**row), latched, state)

    async def differs(self, sale: Followed, found: tuple[str, ...]) -> None:
        """Call an operator: events and account of a sale disagree, and stay so."""
        async with self.connection.transaction():
            await raise_alert(self.connection, "chain_differs", sale.id, "; ".join(found), critical=True)

    async def agrees(self, sale: Followed) -> None:
        """The alert of this sale is over, if it had one."""
        async with self.connection.transaction():
            await resolve_alert(self.connection, "chain_differs", sale.id, "sale feed")
