"""A market that is busy while it is hurt, and the account of what must have become of everything that was accepted.

Traders trade in two assets (on different engines) and in a third that an operator halts again and again; providers
withdraw principal and claim fees; rounds are opened, contributed to, and fail at their deadline.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from domain.shared.money import USDC_ONE
from storage.database import make_pool
from storage.reads.market_log import differences
from tests.chaos.live_stack import LiveStack
from tests.world.books import BooksSide

SETTINGS = ("LP_VESTING=0:10000", "LP_QUEUE_S=1", "LP_POOL_DAILY_BPS=10000", "MARKET_ENGINES=2")
"""Principal vests at once and is paid from the queue a second later, so that withdrawals end within the test."""
REFUSALS = {
    "insufficient_funds", "asset_halted", "amount_too_small", "funding_closed", "hard_cap_exceeded", "not_vested",
    "nothing_to_claim", "asset_not_active",
}  # fmt: skip
MONEY = 900
ROUND_S = 12
ALONE = timedelta(seconds=3)
"""Time for what was killed before to be up again."""


class Kill(NamedTuple):
    process: str
    at: datetime


class Bazaar:
    """`accepted`: ids by kind, each of which must come to exactly one end."""

    def __init__(self, stack: LiveStack, draw: random.Random) -> None:
        self.stack, self.draw = stack, draw
        self.books = BooksSide(stack.endpoints()["postgres_dsn"])
        self.users: list[str] = []
        self.assets: list[str] = []
        self.halted = ""
        self.spare: list[str] = []
        self.rounds: list[str] = []
        self.accepted: dict[str, list[str]] = {"trades": [], "contributions": [], "lp_withdrawals": [], "claims": []}
        self.refused: Counter[str] = Counter()
        self.halts = 0
        self.kills: list[Kill] = []
        self._open = True

    # --- before -----------------------------------------------------------------------------------------------------

    async def prepare(self, users: int) -> None:
        """Users with money, two assets on different engines, a third one."""
        made = [await self.stack.account() for _ in range(users)]
        sent = [(account, await self.stack.mint(address, str(MONEY))) for account, address in made]
        for account, tx_hash in sent:
            await self.stack.until(
                lambda a=account: self.stack.deposits(a),
                lambda found, t=tx_hash: t in found and found[t]["status"] == "credited",
                "deposit",
            )
        self.users = [account for account, _ in made]
        self.assets = [await self._active()]
        while len(self.assets) < 2:
            another = await self._active()
            if await self._engine(another) != await self._engine(self.assets[0]):
                self.assets.append(another)
            else:
                self.spare.append(another)
        self.halted = self.spare.pop() if self.spare else await self._active()

    @property
    def all(self) -> list[str]:
        return [*self.assets, self.halted, *self.spare, *self.rounds]

    async def _engine(self, asset: str) -> int:
        return int((await self.books.row("SELECT shard FROM exchange.assets WHERE id = %s", asset))["shard"]) % 2

    async def _listed(self, soft_cap: str, seconds: float) -> str | None:
        """The asset's id; None when the system was away until its deadline had passed."""
        deadline = datetime.now(UTC) + timedelta(seconds=seconds)
        symbol = f"C{secrets.token_hex(4).upper()}"
        body = {
            "symbol": symbol, "name": symbol, "p0_usdc": "1", "k_usdc": "0.01", "soft_cap_usdc": soft_cap,
            "hard_cap_usdc": "100000", "funding_deadline": deadline.strftime("%Y-%m-%dT%H:%M:%SZ"), "breaker_bps": 0,
        }  # fmt: skip
        status, found = await self.stack.attempt("POST", "/api/exchange/assets", body)
        if status < 400:
            return str(found["id"])
        assert found["errors"][0]["pointer"] == "/funding_deadline", found
        return None

    async def _active(self) -> str:
        asset = await self._listed("40", 3_600)
        assert asset is not None
        for user in self.users[:2]:
            await self._post("contributions", f"/api/exchange/assets/{asset}/contributions", user, amount_usdc="20")

        async def status() -> str:
            return str((await self.stack.ask("GET", f"/api/exchange/assets/{asset}"))["status"])

        await self.stack.until(status, lambda found: found == "active", "active")
        return asset

    # --- meanwhile --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Everybody acts until the block ends."""
        acts: list[Callable[[], Awaitable[None]]] = [self._rounds, self._halts, *[self._leave] * 2]
        tasks = [asyncio.create_task(self._again(act)) for act in acts]
        tasks += [asyncio.create_task(self._again(partial(self._trade, user))) for user in self.users]
        try:
            yield
        finally:
            self._open = False
            for task in tasks:
                await task

    async def _again(self, act: Callable[[], Awaitable[None]]) -> None:
        while self._open:
            await act()
            await asyncio.sleep(self.draw.uniform(0.02, 0.3))

    async def _post(self, kind: str, path: str, user: str, **body: str) -> None:
        status, found = await self.stack.attempt("POST", path, {"account_id": user, **body})
        if status < 400:
            self.accepted[kind].append(str(found["id"]))
        else:
            assert found["code"] in REFUSALS, found
            self.refused[found["code"]] += 1

    async def _trade(self, user: str) -> None:
        asset = self.draw.choice([*self.assets, *self.assets, self.halted])
        if self.draw.random() < 0.35:
            found = await self.stack.ask("GET", f"/api/exchange/positions?account_id={user}")
            held = next((Decimal(i["shares"]) for i in found["items"] if i["asset_id"] == asset), Decimal(0))
            part = (held / 3).quantize(Decimal(10) ** -18, rounding=ROUND_DOWN)
            if part:
                await self._post(
                    "trades", "/api/exchange/trades", user, asset_id=asset, side="sell", shares=format(part, "f")
                )
                return
        amount = f"{self.draw.randint(1, 9)}.{self.draw.randint(0, 999_999):06}"
        await self._post("trades", "/api/exchange/trades", user, asset_id=asset, side="buy", amount_usdc=amount)

    async def _leave(self) -> None:
        """Providers take principal and fees out."""
        asset, user = self.draw.choice(self.assets), self.draw.choice(self.users[:2])
        if self.draw.random() < 0.5:
            await self._post("claims", "/api/exchange/lp-fee-claims", user, asset_id=asset)
        else:
            amount = f"0.{self.draw.randint(1, 999):03}"
            await self._post("lp_withdrawals", "/api/exchange/lp-withdrawals", user, asset_id=asset, amount_usdc=amount)
        await asyncio.sleep(0.3)

    async def _rounds(self) -> None:
        """A round that nobody can fill: it fails at its deadline, and everybody gets everything back."""
        asset = await self._listed("50000", ROUND_S)
        if asset is None:
            return
        self.rounds.append(asset)
        until = asyncio.get_running_loop().time() + ROUND_S + 1
        while self._open and asyncio.get_running_loop().time() < until:
            path = f"/api/exchange/assets/{asset}/contributions"
            await self._post("contributions", path, self.draw.choice(self.users), amount_usdc="1.5")
            await asyncio.sleep(0.1)

    async def _halts(self) -> None:
        """An operator halts the third asset; a second later it goes on by itself."""
        status, found = await self.stack.attempt(
            "POST", f"/api/exchange/assets/{self.halted}/halt", {"reason": "chaos", "seconds": 1}
        )
        assert status < 400 or found["code"] == "asset_halted", found
        self.halts += status < 400
        await asyncio.sleep(3)

    def kill(self, process: str, which: int = 0) -> None:
        """One that is away already is not killed again, and not counted."""
        at = datetime.now(UTC)
        if self.stack.kill(process, which):
            self.kills.append(Kill(process, at))

    # --- afterwards -------------------------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Until nothing is under way any more."""
        unfinished = """
          SELECT (SELECT count(*) FROM exchange.trades
             WHERE status = 'pending' AND asset_id = ANY(%s::uuid[])) AS trades,
            (SELECT count(*) FROM exchange.contributions WHERE status = 'requested') AS contributions,
            (SELECT count(*) FROM exchange.lp_withdrawals WHERE status IN ('requested', 'queued')) AS lp_withdrawals,
            (SELECT count(*) FROM exchange.lp_fee_claims WHERE status = 'requested') AS claims,
            (SELECT count(*) FROM exchange.asset_halts WHERE ended_at IS NULL) AS halts,
            (SELECT count(*) FROM exchange.contributions JOIN exchange.assets a ON a.id = asset_id
             WHERE a.id = ANY(%s::uuid[]) AND (a.status = 'funding' OR contributions.status = 'accepted')) AS rounds"""
        look = partial(self.books.row, unfinished, self.all, self.rounds)
        await self.stack.until(look, lambda row: not any(row.values()), "under way", 120)

    async def check(self) -> dict[str, Any]:
        """Nothing lost, nothing doubled; what it came to, in figures."""
        await self.settled()
        await self.stack.check()
        await self._each_came_to_one_end()
        await self._money_is_all_there()
        async with make_pool(self.books.dsn, size=1, name="chaos") as pool:
            for asset in (*self.assets, self.halted):
                assert await differences(pool, asset) == []
        return await self._figures()

    async def _each_came_to_one_end(self) -> None:
        tables = {"trades": "trades", "contributions": "contributions", "lp_withdrawals": "lp_withdrawals",
                  "claims": "lp_fee_claims"}  # fmt: skip
        for kind, table in tables.items():
            rows = await self.books.rows(f"SELECT id FROM exchange.{table} WHERE asset_id = ANY(%s::uuid[])", self.all)
            assert Counter(row["id"] for row in rows) == Counter(self.accepted[kind]), kind
        told = await self.books.rows(
            """SELECT a.id, a.verdicts, (SELECT array_agg((payload ->> 'verdict')::int ORDER BY o.id)
                 FROM platform.outbox o WHERE topic = 'trades' AND payload ->> 'asset_id' = a.id::text) AS told
               FROM exchange.assets a WHERE a.id = ANY(%s::uuid[])""",
            self.assets,
        )
        assert len(told) == len(self.assets)
        assert all(row["told"] == list(range(1, row["verdicts"] + 1)) for row in told), "each verdict is told once"
        refunds = await self.books.rows(
            """SELECT c.status::text AS status, count(t.id) AS refunds, count(*) AS n FROM exchange.contributions c
               LEFT JOIN platform.transfers t ON t.key = 'contribution:' || c.id || ':refund'
               WHERE c.asset_id = ANY(%s::uuid[]) GROUP BY 1""",
            self.rounds,
        )
        assert all(row["refunds"] == (row["n"] if row["status"] == "refunded" else 0) for row in refunds), refunds
        assert {row["status"] for row in refunds} <= {"refunded", "refused"}

    async def _money_is_all_there(self) -> None:
        row = await self.books.row(
            """SELECT (SELECT coalesce(sum(balance), 0) FROM platform.balances WHERE unit = 'USDC'
                 AND split_part(account, ':', 2) = ANY(%s) AND account !~ '^custody')
               + (SELECT coalesce(sum(fee_micros - lp_fee_micros), 0) FROM exchange.trades
                  WHERE status = 'filled' AND asset_id = ANY(%s::uuid[])) AS total""",
            [*self.users, *self.all],
            self.all,
        )
        assert int(row["total"]) == MONEY * USDC_ONE * len(self.users)

    async def _figures(self) -> dict[str, Any]:
        verdicts = await self.books.rows(
            """SELECT asset_id, status::text AS status, executed_at FROM exchange.trades
               WHERE asset_id = ANY(%s::uuid[]) ORDER BY executed_at""",
            self.assets,
        )
        times = {a: [row["executed_at"] for row in verdicts if row["asset_id"] == a] for a in self.assets}
        return {
            "kills": dict(Counter(k.process for k in self.kills)),
            **{kind: len(ids) for kind, ids in self.accepted.items()},
            "verdicts": dict(Counter(row["status"] for row in verdicts)),
            "rounds": len(self.rounds),
            "halts": self.halts,
            "refused": dict(self.refused),
            "until_next_verdict_s": self._pauses(times),
        }

    def _pauses(self, times: dict[str, list[datetime]]) -> dict[str, dict[str, float]]:
        """From a kill to the next verdict, on the asset that waited longer. `alone`: the longest of those during which
        nothing else was killed."""
        found: dict[str, list[tuple[float, bool]]] = {}
        for kill in self.kills:
            back = max(next((t for t in times[a] if t > kill.at), kill.at) for a in self.assets)
            alone = all(not kill.at - ALONE < other.at <= back for other in self.kills if other is not kill)
            found.setdefault(kill.process, []).append(((back - kill.at).total_seconds(), alone))
        return {
            process: {
                "median": round(median(s for s, _ in pauses), 2),
                "longest": round(max(s for s, _ in pauses), 2),
                "alone": round(max((s for s, alone in pauses if alone), default=0), 2),
            }
            for process, pauses in found.items()
        }
