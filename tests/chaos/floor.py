"""Leaders who trade on the local venue while everything is hurt, and the account of what copying them must have left.

Each has a wallet of its own: what it holds is moved by this test alone, and the venue's own word for it is the truth.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from domain.shared.money import parse_usdc
from tests.chaos.live_stack import LiveStack
from tests.world.books import BooksSide

SETTINGS = (
    "COPYTRADE_POLL_S=1", "COPYTRADE_RECONCILE_S=5", "COPYTRADE_MARKS_S=5", "COPYTRADE_SNAPSHOTS_S=5",
    "COPYTRADE_SETTLEMENT_S=2", "COPYTRADE_DRIFT_S=4",
)  # fmt: skip
DEEP = {"bids": [["0.51", "90000"], ["0.50", "90000"]], "asks": [["0.52", "90000"], ["0.53", "90000"]]}
WIDE = {"bids": [["0.40", "90000"]], "asks": [["0.62", "90000"]]}
MARKETS = {"red": DEEP, "green": DEEP, "blue": WIDE}
"""Two whose trades can be copied, one whose spread forbids it."""
DEEDS = {"BUY": 10, "SELL": 5, "twins": 2, "split": 3, "merge": 2}

DECIDED = """
SELECT g.group_key, count(*) FILTER (WHERE a.portfolio_scope = 'EXEC_USER') AS own,
  count(*) FILTER (WHERE a.portfolio_scope = 'EXEC_GLOBAL') AS global, count(i.group_key) AS inputs,
  bool_or(i.book IS NOT NULL) AS book
FROM copytrade.event_groups g LEFT JOIN copytrade.copy_attempts a USING (group_key)
LEFT JOIN copytrade.group_inputs i USING (group_key)
GROUP BY 1
"""
MOVED = """
SELECT a.id, a.portfolio_scope::text AS scope, a.decision::text AS decision, g.kind::text AS kind,
  a.filled_share_micros AS filled, f.shares AS fills,
  (SELECT coalesce(sum(e.share_delta_micros), 0)::bigint FROM copytrade.ledger_entries e
   JOIN copytrade.portfolios p ON p.id = e.portfolio_id
   WHERE e.ref_id = a.group_key AND p.portfolio_scope = a.portfolio_scope AND e.entry_type = 'TRADE_FILL') AS entries
FROM copytrade.copy_attempts a JOIN copytrade.event_groups g USING (group_key)
CROSS JOIN LATERAL (SELECT coalesce(sum(filled_share_micros), 0)::bigint AS shares
  FROM copytrade.executable_fills WHERE copy_attempt_id = a.id) f
"""
ORDER = """
SELECT a.portfolio_scope::text || ':' || CASE a.portfolio_scope WHEN 'EXEC_USER' THEN g.followed_user_id::text
    ELSE '' END AS whose, g.detect_time, g.group_key, a.out_of_order
FROM copytrade.copy_attempts a JOIN copytrade.event_groups g USING (group_key) ORDER BY a.ordinal
"""
NETTING = ("same_side_only", "net_buy_sell")
SMALL = {"enabled": True, "threshold_micros": 2_000_000, "flush_minimum_micros": 4_000_000, "quiet_ms": 3_000}
"""The first two leaders' small trades wait for company: some two of five do."""
UNEQUAL = """
SELECT g.group_key FROM copytrade.event_groups g JOIN copytrade.group_members m USING (group_key)
JOIN copytrade.trade_events e ON e.id = m.event_id
GROUP BY g.group_key HAVING sum(CASE e.side WHEN 'BUY' THEN e.share_micros ELSE -e.share_micros END)
  <> CASE g.kind WHEN 'BUY' THEN g.share_micros ELSE -g.share_micros END OR count(*) <> g.fills
"""
EVENTS = """
SELECT count(*) FILTER (WHERE m.event_id IS NULL) AS alone, count(*) AS events FROM (
  SELECT id FROM copytrade.trade_events WHERE NOT baseline
  UNION ALL SELECT id FROM copytrade.activity_events WHERE NOT baseline) e
LEFT JOIN copytrade.group_members m ON m.event_id = e.id
"""


class Floor:
    """`leaders`: id of the followed user by name at the venue."""

    def __init__(self, stack: LiveStack, draw: random.Random) -> None:
        self.stack, self.draw = stack, draw
        first = stack.endpoints()
        self.books = BooksSide(first["postgres_dsn"])
        self.venue: dict[str, Any] = first["polymarket"]
        self.leaders: dict[str, str] = {}
        self.markets: list[dict[str, Any]] = []
        self.done: Counter[str] = Counter()
        self.control = httpx.AsyncClient(timeout=20, headers={"user-agent": "chaos"})
        self._open = True

    # --- the venue --------------------------------------------------------------------------------------------------

    async def tell(self, verb: str, **asked: Any) -> dict[str, Any] | None:
        """Told until it answers; None when it refuses. Whether an unanswered telling counted shows in what it holds."""
        deadline = asyncio.get_running_loop().time() + 60
        while True:
            try:
                answer = await self.control.post(f"{self.venue['control_url']}/{verb}", json=asked)
                if answer.status_code < 500:
                    return (answer.json() if answer.content else {}) if answer.status_code < 400 else None
            except httpx.TransportError:
                pass
            assert asyncio.get_running_loop().time() < deadline, f"the venue never answered {verb}"
            await asyncio.sleep(0.2)

    async def holds(self, name: str) -> dict[str, int]:
        """The venue's truth, in micros."""
        found = await self.tell("wallet", name=name)
        assert found is not None
        return {token: parse_usdc(shares) for token, shares in found["positions"].items() if Decimal(shares)}

    async def rows(self, name: str) -> int:
        """How many fills, splits and merges of a leader the venue tells."""
        found = await self.tell("wallet", name=name)
        assert found is not None
        count, cursor = 0, ""
        while True:
            query = {"user": found["address"], "limit": "1000", "type": "TRADE,SPLIT,MERGE", "start": "1"}
            query |= {"_": secrets.token_hex(8)} | ({"cursor": cursor} if cursor else {})
            page = (await self.control.get(f"{self.venue['data_api_url']}/v2/activity", params=query)).json()
            count += len(page["data"])
            if not page["pagination"]["has_more"]:
                return count
            cursor = page["pagination"]["next_cursor"]

    # --- before -----------------------------------------------------------------------------------------------------

    async def prepare(self, leaders: int = 3) -> None:
        """Leaders who are followed, and markets with deep books."""
        tag = secrets.token_hex(3)
        for colour in MARKETS:
            made = await self.tell("market", slug=f"{colour}-{tag}", category="weather")
            assert made is not None
            self.markets.append(made)
        await self._books()
        for number in range(leaders):
            name = f"chaos-{number}-{tag}"
            found = await self.tell("wallet", name=name)
            assert found is not None
            body = {"label": name, "wallet": found["address"], "bankroll_usdc": "10000"}
            self.leaders[name] = user = str((await self.stack.ask("POST", "/api/copytrade/users", body))["id"])
            if number < len(NETTING):
                rules = SMALL | {"netting": NETTING[number]}
                await self.stack.ask("POST", f"/api/copytrade/config/user/{user}", {"small_trades": rules})

        async def statuses() -> set[str]:
            found = await self.stack.ask("GET", "/api/copytrade/users?limit=200")
            return {item["status"] for item in found["items"] if item["id"] in self.leaders.values()}

        await self.stack.until(statuses, lambda found: found == {"following"}, "baselines")

    async def _books(self) -> None:
        """The venue forgets its books when it is killed, and draws others."""
        for market, book in zip(self.markets, MARKETS.values(), strict=True):
            await self.tell("book", token=market["tokens"][0]["token_id"], **book)

    # --- meanwhile --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Leaders trade until the block ends."""
        tasks = [asyncio.create_task(self._trade(name)) for name in self.leaders]
        try:
            yield
        finally:
            self._open = False
            await asyncio.gather(*tasks)

    async def _trade(self, name: str) -> None:
        while self._open:
            kind = self.draw.choices(list(DEEDS), list(DEEDS.values()))[0]
            market = self.draw.choice(self.markets)
            done = await self._deed(name, kind, market)
            self.done[kind] += done is not None
            if self.draw.random() < 0.2:
                await self._books()
            await asyncio.sleep(self.draw.uniform(0.1, 0.6))

    async def _deed(self, name: str, kind: str, market: dict[str, Any]) -> dict[str, Any] | None:
        if kind in ("split", "merge"):
            return await self.tell(
                kind, wallet=name, market=market["condition_id"], pairs=f"{self.draw.randint(1, 50)}.5"
            )
        copies = 2 if kind == "twins" else 1
        side, price = ("SELL", "0.51") if kind == "SELL" else ("BUY", "0.52")
        shares = f"{self.draw.randint(20, 900)}.{self.draw.randint(0, 999_999):06}"
        return await self.tell(
            "trade", wallet=name, token=market["tokens"][0]["token_id"], side=side, shares=shares, price=price,
            copies=copies,
        )  # fmt: skip

    # --- afterwards -------------------------------------------------------------------------------------------------

    async def check(self) -> dict[str, Any]:
        """Nothing lost, nothing doubled; what it came to, in figures."""
        await self._shadows_are_the_venues()
        await self._everything_is_decided()
        await self._each_once()
        await self._in_order()
        await self._settled_once()
        await self.stack.check()
        await self.control.aclose()
        held = await self.books.rows("SELECT source, kind, reason FROM platform.quarantine")
        assert held == []
        parked = await self.books.rows("SELECT * FROM platform.operations WHERE status = 'needs_operator'")
        assert parked == []
        return await self._figures()

    async def _shadows_are_the_venues(self) -> None:
        for name, user in self.leaders.items():
            theirs = await self.holds(name)

            async def ours(user: str = user) -> dict[str, int]:
                shadow = (await self.stack.ask("GET", f"/api/copytrade/users/{user}"))["shadow"]
                return {p["asset_id"]: parse_usdc(p["shares"]) for p in shadow["positions"]}

            await self.stack.until(ours, lambda held, truth=theirs: held == truth, f"{name} to hold {theirs}")
            seen = await self.books.row(
                """SELECT (SELECT count(*) FROM copytrade.trade_events WHERE followed_user_id = %s)
                     + (SELECT count(*) FROM copytrade.activity_events WHERE followed_user_id = %s) AS rows""",
                user,
                user,
            )
            assert int(seen["rows"]) == await self.rows(name)

        async def drifts() -> list[dict[str, Any]]:
            return await self.books.rows("SELECT * FROM copytrade.shadow_drifts")

        await self.stack.until(drifts, lambda rows: rows == [], "the reconcile to agree")

    async def _everything_is_decided(self) -> None:
        async def undecided() -> list[dict[str, Any]]:
            return [row for row in await self.books.rows(DECIDED) if not row["own"] or not row["global"]]

        await self.stack.until(undecided, lambda rows: rows == [], "decided")

    async def _each_once(self) -> None:
        for row in await self.books.rows(DECIDED):
            # the join of two attempts with one row of inputs
            assert (row["own"], row["global"], row["inputs"]) == (1, 1, 2), row
        for row in await self.books.rows(MOVED):
            expected = (row["filled"], row["filled"] if row["kind"] == "BUY" else -row["filled"])
            if row["kind"] in ("BUY", "SELL"):
                assert (row["fills"], row["entries"]) == expected, row
            assert (row["decision"] == "EXECUTE") == (row["filled"] > 0), row
        events = await self.books.row(EVENTS)
        assert events["alone"] == 0, events
        assert await self.books.rows(UNEQUAL) == []

    async def _in_order(self) -> None:
        """In each portfolio by detect time and key; what came too late for that says so."""
        greatest: dict[str, tuple[datetime, str]] = {}
        for row in await self.books.rows(ORDER):
            at, before = (row["detect_time"], row["group_key"]), greatest.get(row["whose"])
            if before is not None:
                assert row["out_of_order"] == (at < before), row
            greatest[row["whose"]] = max(at, before) if before else at

    async def _settled_once(self) -> None:
        """One market resolves: every portfolio is paid for it once."""
        condition = self.markets[0]["condition_id"]
        await self.tell("resolve", market=condition, payouts=["1", "0"])
        held = """SELECT count(*) AS n FROM copytrade.positions WHERE condition_id = %s AND share_micros <> 0"""

        async def look() -> int:
            return int((await self.books.row(held, condition))["n"])

        await self.stack.until(look, lambda left: left == 0, "settlement")
        twice = await self.books.rows(
            """SELECT portfolio_id, token_id, epoch, count(*) FROM copytrade.ledger_entries
               WHERE entry_type = 'SETTLEMENT' AND condition_id = %s GROUP BY 1, 2, 3 HAVING count(*) > 1""",
            condition,
        )
        assert twice == []

    async def _figures(self) -> dict[str, Any]:
        row = await self.books.row(
            """SELECT (SELECT count(*) FROM copytrade.event_groups) AS groups,
                 (SELECT count(*) FROM copytrade.copy_attempts WHERE decision = 'EXECUTE') AS executed,
                 (SELECT count(*) FROM copytrade.group_inputs WHERE book IS NULL) AS without_book,
                 (SELECT count(*) FROM copytrade.copy_attempts WHERE out_of_order) AS out_of_order,
                 (SELECT count(*) FROM copytrade.copy_attempts WHERE buffered_count > 1) AS in_company,
                 (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY lateness_us)::numeric / 1000, 1)::text
                  FROM copytrade.group_inputs) AS lateness_ms,
                 (SELECT count(*) FROM copytrade.chain_logs WHERE NOT removed) AS logs"""
        )
        assert row["executed"], "nothing was ever copied"
        reasons = await self.books.rows(
            "SELECT unnest(reason_codes) AS code, count(*) AS n FROM copytrade.copy_attempts GROUP BY 1 ORDER BY 2 DESC"
        )
        alerts = await self.books.rows(
            "SELECT code, resolved_at IS NULL AS open, count(*) AS n FROM platform.alerts GROUP BY 1, 2 ORDER BY 1"
        )
        return {
            "kills": dict(Counter(self.stack.kills)),
            "deeds": dict(self.done),
            "alerts": {f"{one['code']}{' open' if one['open'] else ''}": one["n"] for one in alerts},
            **row,
            "skips": {one["code"]: one["n"] for one in reasons},
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
