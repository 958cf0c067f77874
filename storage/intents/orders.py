"""Taking orders in, many at a time: one transaction claims their idempotency keys and inserts their rows.

The same rules as storage/intents/idempotency.py, set-wise. Two steps in the caller's transaction, in a pipeline: `look`
holds the keys and reads what each order is checked against, `take` writes what was decided. The engine decides again
under lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from psycopg import AsyncCursor

from domain.exchange.trading import Holder, Market, Order
from domain.shared.ledger import available
from domain.shared.money import USDC
from storage.database import Connection
from storage.intents.idempotency import KEPT, TAKEN_OVER_AFTER, Claim, Stored
from storage.reads.base import Row
from storage.reads.market import TRADES, market_of

PATH: Final = "/api/exchange/trades"

_HOLD: Final = """
SELECT pg_try_advisory_xact_lock(hashtextextended(w.name, 7)) AS held
FROM unnest(%s::text[]) WITH ORDINALITY AS w(name, n) ORDER BY w.n
"""
_LOOK: Final = """
SELECT i.body_hash, i.status AS kept, i.headers, i.body, i.principal IS NOT NULL AS found,
  i.created_at < clock_timestamp() - %(kept)s::interval AS forgotten,
  i.locked_at < clock_timestamp() - %(taken)s::interval AS stale,
  u.id IS NOT NULL AS known, coalesce(c.enabled, true) AS enabled, coalesce(b.balance, 0) AS balance,
  a.status::text AS status, a.p0_micros, a.k_atto, a.fee_bps, a.lp_part_bps, a.supply_atto, a.lp_shares_micros, a.shard
FROM unnest(%(principals)s::text[], %(keys)s::text[], %(assets)s::uuid[], %(accounts)s::uuid[], %(holdings)s::text[],
  %(units)s::text[]) WITH ORDINALITY AS w(principal, key, asset_id, account_id, holding, unit, n)
LEFT JOIN platform.idempotency_keys i
  ON i.principal = w.principal AND i.method = 'POST' AND i.path = %(path)s AND i.key = w.key
LEFT JOIN exchange.assets a ON a.id = w.asset_id
LEFT JOIN platform.accounts u ON u.id = w.account_id
LEFT JOIN platform.balances b ON b.account = w.holding AND b.unit = w.unit
LEFT JOIN platform.controls c ON c.name = 'exchange.trading'
ORDER BY w.n
"""
_TAKE: Final = f"""
WITH decided AS (
  SELECT * FROM json_to_recordset(%(rows)s::text::json) AS r(n int, principal text, key text, body_hash text,
    status int2, headers jsonb, body text, trade_id uuid, asset_id uuid, account_id uuid,
    side exchange.trade_side, asked numeric, min_out numeric, shard int2)
), taken AS (
  INSERT INTO exchange.trades AS t (id, asset_id, account_id, side, asked, min_out, shard)
  SELECT trade_id, asset_id, account_id, side, asked, min_out, shard FROM decided WHERE body IS NULL ORDER BY n
  RETURNING t.id, ({TRADES.body})::text AS body
), kept AS (
  INSERT INTO platform.idempotency_keys (principal, method, path, key, body_hash, status, headers, body)
  SELECT d.principal, 'POST', %(path)s, d.key, decode(d.body_hash, 'hex'), d.status, d.headers,
    convert_to(coalesce(t.body, d.body), 'UTF8')
  FROM decided d LEFT JOIN taken t ON t.id = d.trade_id
  ON CONFLICT (principal, method, path, key) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
    headers = excluded.headers, body = excluded.body, locked_at = clock_timestamp(), created_at = clock_timestamp()
)
SELECT id, body FROM taken
"""
_NOT_WAITED: Final = """
UPDATE platform.idempotency_keys SET headers = headers - %(mark)s
WHERE principal = %(principal)s AND method = 'POST' AND path = %(path)s AND key = %(key)s
"""
WAITED: Final = "Preference-Applied"
"""This header of a kept answer says that the client waits: the answer is the order itself as soon as it has ended."""


Taken = AsyncCursor[Row]


class Ask(NamedTuple):
    """One order as a request brings it. `waits`: for the verdict, and so does whoever repeats the request."""

    claim: Claim
    trade_id: str
    asset_id: str
    account_id: str
    order: Order
    waits: bool


class Seen(NamedTuple):
    """What an ask is decided by. `held`: no other transaction has its key; `market` None: there is no such asset."""

    held: bool
    key: Row
    known: bool
    enabled: bool
    market: Market | None
    holder: Holder
    shard: int


class Decision(NamedTuple):
    """`refusal` None: the order is accepted."""

    ask: Ask
    shard: int
    refusal: Stored | None


async def look(connection: Connection, asks: Sequence[Ask]) -> list[Seen]:
    """Hold the keys until the transaction ends, and read everything the asks are decided by, one for each."""
    names = ["\x1f".join(ask.claim[:4]) for ask in asks]
    values = {
        "principals": [ask.claim.principal for ask in asks],
        "keys": [ask.claim.key for ask in asks],
        "assets": [ask.asset_id for ask in asks],
        "accounts": [ask.account_id for ask in asks],
        "holdings": [available(ask.account_id) for ask in asks],
        "units": [USDC if ask.order.side == "buy" else ask.asset_id for ask in asks],
        "path": PATH,
        "kept": KEPT,
        "taken": TAKEN_OVER_AFTER,
    }
    # two statements, as the second must see what was committed before the keys were held; in one round trip. Not
    # prepared: a plan made while the tables are small would stay and read them whole.
    holding = await connection.execute(_HOLD, [names], prepare=False)
    looking = await connection.execute(_LOOK, values, prepare=False)
    held, rows = await holding.fetchall(), await looking.fetchall()
    return [_seen(ask, bool(h["held"]), row) for ask, h, row in zip(asks, held, rows, strict=True)]


def _seen(ask: Ask, held: bool, row: Row) -> Seen:
    market = market_of(row) if row["status"] is not None else None
    balance = row["balance"]
    holder = Holder(usdc=balance, shares=0) if ask.order.side == "buy" else Holder(usdc=0, shares=balance)
    return Seen(held, row, row["known"], row["enabled"], market, holder, row["shard"] or 0)


async def take(connection: Connection, decisions: Sequence[Decision]) -> Taken:
    """Write accepted orders and every answer under its key; done when the transaction has ended.

    Returns:  rows with id and JSON (`body`) of each accepted order, to be fetched then: it goes with the commit.
    """
    rows = [_row(number, decision) for number, decision in enumerate(decisions)]
    return await connection.execute(_TAKE, {"rows": msgspec.json.encode(rows).decode(), "path": PATH})


def _row(number: int, decision: Decision) -> dict[str, object]:
    ask, answer = decision.ask, decision.refusal or accepted(decision.ask, None)
    return {
        "n": number,
        "principal": ask.claim.principal,
        "key": ask.claim.key,
        "body_hash": ask.claim.body_hash.hex(),
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body.decode() if decision.refusal else None,
        "trade_id": ask.trade_id,
        "asset_id": ask.asset_id,
        "account_id": ask.account_id,
        "side": ask.order.side,
        "asked": str(ask.order.asked),
        "min_out": str(ask.order.min_out),
        "shard": decision.shard,
    }


def accepted(ask: Ask, body: str | None) -> Stored:
    """The answer to an accepted order, as it is kept."""
    headers = {"Content-Type": "application/json", "Location": f"{PATH}/{ask.trade_id}"}
    if ask.waits:
        headers[WAITED] = "wait"
    return Stored(202, headers, (body or "").encode())


async def gave_up_waiting(connection: Connection, claim: Claim) -> None:
    """The client was answered before the verdict: whoever repeats the request gets that answer too."""
    await connection.execute(
        _NOT_WAITED, {"principal": claim.principal, "key": claim.key, "path": PATH, "mark": WAITED}
    )
