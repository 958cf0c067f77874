"""Sales on a local Solana whose books are kept as the feed keeps them: for the reconcile and the tax cycle."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from activities.launchpad.aftercare import AftercareActivities
from activities.launchpad.reconcile import ReconcileActivities
from activities.launchpad.sale_turn import Collaborators, SaleTurn
from activities.launchpad.tax import TaxActivities
from domain.launchpad import curves
from domain.launchpad.sale import SaleKeys, Terms
from domain.launchpad.sale_messages import NewSale, OpenedSale, SaleNews
from domain.launchpad.transactions import Instruction
from gateways.solana.everywhere import Everywhere
from gateways.solana.nodes import RpcNodes
from gateways.solana.sale_events import read_events
from gateways.solana.sale_program import POSITION_TAG
from gateways.solana.sale_view import SaleViews
from localnet.svm.programs import PROGRAMS, configure_pools
from storage.books import Books
from storage.database import Pool, make_pool, transaction
from storage.events import new_id
from storage.fence import Fence, fenced
from storage.jobs import JobStore
from storage.launchpad.aftercare import AftercareStore
from storage.launchpad.reconcile import ReconcileStore
from storage.launchpad.sale_feed import SaleFeedStore
from storage.launchpad.sales import open_sale
from storage.launchpad.tax import TaxStore
from storage.reads.base import fetch_all
from tests.sale_lab import LAUNCH, SaleDesk
from tests.svm_lab import SOL
from tests.world.svm import RunningSvm, running_svm

FENCE = Fence("sales-upkeep-test", 7_299_060)


MORE_COMPUTE = Instruction(
    program="ComputeBudget111111111111111111111111111111",
    data=base64.b64encode(b"\x02" + (600_000).to_bytes(4, "little")).decode(),
)
"""What the signer puts before the platform's own transactions."""


class Chain(Protocol):
    """What a test does with the node."""

    async def fund(self, key: Pubkey, lamports: int) -> None: ...

    async def finalize(self) -> None: ...


class InProcess:
    def __init__(self, svm: RunningSvm) -> None:
        self.svm = svm

    async def fund(self, key: Pubkey, lamports: int) -> None:
        self.svm.fund(key, lamports)

    async def finalize(self) -> None:
        self.svm.finalize()


class Upkeep:
    """`platform` pays, co-signs sales and is every recipient of the tax."""

    def __init__(self, dsn: str, pool: Pool, url: str, nodes: RpcNodes, chain: Chain, platform: Keypair) -> None:
        self.dsn, self.pool, self.nodes, self.chain = dsn, pool, nodes, chain
        self.platform, self.creator = platform, Keypair()
        self.books, self.desk = Books(pool), SaleDesk(url, platform)

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return await fetch_all(self.pool, sql, list(values) or None)

    async def change(self, sql: str, *values: Any) -> None:
        async with transaction(self.pool) as connection:
            await connection.execute(sql, values or None)  # type: ignore[arg-type]

    async def wallet(self, lamports: int = 1_000 * SOL) -> Keypair:
        keys = Keypair()
        await self.chain.fund(keys.pubkey(), lamports)
        return keys

    # sales

    async def sale(self, **change: Any) -> tuple[SaleKeys, OpenedSale]:
        """On the chain and in the books; the feed has not looked yet."""
        keys, terms = await self.desk.create(self.creator, await self.desk.now(), **change)
        project = await self._project(keys, terms)
        async with transaction(self.pool) as connection:
            sale = NewSale(project_id=project, keys=keys, program_id=LAUNCH, terms=terms)
            return keys, await open_sale(connection, sale)

    async def _project(self, keys: SaleKeys, terms: Terms) -> str:
        account, launch = new_id(), new_id()
        await self.change("INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'creator', 'creator')", account)
        await self.change(
            """INSERT INTO launchpad.launches (id, account_id, request, cluster, signing, creator_wallet,
                 budget_lamports) VALUES (%s, %s, '{}', 'localnet', 'platform', %s, 0)""",
            launch, account, keys.creator,
        )  # fmt: skip
        await self.change(
            """INSERT INTO launchpad.projects (id, token_address, name, symbol, logo_uri, total_supply, decimals,
                 allocation_bps, bonding_curve_type, initial_price, target_price, soft_cap_lamports, hard_cap_lamports,
                 creator_wallet, cluster, status, starts_at, ends_at)
               VALUES (%s, %s, 'Test', 'TST', '', 1, 6, '{}', 'linear', 1, 2, 1, 2, %s, 'localnet', 'active', now(),
                 now() + interval '1 day')""",
            launch, keys.mint, keys.creator,
        )  # fmt: skip
        return launch

    async def latched(self, lamports: int = 20 * SOL, **change: Any) -> tuple[SaleKeys, OpenedSale]:
        """A sale above its soft cap, by a buyer with an upline."""
        keys, sale = await self.sale(**change)
        root, buyer = await self.wallet(), await self.wallet()
        await self.desk.register(root, None)
        await self.desk.register(buyer, root)
        await self.buy(keys, buyer, lamports)
        await self.look()
        return keys, sale

    async def buy(self, keys: SaleKeys, who: Keypair, lamports: int) -> None:
        state = await self.desk.state(keys)
        tokens = curves.max_affordable(state.terms.curve, state.sold, lamports, state.terms.most)
        await self.desk.buy(keys, who, tokens)

    async def look(self) -> None:
        """Everything that happened becomes final, and the feed looks once."""
        await self.chain.finalize()
        async with fenced(self.dsn, FENCE, 1) as connection:
            await SaleTurn(SaleFeedStore(connection, LAUNCH), self.parts()).look()

    def parts(self) -> Collaborators:
        """What the feed works with; no process runs that it could wake."""

        async def signal(workflow_id: str, name: str, news: SaleNews) -> bool:
            return True

        jobs = JobStore(self.books)
        older = Everywhere(self.nodes, quarantine=jobs.quarantine).older
        return Collaborators(
            self.nodes, self.desk.program, read_events, jobs.quarantine, signal, jobs.redispatch, older
        )

    # upkeep

    @property
    def views(self) -> SaleViews:
        return SaleViews(self.nodes, self.desk.program)

    @property
    def reconcile(self) -> ReconcileActivities:
        return ReconcileActivities(self.views, ReconcileStore(self.books, LAUNCH))

    @property
    def tax(self) -> TaxActivities:
        wallet = str(self.platform.pubkey())
        store = TaxStore(self.books, LAUNCH, wallet)
        return TaxActivities(
            self.nodes, self.desk.program, self.views, store, platform=wallet, position_tag=POSITION_TAG
        )

    @property
    def care(self) -> AftercareActivities:
        wallet = str(self.platform.pubkey())
        store = AftercareStore(self.books, LAUNCH, wallet)
        return AftercareActivities(
            self.nodes, self.desk.program, self.views, store, platform=wallet, position_tag=POSITION_TAG
        )


async def _unknown(*told: Any) -> None:
    raise AssertionError(told)


@asynccontextmanager
async def upkeep_over(
    dsn: str, urls: list[str], chain: Chain, platform: Keypair | None = None
) -> AsyncIterator[Upkeep]:
    """Over a node that is there."""
    async with make_pool(dsn, size=4, name="upkeep") as pool:
        nodes = RpcNodes.connect(tuple(urls), calls_per_s=1_000, quarantine=_unknown)
        try:
            world = Upkeep(dsn, pool, urls[0], nodes, chain, platform or Keypair())
            for keys in (world.platform, world.creator):
                await chain.fund(keys.pubkey(), 1_000 * SOL)
            await configure_pools(urls[0])
            yield world
        finally:
            await nodes.aclose()


@asynccontextmanager
async def upkeep_world(dsn: str) -> AsyncIterator[tuple[Upkeep, RunningSvm]]:
    """With a node of its own in this process, whose slots move when they are told to."""
    programs = {Pubkey.from_string(program.address): program.elf for program in PROGRAMS.values()}
    async with contextlib.AsyncExitStack() as stack:
        svm = await stack.enter_async_context(running_svm(programs=programs))
        world = await stack.enter_async_context(upkeep_over(dsn, svm.urls, InProcess(svm)))
        yield world, svm


def altered(account: Account, *, lamports: int | None = None, data: bytes | None = None) -> Account:
    """As it is, but for this: what no transaction could do."""
    return Account(
        account.lamports if lamports is None else lamports,
        bytes(account.data) if data is None else data,
        account.owner,
        account.executable,
        account.rent_epoch,
    )
