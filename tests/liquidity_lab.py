"""A small world for liquidity: real Postgres, a real Temporal server, our exchange worker; no chain."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from temporalio.client import Client, WorkflowHandle

import worker
from activities.operations.parking import ParkingActivities
from composition.liquidity import liquidity
from composition.parts import Parts, open_parts
from composition.queues import Queue
from domain.exchange.liquidity_messages import (
    Contribute,
    ContributionState,
    FeeClaimState,
    LpWithdrawalEnded,
    LpWithdrawalState,
    RoundState,
)
from domain.exchange.messages import Decision
from domain.exchange.vesting import Grant
from domain.shared import ids
from domain.shared.ledger import WORLD, Transfer, available, lp_fees, lp_principal, move
from domain.shared.money import USDC as UNIT
from domain.shared.processes import EXCHANGE
from settings import WorkerSettings
from storage.database import transaction
from storage.events import new_id
from storage.intents.liquidity import open_contribution, open_fee_claim, open_lp_withdrawal
from storage.intents.opened import Opened
from storage.operations import open_operation
from storage.reads.base import fetch_one
from storage.reads.invariants import RULES, check
from tests.world.assets import funded_asset, give, trader
from tests.world.books import BooksSide
from tests.world.child import running_child
from workflows import client as temporal
from workflows.registry import WORKFLOWS

USDC = 10**6
LATER = timedelta(days=7)


class Lab(BooksSide):
    def __init__(self, dsn: str, client: Client, parts: Parts, settings: WorkerSettings) -> None:
        super().__init__(dsn)
        self.client, self.parts, self.settings = client, parts, settings

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        activities = [*liquidity(self.settings, self.parts), ParkingActivities(self.parts.jobs).park_operation]
        queue = Queue(WORKFLOWS[EXCHANGE], activities)
        async with worker.build_worker(self.client, EXCHANGE, queue, self.settings, self.parts):
            yield

    # --- funding

    async def round(
        self, *, soft_cap: int = 100 * USDC, hard_cap: int = 1_000 * USDC, deadline_in_s: int = 3_600
    ) -> str:
        """A funding asset with its operation, as the API leaves it; its process is not started."""
        asset = await funded_asset(
            self.dsn, status="funding", principal=0, soft_cap=soft_cap, hard_cap=hard_cap, deadline_in_s=deadline_in_s
        )
        async with transaction(self.parts.pool) as connection:
            operation = await open_operation(
                connection,
                kind="funding_round",
                subject_id=asset,
                workflow_id=ids.funding_round(asset),
                steps=("funding", "decision", "refunds"),
                summary="test",
            )
            await connection.execute("UPDATE exchange.assets SET operation_id = %s WHERE id = %s", [operation, asset])
        return asset

    async def start_round(self, asset: str) -> WorkflowHandle[Any, RoundState]:
        operation = (await self.asset(asset))["operation_id"]
        await self.parts.processes.start(
            "funding_round", asset, ids.funding_round(asset), "test", operation_id=operation
        )
        return self.client.get_workflow_handle(ids.funding_round(asset), result_type=RoundState)

    async def request(self, asset: str, account: str, amount: int) -> str:
        async with transaction(self.parts.pool) as connection:
            return await open_contribution(
                connection, asset_id=asset, account_id=account, amount_micros=amount, requested_by=account
            )

    async def push(self, asset: str, contribution: str) -> ContributionState:
        return await self.parts.processes.update(
            ids.funding_round(asset),
            "contribute",
            Contribute(contribution_id=contribution),
            ContributionState,
            update_id=contribution,
        )

    async def contribute(self, asset: str, account: str, amount: int) -> ContributionState:
        return await self.push(asset, await self.request(asset, account, amount))

    async def cancel_round(self, asset: str) -> RoundState:
        return await self.parts.processes.update(
            ids.funding_round(asset), "cancel", Decision(principal="operator"), RoundState, update_id="cancel"
        )

    async def other_money(self, asset: str, micros: int) -> None:
        """Money of the asset that is not principal, as trades would bring it."""
        await self._book(move(UNIT, micros, WORLD, lp_fees(asset)))

    async def book_key(self, key: str, account: str) -> None:
        """Somebody used this key for another transfer: whoever needs it finds the books against him."""
        async with self.parts.books.begin() as book:
            await book.book(Transfer(key=key, kind="test", postings=move(UNIT, 1, WORLD, available(account))))

    async def forget_key(self, key: str) -> None:
        """An operator's repair of that, past the guards."""
        async with await psycopg.AsyncConnection.connect(self.dsn) as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute("UPDATE platform.transfers SET key = %s WHERE key = %s", [f"elsewhere:{key}", key])

    async def asset(self, asset: str) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.assets WHERE id = %s", asset)

    async def principal(self, asset: str) -> int:
        return await self.ledger(lp_principal(asset))

    async def contributions(self, asset: str) -> dict[str, int]:
        rows = await self.rows(
            "SELECT status::text AS status, count(*) AS n FROM exchange.contributions WHERE asset_id = %s GROUP BY 1",
            asset,
        )
        return {row["status"]: row["n"] for row in rows}

    # --- pools

    async def provider(self, *grants: tuple[int, int], asset: str | None = None) -> tuple[str, str]:
        """A provider of an active asset: (micros, days ago) per contribution. Returns asset and account."""
        account = await trader(self.dsn)
        total = sum(amount for amount, _ in grants)
        if asset is None:
            asset = await funded_asset(self.dsn, principal=0)
        await self.rows(
            """INSERT INTO exchange.lp_positions (asset_id, account_id, shares_micros, contributed_micros,
                 fee_index_paid)
               SELECT id, %s, %s, %s, fee_index FROM exchange.assets WHERE id = %s""",
            account, total, total, asset,
        )  # fmt: skip
        for amount, days in grants:
            await self.rows(
                """INSERT INTO exchange.contributions (id, asset_id, account_id, amount_micros, status, accepted_at)
                   VALUES (%s, %s, %s, %s, 'accepted', %s)""",
                new_id(), asset, account, amount, datetime.now(UTC) - timedelta(days=days),
            )  # fmt: skip
        await self.rows(
            "UPDATE exchange.assets SET lp_shares_micros = lp_shares_micros + %s WHERE id = %s", total, asset
        )
        await self._book(move(UNIT, total, WORLD, lp_principal(asset)))
        return asset, account

    async def earn(self, asset: str, micros: int) -> None:
        """Fees of `micros` fall to the providers, as a trade books them."""
        row = await self.asset(asset)
        index = int(row["fee_index"]) + micros * 10**18 // int(row["lp_shares_micros"])
        await self.rows("UPDATE exchange.assets SET fee_index = %s WHERE id = %s", index, asset)
        await self._book(move(UNIT, micros, WORLD, lp_fees(asset)))

    async def _book(self, postings: Any) -> None:
        async with self.parts.books.begin() as book:
            await book.book(Transfer(key=f"test:{new_id()}", kind="test", postings=postings))

    async def position(self, asset: str, account: str) -> dict[str, Any]:
        query = "SELECT * FROM exchange.lp_positions WHERE asset_id = %s AND account_id = %s"
        return await self.row(query, asset, account)

    async def ask(self, asset: str, account: str, amount: int) -> Opened:
        async with transaction(self.parts.pool) as connection:
            return await open_lp_withdrawal(
                connection, asset_id=asset, symbol="T", account_id=account, amount_micros=amount, requested_by=account
            )

    async def start(self, kind: str, opened: Opened) -> WorkflowHandle[Any, Any]:
        kinds: dict[str, Any] = {"lp_withdrawal": LpWithdrawalEnded, "lp_fee_claim": FeeClaimState}
        await self.parts.processes.start(
            kind, opened.subject_id, opened.workflow_id, "test", operation_id=opened.operation_id
        )
        return self.client.get_workflow_handle(opened.workflow_id, result_type=kinds[kind])

    async def withdraw(self, asset: str, account: str, amount: int) -> str:
        opened = await self.ask(asset, account, amount)
        await self.start("lp_withdrawal", opened)
        return opened.subject_id

    async def give_up(self, withdrawal: str) -> LpWithdrawalState:
        return await self.parts.processes.update(
            ids.lp_withdrawal(withdrawal), "cancel", Decision(principal="p"), LpWithdrawalState, update_id="cancel"
        )

    async def withdrawal_row(self, withdrawal: str) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.lp_withdrawals WHERE id = %s", withdrawal)

    async def decided(self, withdrawal: str, *statuses: str) -> dict[str, Any]:
        wanted = statuses or ("queued", "paid", "refused", "cancelled")
        return await self.until(lambda: self.withdrawal_row(withdrawal), lambda row: row["status"] in wanted)  # type: ignore[no-any-return]

    async def claim(self, asset: str, account: str) -> Opened:
        async with transaction(self.parts.pool) as connection:
            return await open_fee_claim(
                connection, asset_id=asset, symbol="T", account_id=account, requested_by=account
            )

    async def operation(self, subject: str) -> dict[str, Any]:
        return await self.row("SELECT * FROM platform.operations WHERE subject_id = %s", subject)

    # --- the end of every test

    async def crowd(self, asset: str, count: int, micros: int) -> None:
        """So many new accounts with so much money, each with one request to contribute all of it."""
        await self.rows(
            """WITH made AS (
                 INSERT INTO platform.accounts (id, name, role)
                 SELECT gen_random_uuid(), 'one of many', 'trader' FROM generate_series(1, %s) RETURNING id)
               INSERT INTO exchange.contributions (id, asset_id, account_id, amount_micros)
               SELECT gen_random_uuid(), %s, id, %s FROM made""",
            count, asset, micros,
        )  # fmt: skip
        owners = await self.rows("SELECT account_id FROM exchange.contributions WHERE asset_id = %s", asset)
        for start in range(0, count, 1_000):
            async with self.parts.books.begin() as book:
                await book.book(
                    *(
                        Transfer(key=f"test:{new_id()}", kind="test", postings=move(UNIT, micros, WORLD, available(a)))
                        for a in (row["account_id"] for row in owners[start : start + 1_000])
                    )
                )

    async def check_all(self) -> None:
        """The books add up, and every rule of /api/system/invariants holds."""
        await self.check_books()
        for verdict in await asyncio.gather(*(check(self.parts.pool, rule) for rule in RULES)):
            assert verdict.ok, verdict


@asynccontextmanager
async def open_lab(dsn: str, client: Client, **overrides: Any) -> AsyncIterator[Lab]:
    """`overrides`: settings."""
    nowhere = "0x" + "11" * 20
    settings = WorkerSettings(
        **{
            "holdfast_profile": "local",
            "log_format": "console",
            "database_url": dsn,
            "arbitrum_rpc_url": "http://127.0.0.1:1",
            "usdc_contract_address": nowhere,
            "deposit_xpub": "none",
            "hot_wallet_address": nowhere,
            "gas_wallet_address": nowhere,
            "graceful_shutdown_s": 0,
            **overrides,
        }
    )
    async with open_parts(settings, client, "liquidity-test") as parts:
        yield Lab(dsn, client, parts, settings)


async def serve(dsn: str, address: str) -> None:
    """A worker in a process of its own, to be killed."""
    client = await temporal.connect(address, "default")
    async with open_lab(dsn, client) as lab, lab.worker():
        print("ready", flush=True)
        await asyncio.Event().wait()


def worker_process(
    dsn: str, address: str, module: str = "tests.liquidity_lab"
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """The `serve` of a lab's module as a child."""
    return running_child(module, dsn, address)


__all__ = ["USDC", "Grant", "Lab", "fetch_one", "give", "open_lab", "trader", "worker_process"]

if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:3]))
