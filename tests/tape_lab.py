"""A tape of two leaders on the local venue, and playing it: in peace, or with everything that goes wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from activities.copytrade.reading import read_wallet
from domain.copytrade.readings import sort_rows
from domain.copytrade.venue import ActivityRow
from gateways.polymarket import rows as venue_rows
from gateways.polymarket import wire
from gateways.polymarket.client import Polymarket
from localnet.polymarket.markets import Market
from localnet.running import running_temporal
from storage.copytrade.configs import change_general
from storage.copytrade.feed import FeedStore
from storage.copytrade.fence import ingesting
from storage.copytrade.ingest import ingest
from storage.copytrade.ledger_hash import part_hashes
from storage.copytrade.replay import Batch, Player, play, steps
from storage.copytrade.settlement import SettlementStore
from storage.copytrade.tape import Tape, export
from storage.database import Pool, alone, make_pool, transaction
from tests.copying_lab import CopyingLab, copying_lab
from tests.world import copytrade
from tests.world.groups import USDC

SEED = "tape"
NAMES = ("alice", "bob")
SLUGS = ("rain-in-paris", "snow-in-rome", "fog-in-london")


def read_row(wallet: str, raw: str) -> ActivityRow:
    """A stored row as the gateways read it."""
    return venue_rows.Row(venue_rows.V2, wallet).activity(wire.load(raw))


async def ignore(*_: Any) -> None:
    """Quarantine of a test that expects none."""


class Recording:
    """Two leaders, polled by hand; everything after the poll is the product's."""

    def __init__(self, lab: CopyingLab, pool: Pool, venue: Polymarket) -> None:
        self.lab, self.pool, self.venue = lab, pool, venue
        self.users: dict[str, str] = {}

    async def follow(self, name: str) -> None:
        user, address = await self.lab.leader(), self.lab.venue.address(name)
        await self.lab.rows("UPDATE copytrade.followed_users SET profile_wallet = %s WHERE id = %s", address, user)
        await self.lab.rows(
            "UPDATE copytrade.followed_wallets SET wallet = %s WHERE followed_user_id = %s", address, user
        )
        await copytrade.portfolio(self.lab.dsn, "SHADOW_USER", user)
        self.users[name] = user

    async def poll(self) -> None:
        since = int((datetime.now(UTC) - timedelta(minutes=5)).timestamp())
        taken = []
        for name, user in self.users.items():
            readings, _ = await read_wallet(self.venue.data, self.lab.venue.address(name), since)
            taken += sort_rows(user, readings).taken
        async with transaction(self.pool) as connection:
            await ingesting(connection)
            await ingest(connection, taken, SEED)
        await self.start()

    async def start(self) -> None:
        """The process of every group that has none and is to have one."""
        async with alone(self.pool) as connection:
            store = FeedStore(connection, SEED)
            keys = await store.undispatched()
            await self.lab.copy(*keys)
            await store.dispatched(keys)

    async def decided(self) -> None:
        waiting = "SELECT group_key FROM copytrade.event_groups WHERE dispatched_at IS NULL"
        while await self.lab.rows(waiting):
            await self.start()
            await asyncio.sleep(0.1)
        keys = [row["group_key"] for row in await self.lab.rows("SELECT group_key FROM copytrade.event_groups")]
        await all_decided(self.lab, keys)

    async def have_small_trades_wait(self) -> None:
        rules = {"small_trades": {"enabled": True, "netting": "net_buy_sell"}}
        async with transaction(self.pool) as connection:
            await change_general(connection, rules, actor="test", reason="tape")

    async def settle(self, market: Market) -> None:
        await self.lab.rows(
            """UPDATE copytrade.markets SET payouts = '{1000000,0}', resolved_at = clock_timestamp(),
                 resolution_status = 'resolved' WHERE condition_id = %s""",
            market.condition_id,
        )
        await SettlementStore(self.pool).settle(market.condition_id)


async def all_decided(lab: CopyingLab, keys: Sequence[str]) -> None:
    left = """SELECT group_key FROM copytrade.event_groups WHERE group_key = ANY(%s)
              AND (user_decided_at IS NULL OR global_decided_at IS NULL)"""
    await lab.until(lambda: lab.rows(left, list(keys)), lambda rows: not rows)


@asynccontextmanager
async def recording(dsn: str, address: str) -> AsyncIterator[Recording]:
    async with copying_lab(dsn, address) as lab, make_pool(dsn, size=2, name="tape") as pool:
        urls = {"data_url": lab.venue.data_url, "clob_url": lab.venue.clob_url, "gamma_url": lab.venue.gamma_url}
        venue = Polymarket.connect(quarantine=ignore, **urls)
        try:
            made = Recording(lab, pool, venue)
            for name in NAMES:
                await made.follow(name)
            yield made
        finally:
            await venue.aclose()


async def record(dsn: str, directory: Path, rounds: int = 6, seed: int = 1) -> Tape:
    """Leaders buy, sell, split and merge; from round three on small trades wait; a market resolves; all is decided."""
    drawn = random.Random(seed)
    async with running_temporal(directory) as temporal, recording(dsn, temporal.address) as made:
        markets = [await made.lab.market(slug) for slug in SLUGS]
        for number in range(rounds):
            if number == 2:
                await made.have_small_trades_wait()
            for name in NAMES:
                market = drawn.choice(markets)
                for _ in range(drawn.randint(1, 3)):
                    held = made.lab.venue.positions(name).get(market.tokens[0].id, 0) // USDC
                    side = "SELL" if number > 2 and held > 20 and drawn.random() < 0.4 else "BUY"
                    shares = str(held // 2 if side == "SELL" else drawn.randint(500, 9_000))
                    await made.lab.venue.trade(name, f"{market.slug}:0", side, shares, price="0.5")
                if number % 3 == 1:
                    await made.lab.venue.split(name, market.slug, "700")
                if number % 3 == 2:
                    await made.lab.venue.trade(name, f"{market.slug}:0", "BUY", "10", price="0.5", copies=2)
                for kind, few in (("BUY", "9"), ("SELL", "4")):
                    await made.lab.venue.trade(name, f"{market.slug}:0", kind, few, price="0.5")
            await made.poll()
            await asyncio.sleep(drawn.uniform(0.2, 1.2))
        await made.decided()
        await made.settle(markets[0])
        await made.lab.venue.trade(NAMES[0], f"{SLUGS[1]}:0", "BUY", "3000", price="0.5")
        await made.poll()
        await made.decided()
        async with transaction(made.pool) as connection:
            return await export(connection, SEED)


class Rough(Player):
    """Rows come twice, mixed and with old ones among them; the chain's logs come before them or after."""

    def __init__(self, pool: Pool, tape: Tape, drawn: random.Random) -> None:
        super().__init__(pool, tape)
        self.drawn, self.before = drawn, list[Any]()

    async def write(self, batch: Batch) -> None:
        early = self.drawn.random() < 0.5
        if early:
            await self._chain(batch)
        mixed = list(batch.taken)
        self.drawn.shuffle(mixed)
        await super().write(batch._replace(taken=(*self.before, *mixed)))
        await super().write(batch._replace(taken=tuple(mixed)))
        if not early:
            await self._chain(batch)
        self.before = mixed

    async def _chain(self, batch: Batch) -> None:
        async with transaction(self.pool) as connection:
            for number, one in enumerate(batch.taken):
                await connection.execute(
                    """INSERT INTO copytrade.chain_logs (tx_hash, log_index, block_hash, block_number, contract, kind,
                         wallet, share_micros, usdc_micros, followed_user_id, arrived_at, raw)
                       VALUES (%s, %s, %s, 1, '0x', 'fill', %s, %s, %s, %s, clock_timestamp(), '{}')
                       ON CONFLICT DO NOTHING""",
                    [one.row.tx_hash, number, "0xb", one.row.wallet, one.event.shares, 0, one.user_id],
                )


async def replayed(tape: Tape, dsn: str, directory: Path, rough: int | None = None) -> dict[str, str]:
    """Play a tape into an empty database. `rough`: seed of what goes wrong; None: nothing does. Returns the hashes."""
    drawn = random.Random(rough)
    async with (
        running_temporal(directory) as temporal,
        copying_lab(dsn, temporal.address, bankroll=0) as lab,
        make_pool(dsn, size=2, name="replay") as pool,
    ):
        player = Player(pool, tape) if rough is None else Rough(pool, tape, drawn)
        await player.prepare()

        async def start(key: str) -> None:
            await lab.copy(key)
            if rough is not None and drawn.random() < 0.2:
                await asyncio.sleep(drawn.uniform(0, 0.1))
                await lab.kill()
                await lab.start_worker()

        async def decided(keys: Sequence[str]) -> None:
            await all_decided(lab, keys)

        await play(player, steps(tape, read_row), start, decided)
        return await hashes(dsn)


async def hashes(dsn: str) -> dict[str, str]:
    async with make_pool(dsn, size=1, name="hash") as pool, transaction(pool) as connection:
        return await part_hashes(connection)


async def count(dsn: str, what: str) -> int:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        statement: Any = f"SELECT count(*) FROM copytrade.{what}"
        row = await (await connection.execute(statement)).fetchone()
        assert row is not None
        return int(row[0])


__all__ = ["count", "hashes", "record", "replayed"]
