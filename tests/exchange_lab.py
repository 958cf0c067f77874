"""Every act of the exchange against a real Postgres, as its activities do it: the same stores, no Temporal between.

Business time is passed in, as workflows do; whoever waits is a test that says a later time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from domain.exchange.assets import AssetPlan
from domain.exchange.liquidity_messages import AdmitContributions, EndRound, RefundBatch
from domain.exchange.messages import HoldPlaced, Mined, SettleWithdrawal
from domain.exchange.price_messages import EndHalt
from domain.exchange.vesting import LpPolicy
from domain.exchange.withdrawals import WithdrawalPolicy
from domain.shared.errors import Rejected
from domain.shared.ledger import Transfer, available, custody, move
from domain.shared.money import USDC
from storage.books import Books
from storage.database import Pool, make_pool, transaction
from storage.events import new_id
from storage.exchange.fee_claims import ClaimStore
from storage.exchange.funding import FundingStore
from storage.exchange.halts import HaltStore
from storage.exchange.liquidity import LpStore
from storage.exchange.withdrawals import WithdrawalStore
from storage.intents.assets import open_asset
from storage.intents.halts import halt_by_operator
from storage.intents.liquidity import open_contribution, open_fee_claim, open_lp_withdrawal
from storage.intents.system import set_control
from storage.intents.withdrawals import open_withdrawal
from storage.reads.invariants import RULES
from storage.reads.ledger import MORE_RULES
from storage.reads.market_log import differences
from tests.world.market import Asked, Market, open_market

CHAIN = 77
MANY = 10**17
WITHDRAWALS = WithdrawalPolicy(
    minimum_micros=1, fee_micros=3, account_daily_micros=MANY, platform_daily_micros=MANY,
    review_from_micros=MANY, new_address_cooldown_s=0,
)  # fmt: skip


class ExchangeLab:
    """`batch` 2: contributions are decided and refunded in several transactions."""

    def __init__(self, pool: Pool, market: Market, operator: str) -> None:
        books = Books(pool)
        self.pool, self.market, self.operator, self.books = pool, market, operator, books
        self.funding, self.lp = FundingStore(books, batch=2), LpStore(books, LpPolicy())
        self.claims, self.halts = ClaimStore(books), HaltStore(books)
        self.withdrawals = WithdrawalStore(books, WITHDRAWALS)

    async def account(self) -> str:
        return await self.market.account()

    async def deposit(self, account: str, micros: int) -> None:
        lines = move(USDC, micros, custody(CHAIN, "deposits"), available(account))
        async with self.books.begin() as book:
            await book.book(Transfer(key=f"test:{new_id()}", kind="test", postings=lines))

    async def switch(self, on: bool) -> None:
        async with transaction(self.pool) as connection:
            await set_control(
                connection, name="exchange.trading", enabled=on, reason="test", principal=self.operator
            )  # fmt: skip

    # --- funding

    async def asset(self, plan: AssetPlan) -> str:
        async with transaction(self.pool) as connection:
            return (await open_asset(connection, plan, created_by=self.operator)).subject_id

    async def request(self, asset: str, account: str, micros: int) -> str:
        async with transaction(self.pool) as connection:
            return await open_contribution(
                connection, asset_id=asset, account_id=account, amount_micros=micros, requested_by=account
            )

    async def admit(self, asset: str, at: datetime, wanted: str | None = None) -> dict[str, str | None]:
        """Decide all that was requested; the code of each by its id."""
        decided: dict[str, str | None] = {}
        while True:
            found = await self.funding.admit(AdmitContributions(asset_id=asset, at=at, wanted=wanted))
            decided |= {d.contribution_id: d.code for d in found.decided}
            if not found.more:
                return decided

    async def end_round(self, asset: str, at: datetime, principal: str | None = None) -> str:
        return (await self.funding.end(EndRound(asset_id=asset, at=at, principal=principal))).status

    async def refund(self, asset: str, after: str | None = None) -> str | None:
        """One batch; after which contribution the next begins."""
        return (await self.funding.refund(RefundBatch(asset_id=asset, after=after))).last

    # --- trading

    async def trade(self, orders: Sequence[Asked]) -> list[dict[str, Any]]:
        return await self.market.carry_out(orders)

    async def halt(self, asset: str, until: datetime) -> str | None:
        """The halt's id, or None when it cannot be halted."""
        try:
            async with transaction(self.pool) as connection:
                opened = await halt_by_operator(
                    connection, asset_id=asset, reason="test", principal=self.operator, until=until
                )
        except Rejected:
            return None
        return opened.subject_id

    async def end_halt(self, halt: str, at: datetime, principal: str = "") -> bool:
        return (await self.halts.end(EndHalt(halt_id=halt, at=at, principal=principal))).ended

    # --- leaving

    async def ask(self, asset: str, account: str, micros: int, at: datetime) -> tuple[str, str]:
        """The withdrawal's id and status."""
        async with transaction(self.pool) as connection:
            opened = await open_lp_withdrawal(
                connection, asset_id=asset, symbol="T", account_id=account, amount_micros=micros, requested_by=account
            )
        await self.lp.check(opened.subject_id, at)
        return opened.subject_id, (await self.lp.check(opened.subject_id, at)).status

    async def claim(self, asset: str, account: str) -> int:
        """What was paid; asked for twice."""
        async with transaction(self.pool) as connection:
            opened = await open_fee_claim(
                connection, asset_id=asset, symbol="T", account_id=account, requested_by=account
            )
        first = await self.claims.pay(opened.subject_id)
        assert (await self.claims.pay(opened.subject_id)).status == first.status
        row = await self.market.row("SELECT amount_micros FROM exchange.lp_fee_claims WHERE id = %s", opened.subject_id)
        return int(row["amount_micros"] or 0)

    async def withdraw(self, account: str, micros: int) -> tuple[str, HoldPlaced]:
        async with transaction(self.pool) as connection:
            opened = await open_withdrawal(
                connection, account_id=account, chain_id=CHAIN, to_address="0x" + "ab" * 20, amount_micros=micros,
                fee_micros=WITHDRAWALS.fee_micros, requested_by=account,
            )  # fmt: skip
        await self.withdrawals.place_hold(opened.subject_id)
        return opened.subject_id, await self.withdrawals.place_hold(opened.subject_id)

    async def settle(self, withdrawal: str) -> None:
        for _ in range(2):
            await self.withdrawals.settle(
                SettleWithdrawal(withdrawal_id=withdrawal, outcome=Mined.SUCCESS, tx_hash="0x1", block_number=1)
            )

    async def give_up(self, withdrawal: str, account: str) -> None:
        for _ in range(2):
            await self.withdrawals.cancel(withdrawal, account)

    # --- what is in the books

    async def balances(self, accounts: Sequence[str], units: Sequence[str]) -> dict[tuple[str, str], int]:
        """Of these accounts, and what the world gave out of these units."""
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(
                """SELECT account, unit, balance FROM platform.balances
                   WHERE balance <> 0 AND (account = ANY(%s) OR account = 'world' AND unit = ANY(%s))""",
                [list(accounts), list(units)],
            )
            return {(r["account"], r["unit"]): r["balance"] for r in await cursor.fetchall()}

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with transaction(self.pool) as connection:
            return await (await connection.execute(query, arguments)).fetchall()

    async def violations(self) -> dict[str, int]:
        """How many there are of each rule of the ledger check; none should be."""
        found = {}
        async with transaction(self.pool) as connection:
            for rule in (*RULES, *MORE_RULES):
                row = await (await connection.execute(rule.sql)).fetchone()
                found[rule.name] = int(row["violations"]) if row is not None else 1
        return {name: count for name, count in found.items() if count}

    async def differences(self, assets: Sequence[str]) -> list[str]:
        return [text for asset in assets for text in await differences(self.pool, asset)]


@asynccontextmanager
async def open_exchange(dsn: str, size: int = 1) -> AsyncIterator[ExchangeLab]:
    """`size`: how much may happen at once."""
    async with make_pool(dsn, size=size, name="exchange-lab") as pool, open_market(dsn) as market:
        yield ExchangeLab(pool, market, await market.account("operator"))
