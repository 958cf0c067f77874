"""Events a second through canonical insert, shadow and grouping: a look's rows in one transaction, set-wise, against
one transaction per event. Both write the same rows of the same tables with the same rules.

A second line compares all of ours with nothing but the insert of the canonical row, one event at a time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Final

from benchmarks import ingest_obvious, report, stage
from domain.copytrade.config import Guardrails
from domain.copytrade.readings import Taken, sort_rows
from domain.copytrade.venue import ActivityRow, Kind
from localnet.running import running_postgres
from storage.copytrade.fence import ingesting
from storage.copytrade.ingest import ingest
from storage.database import Pool, make_pool, transaction
from storage.events import new_id

LEADERS: Final = 20
TOKENS: Final = 60
EVENTS: Final = 2_000
BATCHES: Final = (20, 200)
ROUNDS: Final = 5
SEED: Final = "bench"
BEGIN: Final = 1_795_000_000
TARGET: Final = {20: 3.0, 200: 8.0}

Ingest = Callable[[Pool, Sequence[Taken], int], Awaitable[None]]

SETUP: Final = """
WITH a AS (INSERT INTO platform.accounts (id, name, role) VALUES (gen_random_uuid(), 'bench', 'operator') RETURNING id),
u AS (
  INSERT INTO copytrade.followed_users (id, label, profile, profile_wallet, bankroll_micros, created_by, followed_since,
    baseline_at)
  SELECT v.id, 'bench', v.wallet, v.wallet, 0, a.id, to_timestamp(0), clock_timestamp()
  FROM a, unnest(%s::uuid[], %s::text[]) AS v(id, wallet) RETURNING id, profile_wallet
), w AS (
  INSERT INTO copytrade.followed_wallets (wallet, followed_user_id) SELECT profile_wallet, id FROM u
)
INSERT INTO copytrade.portfolios (id, portfolio_scope, followed_user_id, opened_at)
SELECT gen_random_uuid(), 'SHADOW_USER', id, clock_timestamp() FROM u
"""
WRITTEN: Final = """
SELECT (SELECT count(*) FROM copytrade.trade_events) AS events,
  (SELECT count(*) FROM copytrade.group_members) AS members,
  (SELECT count(*) FROM copytrade.positions p JOIN (SELECT portfolio_id, token_id, sum(share_delta_micros) AS shares,
     sum(cost_delta_micros) AS cost FROM copytrade.ledger_entries GROUP BY 1, 2) l USING (portfolio_id, token_id)
   WHERE p.share_micros <> l.shares OR p.cost_micros <> l.cost) AS wrong
"""


async def ours(pool: Pool, taken: Sequence[Taken], batch: int) -> None:
    """As the feed writes what a look has found."""
    for place in range(0, len(taken), batch):
        async with transaction(pool) as connection:
            await ingesting(connection)
            await ingest(connection, taken[place : place + batch], SEED)


async def obvious(pool: Pool, taken: Sequence[Taken], batch: int) -> None:
    rules = Guardrails()
    for one in taken:
        async with transaction(pool) as connection:
            await ingest_obvious.ingest_one(connection, one, rules, SEED)


async def bare(pool: Pool, taken: Sequence[Taken], batch: int) -> None:
    for one in taken:
        async with transaction(pool) as connection:
            await ingest_obvious.insert(connection, one)


def drawn(users: Sequence[str], dice: random.Random) -> list[Taken]:
    """Fills of several leaders in their order; orders come as several slices of one window."""
    found: list[Taken] = []
    at = BEGIN + dice.randrange(10**7)
    while len(found) < EVENTS:
        user, token = dice.choice(users), str(10**70 + dice.randrange(TOKENS))
        price, side = dice.randrange(20, 900), dice.choice(("BUY", "BUY", "SELL"))
        rows = []
        for _ in range(dice.choice((1, 1, 2, 4))):
            size = Decimal(dice.randrange(100, 50_000)) / 100
            usdc = (size * price / 1000).quantize(Decimal("0.000001"))
            rows.append(
                ActivityRow(
                    wallet_of(user), Kind.TRADE, f"0x{int(token) % TOKENS // 2:064x}", token, side,
                    size, usdc, Decimal(price) / 1000, f"0x{dice.getrandbits(256):064x}", at,
                    raw='{"type":"TRADE","title":"' + "x" * 500 + '"}',
                )
            )  # fmt: skip
        found += sort_rows(user, [rows]).taken
        at += dice.choice((0, 0, 1))
    return found[:EVENTS]


def wallet_of(user: str) -> str:
    return "0x" + user.replace("-", "") + "0" * 8


async def rate(way: Ingest, pool: Pool, users: Sequence[str], batch: int, seed: int) -> float:
    """Events a second; the rows are made beforehand."""
    taken = drawn(users, random.Random(seed))
    started = time.perf_counter()
    await way(pool, taken, batch)
    return EVENTS / (time.perf_counter() - started)


async def measure() -> bool:
    users = [new_id() for _ in range(LEADERS)]
    wallets = [wallet_of(user) for user in users]
    ways: dict[str, Ingest] = {"ours": ours, "obvious": obvious, "bare": bare}
    with stage.directory() as directory:
        async with running_postgres(directory / "postgres", durable=True) as server:
            dsns = {name: await stage.new_database(server, name) for name in ways}
            for dsn in dsns.values():
                await stage.rows(dsn, SETUP, users, wallets)
            found: dict[tuple[str, int], list[float]] = {}
            for number in range(-1, ROUNDS):
                for batch in BATCHES:
                    for name in ways if number % 2 else reversed(ways):
                        async with make_pool(dsns[name], size=2, name="bench") as pool:
                            per_s = await rate(ways[name], pool, users, batch, 100 * batch + number)
                        if number >= 0:
                            found.setdefault((name, batch), []).append(per_s)
            await check(dsns)
    lines = []
    for batch in BATCHES:
        for opponent, target in (("obvious", TARGET[batch]), ("bare", None)):
            pairs = zip(found["ours", batch], found[opponent, batch], strict=True)
            name = f"looks of {batch} events, against {'one transaction an event' if target else 'its insert alone'}"
            lines.append(report.Line(name, "events/s", tuple(report.faster(*pair) for pair in pairs), target))
    return report.show("ingest", lines, sides=("set-wise", "one by one"))


async def check(dsns: dict[str, str]) -> None:
    """Both sides wrote everything, and the same positions."""
    [mine], [theirs] = await stage.rows(dsns["ours"], WRITTEN), await stage.rows(dsns["obvious"], WRITTEN)
    if mine != theirs or mine["wrong"] or mine["events"] != EVENTS * len(BATCHES) * (ROUNDS + 1):
        raise AssertionError(f"ours {mine}, theirs {theirs}")


if __name__ == "__main__":
    report.main(measure)
