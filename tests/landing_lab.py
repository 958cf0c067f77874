"""Landing on the local Solana: plans of the platform's wallet, signer and sender as the workers have them, two ports.

``await lab.plan(key)`` transfers 1,000,000 lamports; ``await lab.land(key)`` does as workflows/launchpad/landing.py,
without Temporal; ``lab.landings(address)``: how often an address was paid, the truth of the ledger.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from temporalio.testing import ActivityEnvironment

from activities.launchpad.promo_refunds import CameIn
from activities.launchpad.sending import SolanaSendingActivities
from activities.launchpad.signing import SolanaSigningActivities
from composition.launchpad_sending import explain
from domain.launchpad.transactions import Instruction, Landing, LandKey, Meta, Plan, SendAttempt, SignedAttempt
from domain.shared.errors import Broken
from gateways.solana.drafting import Drafting
from gateways.solana.nodes import RpcNodes
from gateways.solana.signer import LocalSolanaSigner
from storage.books import Books
from storage.database import make_pool, transaction
from storage.events import new_id
from storage.launchpad import transactions
from storage.launchpad.promo_refunds import PromoRefundStore
from storage.launchpad.transactions import TransactionStore
from tests.patience import PATIENCE_S
from tests.svm_lab import SOL, pays
from tests.world.books import BooksSide
from tests.world.svm import RunningSvm, running_svm

PAID = 1_000_000
DAY = 90 * SOL
"""What the platform's wallet may lose in 24 hours."""


class LandingLab(BooksSide):
    """`key`: the platform's. `payee`: of the plans, unless told otherwise; the treasury, whom the platform may pay."""

    def __init__(self, dsn: str, svm: RunningSvm, books: Books) -> None:
        super().__init__(dsn)
        self.svm, self.books = svm, books
        self.key, self.payee = Keypair(), Pubkey.new_unique()
        self.platform = str(self.key.pubkey())
        svm.fund(self.key.pubkey(), 100 * SOL)
        svm.fund(self.payee, SOL)
        svm.warp(slots=100)  # so that no fork takes that back
        self.store = TransactionStore(books, self.platform, day_lamports=DAY)
        self.kept: list[tuple[str, str, str, Any]] = []
        self.nodes = self.connected(svm.urls)
        self.patience_s = 60.0

    def connected(self, urls: Sequence[str]) -> RpcNodes:
        async def keep(source: str, kind: str, reason: str, payload: Any) -> None:
            self.kept.append((source, kind, reason, payload))

        return RpcNodes.connect(urls, calls_per_s=1_000, quarantine=keep)

    def drafting(self, price_most: int = 1_000_000) -> Drafting:
        return Drafting(self.nodes, platform=self.platform, price_most=price_most)

    def signing(self, **but: Any) -> SolanaSigningActivities:
        signer = LocalSolanaSigner(SecretStr(str(self.key)))
        came_in = CameIn(self.nodes, PromoRefundStore(self.books, self.platform))
        shared = {"own": frozenset[str](), "treasury": str(self.payee), "cluster": "localnet", "came_in": came_in}
        given = {**shared, **but}
        return SolanaSigningActivities(
            self.drafting(), self.store, signer, explain, **{"most_lamports": 10 * SOL, **given}
        )

    def sending(self) -> SolanaSendingActivities:
        return SolanaSendingActivities(
            self.nodes, self.store, explain, platform=self.platform, patience_s=self.patience_s
        )

    # Plans.

    def transfer(
        self, key: str, *, lamports: int = PAID, to: Pubkey | None = None, payer: Keypair | None = None, **but: Any
    ) -> Plan:
        """A payment of the payer (the platform unless told otherwise)."""
        source = payer or self.key
        step = pays(source, to or self.payee, lamports)
        values: dict[str, Any] = {
            "key": key,
            "subject_kind": "deployment",
            "subject_id": new_id(),
            "payer": str(source.pubkey()),
            "instructions": (plain(step),),
            "most_lamports": lamports + 100_000,
        }
        return Plan(**{**values, **but})

    async def plan(self, key: str, **but: Any) -> str:
        """Written to the books; returns the row's id."""
        async with transaction(self.books.pool) as connection:
            return await transactions.plan(connection, self.transfer(key, **but))

    # The way of workflows/launchpad/landing.py.

    async def sign(self, key: str, *, again: bool = False) -> SignedAttempt:
        return await run(self.signing().sign_solana, LandKey(key=key, again=again))

    async def send(self, signed: SignedAttempt, *, finalized: bool = False) -> Landing:
        command = SendAttempt(key=signed.key, number=signed.number, finalized=finalized)
        return await run(self.sending().send_solana, command)

    async def land(self, key: str, *, finalized: bool = False, again: bool = False) -> Landing:
        while True:
            signed = await self.sign(key, again=again)
            if signed.ended is not None:
                return signed.ended
            landing = await self.send(signed, finalized=finalized)
            recorded = await self.store.record(landing)
            if recorded.void is not None:
                await self.land(recorded.void, finalized=True)
            if not recorded.again:
                return landing
            again = False

    # Truth.

    def landings(self, address: Pubkey | None = None) -> int:
        """Transactions of the ledger that paid the address."""
        return sum(self.svm.landed(one) is None for one in self.svm.signatures(address or self.payee))

    async def attempts(self, key: str) -> list[str]:
        """What became of each, oldest first."""
        found = await self.rows(
            """SELECT a.status FROM launchpad.transaction_attempts a JOIN launchpad.transactions t
               ON t.id = a.transaction_id WHERE t.key = %s ORDER BY a.number""",
            key,
        )
        return [row["status"] for row in found]

    async def status(self, key: str) -> str:
        found = await self.row("SELECT status FROM launchpad.transactions WHERE key = %s", key)
        return str(found["status"])

    def sent(self, port: int = 0) -> int:
        """Transactions handed to a port."""
        return self.svm.ports[port].port.calls["sendTransaction"]

    @asynccontextmanager
    async def meanwhile(self, work: Awaitable[Landing]) -> AsyncIterator[asyncio.Future[Landing]]:
        """The landing goes on beside the block and is awaited at its end."""
        task = asyncio.ensure_future(work)
        try:
            yield task
            await asyncio.wait_for(asyncio.shield(task), 60)
        finally:
            task.cancel()

    async def taken_back(self) -> None:
        """The fork on which the payee was paid last is abandoned, from that slot on."""
        [signature] = self.svm.signatures(self.payee)[-1:]
        assert self.svm.unconfirm(signature=signature) == [signature]

    async def seen(self, times: int = 1, port: int = 0) -> None:
        """Wait until so many sends have reached a port."""
        async with asyncio.timeout(PATIENCE_S):
            while self.sent(port) < times:  # noqa: ASYNC110  (the node tells nobody)
                await asyncio.sleep(0.02)


def plain(step: Any) -> Instruction:
    """An instruction of Solana's library as ours."""
    metas = tuple(Meta(address=str(a.pubkey), signer=a.is_signer, writable=a.is_writable) for a in step.accounts)
    return Instruction(program=str(step.program_id), accounts=metas, data=base64.b64encode(bytes(step.data)).decode())


async def run(activity: Callable[..., Awaitable[Any]], command: Any) -> Any:
    """An activity as a worker runs it."""
    return await ActivityEnvironment().run(activity, command)


async def refused(work: Awaitable[Any]) -> Broken:
    """The Broken it ends with."""
    try:
        await work
    except Broken as broken:
        return broken
    raise AssertionError("it was not refused")


@asynccontextmanager
async def open_landing_lab(dsn: str) -> AsyncIterator[LandingLab]:
    """With slots of 400 ms."""
    async with make_pool(dsn, size=4, name="landing") as pool, running_svm(running=True) as svm:
        lab = LandingLab(dsn, svm, Books(pool))
        try:
            yield lab
        finally:
            await lab.nodes.aclose()
