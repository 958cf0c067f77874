"""What funding, payouts and fee claims share: the locked asset, providers' positions, operations written set-wise.

Lock rule: the asset's row first (FOR NO KEY UPDATE, which the foreign keys of order intake do not wait for), balances
afterwards, in order of account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from psycopg.types.json import Json
from pydantic import BaseModel, ConfigDict

from domain.exchange.funding import Round
from domain.exchange.liquidity import Position
from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.books import Book
from storage.operations import mark_step


class AssetFacts(BaseModel):
    """An asset's row, and the database's clock when it was locked."""

    model_config = ConfigDict(frozen=True)
    id: str
    symbol: str
    status: str
    soft_cap_micros: int
    hard_cap_micros: int
    funding_deadline: datetime
    lp_shares_micros: int
    fee_index: int
    operation_id: str | None
    clock: datetime

    @property
    def round(self) -> Round:
        return Round(
            self.status, self.lp_shares_micros, self.soft_cap_micros, self.hard_cap_micros, self.funding_deadline
        )

    def moment(self, at: datetime) -> datetime:
        """Business time: what the workflow saw, or the clock when that is later."""
        return max(at, self.clock)


async def lock_asset(book: Book, asset_id: str) -> AssetFacts:
    """Lock the asset for everything that changes it. Raises: Rejected not_found."""
    cursor = await book.connection.execute(
        """SELECT id, symbol, status::text AS status, soft_cap_micros, hard_cap_micros, funding_deadline,
             lp_shares_micros, fee_index, operation_id, clock_timestamp() AS clock
           FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE""",
        [asset_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"asset {asset_id}")
    facts = AssetFacts.model_validate(row)
    # the clock of a statement that waited for its lock is the one from before the wait
    later = await (await book.connection.execute("SELECT clock_timestamp() AS clock")).fetchone()
    assert later is not None
    return facts.model_copy(update={"clock": later["clock"]})


async def asset_of(book: Book, table: str, row_id: str) -> str:
    """The asset a request is about; never changes, so it may be read before the asset is locked."""
    query = f"SELECT asset_id FROM {table} WHERE id = %s"
    row = await (await book.connection.execute(query, [row_id])).fetchone()
    if row is None:
        raise Rejected("not_found", row_id)
    asset_id: str = row["asset_id"]
    return asset_id


async def read_positions(book: Book, asset_id: str, account_ids: Collection[str]) -> dict[str, Position]:
    """Positions of these accounts; who has none yet gets an empty one. The asset's lock protects them."""
    cursor = await book.connection.execute(
        """SELECT account_id, shares_micros, contributed_micros, withdrawn_micros, instant_micros, fee_index_paid,
             fees_owed_micros, fees_claimed_micros
           FROM exchange.lp_positions WHERE asset_id = %s AND account_id = ANY(%s::uuid[])""",
        [asset_id, list(account_ids)],
    )
    found = {row.pop("account_id"): Position(*row.values()) for row in await cursor.fetchall()}
    return {account_id: found.get(account_id, Position()) for account_id in account_ids}


_WRITE: Final = """
WITH changed AS (
  SELECT * FROM json_to_recordset(%(rows)s) AS r(account_id uuid, shares bigint, contributed bigint, withdrawn bigint,
    instant bigint, index_paid numeric, owed bigint, claimed bigint)
), written AS (
  INSERT INTO exchange.lp_positions (asset_id, account_id, shares_micros, contributed_micros, withdrawn_micros,
    instant_micros, fee_index_paid, fees_owed_micros, fees_claimed_micros)
  SELECT %(asset)s::uuid, account_id, shares, contributed, withdrawn, instant, index_paid, owed, claimed FROM changed
  ON CONFLICT (asset_id, account_id) DO UPDATE SET shares_micros = excluded.shares_micros,
    contributed_micros = excluded.contributed_micros, withdrawn_micros = excluded.withdrawn_micros,
    instant_micros = excluded.instant_micros, fee_index_paid = excluded.fee_index_paid,
    fees_owed_micros = excluded.fees_owed_micros, fees_claimed_micros = excluded.fees_claimed_micros
)
UPDATE exchange.assets SET lp_shares_micros = %(total)s WHERE id = %(asset)s::uuid AND lp_shares_micros <> %(total)s
"""


async def write_positions(
    book: Book, asset: AssetFacts, before: Mapping[str, Position], after: Mapping[str, Position]
) -> int:
    """Write changed positions and the asset's shares; returns those."""
    moved = sum(after[a].shares - before[a].shares for a in after)
    total = asset.lp_shares_micros + moved
    rows = [{"account_id": account_id, **position._asdict()} for account_id, position in after.items()]
    await book.connection.execute(_WRITE, {"asset": asset.id, "rows": Json(rows), "total": total})
    return total


def told(kind: str, account_id: str, asset: AssetFacts, **payload: str | int | bool | None) -> Event:
    """An event of topic `liquidity`, for the provider and for operators."""
    return Event(topic="liquidity", type=kind, account_id=account_id, payload={"asset_id": asset.id, **payload})


_PROGRESS: Final = """
UPDATE platform.operation_steps SET status = 'running', detail = %s, attempts = greatest(attempts, 1),
  started_at = coalesce(started_at, clock_timestamp())
WHERE operation_id = %s AND name = %s
"""


async def show_progress(book: Book, operation_id: str | None, step: str, detail: str) -> None:
    """The same step goes on: its sentence changes, its attempts do not."""
    cursor = await book.connection.execute(_PROGRESS, [detail, operation_id, step])
    if cursor.rowcount == 0:
        await mark_step(book.connection, operation_id, step, "running", detail)
