"""Two leaders on the local venue, followed from now on: what they do, what copying them on paper gives, and why not."""

from __future__ import annotations

import secrets
from typing import Any, Final

import httpx

from cli.demo.board import say
from cli.demo.client import Resource, until
from cli.demo.world import Ended, World
from domain.shared.money import parse_usdc

BANKROLL: Final = "10000"
USERS: Final = "/api/copytrade/users"
ATTEMPTS: Final = "/api/copytrade/copy-attempts"


class Copytrade:
    def __init__(self, world: World) -> None:
        self.world = world
        self.api = world.api
        self.venue: dict[str, str] = world.endpoints.get("polymarket", {})
        self._tag = secrets.token_hex(3)
        self.leaders: dict[str, Resource] = {}
        self.markets: dict[str, Resource] = {}

    @property
    def can_be_told(self) -> bool:
        """Whether the venue is the local one, whose leaders the demo plays."""
        return "control_url" in self.venue

    async def _tell(self, verb: str, **asked: Any) -> dict[str, Any]:
        """One verb of the local venue."""
        async with httpx.AsyncClient(timeout=10) as control:
            answer = await control.post(f"{self.venue['control_url']}/{verb}", json=asked)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json() if answer.content else {}
            return found

    async def _market(self, name: str, bid: str, ask: str) -> Resource:
        """A market of its own for this demo, with a deep book at these prices."""
        slug = f"{name}-{self._tag}"
        market = await self._tell("market", slug=slug, question=f"{name.title()} ({self._tag})?", category="weather")
        token = market["tokens"][0]["token_id"]
        await self._tell("book", token=token, bids=[[bid, "50000"]], asks=[[ask, "50000"]])
        self.markets[name] = {"id": market["condition_id"], "token": token, "slug": slug}
        return self.markets[name]

    async def followed(self) -> Ended:
        """One of them holds something already: that is its baseline, no signal."""
        rain = await self._market("rain", "0.51", "0.52")
        await self._market("snow", "0.30", "0.40")
        names = {"steady": f"steady-{self._tag}", "hasty": f"hasty-{self._tag}"}
        await self._tell("trade", wallet=names["steady"], token=rain["token"], side="BUY", shares="100", price="0.5")
        for label, name in names.items():
            wallet = (await self._tell("wallet", name=name))["address"]
            body = {"label": label, "wallet": wallet, "bankroll_usdc": BANKROLL}
            self.leaders[label] = (await self.api.post(USERS, body)) | {"name": name}
        for label, leader in self.leaders.items():

            async def look(leader: Resource = leader) -> Resource | None:
                found = await self.api.get(f"{USERS}/{leader['id']}")
                return found if found["status"] == "following" else None

            found = await until(look, f"the baseline of {label}")
            held = found["shadow"]["positions"]
            say(f"{label} is followed; baseline: {len(held)} positions, profit {found['shadow']['pnl_usdc']}")
        links = tuple([await self.world.process(leader) for leader in self.leaders.values()])
        return Ended("2 leaders, each with its baseline and two paper portfolios", links)

    async def _attempts(self, leader: Resource, market: Resource, wanted: int) -> list[Resource]:
        """The decisions about this leader in this market, once there are so many."""
        path = f"{ATTEMPTS}?user_id={leader['id']}&market_id={market['id']}"

        async def look() -> list[Resource] | None:
            items: list[Resource] = (await self.api.get(path))["items"]
            return items if len(items) >= wanted else None

        return await until(look, f"{wanted} decisions about {leader['label']}")

    async def copied(self) -> Ended:
        """A buy with a tight, deep book is copied into both portfolios, from one book."""
        steady, rain = self.leaders["steady"], self.markets["rain"]
        await self._tell("trade", wallet=steady["name"], token=rain["token"], side="BUY", shares="2000", price="0.52")
        found = await self._attempts(steady, rain, 2)
        assert {a["decision"] for a in found} == {"EXECUTE"}, [(a["decision"], a["reason_codes"]) for a in found]
        assert len({a["group_key"] for a in found}) == 1, "one group"
        detail = await self.api.get(f"{ATTEMPTS}/{found[0]['id']}")
        late = detail["lateness_us"] / 1000
        say(
            f"decided {late:.1f} ms after its due time; {detail['filled_notional_usdc']} USDC at {detail['vwap_price']}"
        )
        links = (self.world.resource(f"{ATTEMPTS}/{found[0]['id']}"), self.world.processes("CopyAttempt", "attempts"))
        result = f"bought for {detail['filled_notional_usdc']} USDC in both portfolios, fee {detail['fee_usdc']}"
        return Ended(result, links)

    async def skipped(self) -> Ended:
        """A wide spread, and a sale of what we never had: skipped, each with its reasons."""
        hasty, snow = self.leaders["hasty"], self.markets["snow"]
        await self._tell("trade", wallet=hasty["name"], token=snow["token"], side="BUY", shares="500", price="0.4")
        found = await self._attempts(hasty, snow, 2)
        assert {a["decision"] for a in found} == {"SKIP"}, found
        first = {code for a in found for code in a["reason_codes"]}
        assert "SPREAD_TOO_WIDE" in first, first
        await self._tell("trade", wallet=hasty["name"], token=snow["token"], side="SELL", shares="200", price="0.3")
        both = await self._attempts(hasty, snow, 4)
        sales = [a for a in both if a["kind"] == "SELL"]
        codes = {code for a in sales for code in a["reason_codes"]}
        assert "NOT_ENOUGH_POSITION_TO_SELL" in codes, codes
        path = f"{ATTEMPTS}?user_id={hasty['id']}&decision=SKIP"
        return Ended(", ".join(sorted(first | codes)), (self.world.resource(path),))

    async def shadowed(self) -> Ended:
        """What the books say a leader holds is what the venue says it holds."""
        shown = []
        for label, leader in self.leaders.items():

            async def look(leader: Resource = leader) -> dict[str, int] | None:
                ours, theirs = await self._ours(leader), await self._theirs(leader)
                return ours if ours == theirs else None

            held = await until(look, f"the shadow of {label} to equal the venue's positions")
            shown.append(f"{label} {len(held)} positions")
        links = tuple(
            self.world.resource(f"{USERS}/{leader['id']}", leader["label"]) for leader in self.leaders.values()
        )
        return Ended(f"{', '.join(shown)}: equal to the venue's, to the micro", links)

    async def _ours(self, leader: Resource) -> dict[str, int]:
        shadow = (await self.api.get(f"{USERS}/{leader['id']}"))["shadow"]
        return {p["asset_id"]: parse_usdc(p["shares"]) for p in shadow["positions"]}

    async def _theirs(self, leader: Resource) -> dict[str, int]:
        """From the route the product reads, past its cache."""
        query = {"user": leader["wallet"], "limit": "500", "_": secrets.token_hex(8)}
        async with httpx.AsyncClient(timeout=10, headers={"user-agent": "holdfast-demo"}) as venue:
            answer = await venue.get(f"{self.venue['data_api_url']}/v2/positions", params=query)
        rows = answer.raise_for_status().json()["data"]
        return {r["token_id"]: round(r["current_size"] * 1_000_000) for r in rows if r["current_size"]}

    async def settled(self) -> Ended:
        """The market resolves: shares become cash in the shadow and in both portfolios."""
        steady, rain = self.leaders["steady"], self.markets["rain"]
        await self._tell("resolve", market=rain["slug"], payouts=["1", "0"])

        async def look() -> Resource | None:
            found = await self.api.get(f"{USERS}/{steady['id']}")
            tokens = {p["asset_id"] for side in ("shadow", "executable") for p in found[side]["positions"]}
            total = await self.api.get("/api/copytrade/portfolio/global")
            tokens |= {p["asset_id"] for p in total["positions"]}
            return found if rain["token"] not in tokens else None

        found = await until(look, "the settlement of the resolved market")
        profit = found["executable"]["realized_pnl_usdc"]
        assert parse_usdc(profit) > 0, f"bought at 0.52, paid 1, profit {profit}"
        links = (
            self.world.resource(f"/api/copytrade/markets/{rain['id']}"),
            self.world.resource(f"{USERS}/{steady['id']}"),
        )
        return Ended(f"paid 1 USDC a share; realised {profit} USDC in the copy", links)

    async def tested(self) -> Ended:
        """Wider limits on the stored inputs: the wide spread would have been copied."""
        rules = {"guardrails": {"max_spread_micros": 200_000, "max_over_mid_micros": 100_000}}
        accepted = await self.api.post("/api/copytrade/config/test", {"config": rules})
        path = f"/api/copytrade/config/test/{accepted['id']}"

        async def look() -> Resource | None:
            found = await self.api.get(path)
            return found if found["status"] == "completed" else None

        result = (await until(look, "the test of other rules"))["result"]
        assert result["evaluable"], result
        before, after = (sum(p[f"executed_{when}"] for p in result["portfolios"]) for when in ("before", "after"))
        assert after > before, result
        links = (self.world.resource(path), await self.world.process(accepted))
        return Ended(f"executed {before} → {after} of the same decisions; nothing was changed", links)

    async def curve(self) -> Ended:
        """The equity curve has moved from the bankroll."""
        path = "/api/copytrade/portfolio/global"

        async def look() -> Resource | None:
            points: list[Resource] = (await self.api.get(f"{path}/curve?range=1H"))["items"]
            return points[-1] if points and parse_usdc(points[-1]["pnl_usdc"].lstrip("-")) > 0 else None

        point = await until(look, "a snapshot after the trades")
        return Ended(
            f"equity {point['equity_usdc']} USDC at {point['at'][11:19]}", (self.world.resource(f"{path}/curve"),)
        )
