"""How reads are written: one list shape with keyset paging, JSON built by Postgres, amounts exact."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from storage.database import Connection, Pool, connected, translated

Row = dict[str, Any]


def moment(column: str) -> str:
    """SQL: a timestamptz as RFC 3339 in UTC with Z, or null."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def usdc(column: str) -> str:
    """SQL: micros as a decimal string. Multiplied, not divided: numeric division rounds, multiplication does not."""
    return f"trim_scale({column} * 0.000001)::text"


def shares(column: str) -> str:
    """SQL: atto-shares as a decimal string."""
    return f"trim_scale({column} * 0.000000000000000001)::text"


def sol(column: str) -> str:
    """SQL: lamports as SOL, a decimal string."""
    return f"trim_scale({column} * 0.000000001)::text"


def sol_price(column: str) -> str:
    """SQL: 10^-9 lamport per whole token as SOL per token, a decimal string."""
    return f"trim_scale({column} * 0.000000000000000001)::text"


def tokens(column: str, decimals: str) -> str:
    """SQL: base units as whole tokens, a decimal string; both are columns."""
    return f"trim_scale({column} * 10::numeric ^ -{decimals})::text"


def on_accounts(paths: str) -> str:
    """SQL: that posting `p` may be on one of these account paths, by the hash that the index of the lines is made of;
    goes beside `p.account = ANY(…)`."""
    hashes = f"SELECT hashtextextended(n, 0) FROM unnest({paths}::text[]) AS n"
    return f"hashtextextended(p.account, 0) = ANY (ARRAY({hashes}))"


class Listing(NamedTuple):
    """A list newest first. `body`: the JSON of one item; `key`: what orders it, unique; `kind`: the key's SQL type."""

    body: str
    source: str
    key: str
    kind: str = "uuid"
    extra: str = ""


class Found(NamedTuple):
    """One page: rows with `body` (JSON text) and the extra columns; the key after which the next page starts."""

    rows: list[Row]
    next_key: str | None


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for single statements: autocommit spares the round trips of BEGIN and COMMIT."""
    async with translated(), connected(pool) as connection:
        if not connection.autocommit:
            await connection.set_autocommit(True)
        yield connection


async def fetch_all(pool: Pool, sql: str, parameters: Any = None) -> list[Row]:
    """All rows of a statement of ours."""
    async with reading(pool) as connection:
        return await (await connection.execute(sql, parameters)).fetchall()


async def fetch_one(pool: Pool, sql: str, parameters: Any = None) -> Row | None:
    """The first row of a statement of ours, or None."""
    async with reading(pool) as connection:
        return await (await connection.execute(sql, parameters)).fetchone()


async def fetch_page(
    pool: Pool, listing: Listing, filters: Sequence[tuple[str, object]], *, limit: int, after: str | None
) -> Found:
    """Up to `limit` items after the key `after`, newest first.

    Args:  filters  SQL conditions of ours with one %s each, and their values; a value of None drops the condition.
    """
    active = [(sql, value) for sql, value in filters if value is not None]
    if after is not None:
        active.append((f"{listing.key} < %s::{listing.kind}", after))
    where = " AND ".join(sql for sql, _ in active) or "true"
    extra = f", {listing.extra}" if listing.extra else ""
    sql = (
        f"SELECT ({listing.body})::text AS body, {listing.key}::text AS key{extra} FROM {listing.source} "
        f"WHERE {where} ORDER BY {listing.key} DESC LIMIT %s"
    )
    rows = await fetch_all(pool, sql, [*(value for _, value in active), limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    return Found(rows, rows[-1]["key"] if more and rows else None)


async def fetch_item(pool: Pool, listing: Listing, item_id: str) -> Row | None:
    """The item of a list with this key."""
    extra = f", {listing.extra}" if listing.extra else ""
    sql = f"SELECT ({listing.body})::text AS body{extra} FROM {listing.source} WHERE {listing.key} = %s"
    return await fetch_one(pool, sql, [item_id])
