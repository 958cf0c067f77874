"""A wallet whose messages are on durable nonces, in a landing lab."""

from __future__ import annotations

import asyncio
from typing import Any

from domain.launchpad.transactions import Landing, Plan, SignedAttempt
from storage.database import transaction
from storage.intents.solana import Issued
from storage.launchpad import transactions
from storage.launchpad.nonces import NonceStore
from tests.landing_lab import LandingLab
from tests.wallet_lab import Wallet

HOURS = 20_000
"""Slots, some two hours of a cluster."""


class Desk(Wallet):
    """A wallet whose co-signed plans are on nonces. `store`: who lends them, three at most."""

    def __init__(self, lab: LandingLab) -> None:
        super().__init__(lab)
        self.store = NonceStore(lab.books, lab.platform, most=3)

    async def planned(self, key: str = "trade") -> Plan:
        """In the books, and without a nonce yet."""
        plan = self.plan(key, cosigned=True)
        async with transaction(self.lab.books.pool) as connection:
            await transactions.plan(connection, plan)
        return plan

    async def lent(self, key: str = "trade") -> Plan:
        """In the books, on a nonce that stands finally."""
        plan = await self.planned(key)
        lent = await self.store.lend(key)
        if lent.makes is not None:
            await self.final(lent.makes)
        return plan

    async def final(self, key: str) -> Landing:
        """It lands, and the chain hurries until that is final."""
        landing = asyncio.ensure_future(self.lab.land(key, finalized=True))
        while not landing.done():
            await asyncio.sleep(0.2)
            self.lab.svm.warp(slots=8)
        return landing.result()

    async def signed(self, issued: Issued) -> SignedAttempt:
        """Handed in, and co-signed by the platform; not sent."""
        await self.hand_in(issued, self.sign(issued))
        return await self.lab.sign(issued.key)

    async def loans(self) -> dict[str, str]:
        """Which key has which nonce."""
        found = await self.lab.rows(
            "SELECT t.key, n.id FROM launchpad.nonces n JOIN launchpad.transactions t ON t.id = n.transaction_id"
        )
        return {row["key"]: row["id"] for row in found}

    async def count(self) -> int:
        return len(await self.lab.rows("SELECT 1 FROM launchpad.nonces"))

    async def raw(self, key: str = "trade") -> bytes:
        newest = (await self.lab.store.get(key)).newest
        assert newest is not None
        assert newest.raw is not None
        return newest.raw


def both(lab: LandingLab, method: str, fault: str, **more: Any) -> None:
    for port in (0, 1):
        lab.svm.fail(method, fault, port=port, times=None, **more)
