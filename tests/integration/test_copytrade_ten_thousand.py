"""Ten thousand generated events of three leaders: the shadow equals the venue's own positions and cash to the micro."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from domain.copytrade.conversions import Conversion, Leg
from localnet.polymarket.generator import START, Action
from localnet.polymarket.world import LEADERS
from tests.feed_lab import FeedLab, open_feed_lab
from tests.world.venue import events

EVENTS, BATCH, SEED = 10_000, 500, 7
CASH_ONLY = ("MAKER_REBATE", "REWARD", "YIELD", "TAKER_REBATE")


class Node:
    """Receipts of conversions as the chain would give them, from what the venue was told to do."""

    def __init__(self, lab: FeedLab) -> None:
        self.lab = lab
        self.known: dict[tuple[str, str], Conversion] = {}

    async def act(self, action: Action) -> None:
        """Perform an action; of a conversion remember what it moved."""
        wallet = self.lab.venue.venue.wallet(str(action.asked.get("wallet", "nobody")))
        before, cash = dict(wallet.positions()), wallet.cash
        done: dict[str, Any] = await self.lab.venue.perform(action.verb, **action.asked)
        if action.verb == "convert":
            after = wallet.positions()
            legs = [Leg(t, after.get(t, 0) - before.get(t, 0)) for t in sorted({*before, *after})]
            moved = tuple(leg for leg in legs if leg.shares)
            self.known[done["tx_hash"], wallet.address] = Conversion(moved, wallet.cash - cash, ())

    async def conversion(self, tx_hash: str, wallet: str) -> Conversion:
        return self.known[tx_hash, wallet]


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[FeedLab]:
    async with open_feed_lab(database, seed=SEED) as opened:
        yield opened


async def followed(lab: FeedLab) -> dict[str, str]:
    """Leaders by name, followed since before the stream begins."""
    users = {name: await lab.follow(name) for name in LEADERS}
    await lab.rows("UPDATE copytrade.followed_users SET followed_since = to_timestamp(%s)", START - 1)
    return users


def traded_cash(lab: FeedLab, name: str) -> int:
    """Cash of the venue less what moves no position of a market."""
    rows = lab.venue.rows(name)
    other = sum(round(row["usdc_size"] * 10**6) for row in rows if row["type"] in CASH_ONLY)
    combos = sum(round(row["usdc_size"] * 10**6) for row in rows if row.get("is_combo"))
    return lab.venue.cash(name) - other + combos


async def test_ten_thousand_events_leave_the_shadow_equal_to_the_venue(lab: FeedLab) -> None:
    users, node = await followed(lab), Node(lab)
    lab.receipts = node
    async with lab.feed() as feed:
        for number, action in enumerate(events(SEED, EVENTS), start=1):
            await node.act(action)
            if number % BATCH == 0:
                await feed.look()
        await feed.look()
        await feed.facts.catch_up()
    for name, user in users.items():
        waiting = [row for row in await lab.activities(user) if row["state"] not in ("applied", "ignored")]
        assert waiting == []
        assert await lab.shadow(user) == lab.venue.positions(name)
        assert await lab.cash(user) == traded_cash(lab, name)
        stored = await lab.row(
            """SELECT (SELECT count(*) FROM copytrade.trade_events WHERE followed_user_id = %s)
                 + (SELECT count(*) FROM copytrade.activity_events WHERE followed_user_id = %s) AS rows""",
            user,
            user,
        )
        empty = [row for row in lab.venue.rows(name) if row["type"] == "MERGE" and row["size"] == 0]
        assert stored["rows"] == len(lab.venue.rows(name)) - len(empty)
    await lab.check_shadow()


async def test_settlements_between_the_events_pay_nothing_twice(lab: FeedLab) -> None:
    """Markets are settled while leaders still redeem: no drift, and settled plus redeemed is what was held."""
    users, node = await followed(lab), Node(lab)
    lab.receipts = node
    async with lab.feed() as feed:
        for number, action in enumerate(events(SEED, 3_000), start=1):
            await node.act(action)
            if number % BATCH == 0:
                await feed.look()
                await feed.facts.catch_up()
                await lab.settle()
        await feed.look()
        await feed.facts.catch_up()
    await lab.settle()
    for name, user in users.items():
        assert await lab.drift(user) == 0
        left = lab.venue.positions(name)
        resolved = {t: m.payouts[k.place] for t, (m, k) in lab.venue.venue.tokens.items() if m.payouts is not None}
        owed = sum(shares * resolved[token] // 10**6 for token, shares in left.items() if token in resolved)
        # the venue pays each holding down to the micro once, a settlement in parts each part so
        assert abs(await lab.cash(user) - traded_cash(lab, name) - owed) <= len(resolved)
        assert await lab.shadow(user) == {t: shares for t, shares in left.items() if t not in resolved}
    await lab.check_shadow()
