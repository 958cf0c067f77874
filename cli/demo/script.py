"""The script: who acts, in which order, and what must stand in the books at the end."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import typer

from cli.demo.board import Board
from cli.demo.client import Resource
from cli.demo.copytrade import Copytrade
from cli.demo.custody import Custody
from cli.demo.launchpad import Launchpad
from cli.demo.market import Market
from cli.demo.prices import NARROW, Prices
from cli.demo.world import Ended, World
from cli.failures import BROKEN
from cli.output import out
from domain.shared.errors import Unavailable
from domain.shared.money import format_usdc, parse_usdc

DEADLINE_S: Final = 15
PAID_IN: Final = {"ada": "1500", "tom": "900", "lena": "990", "luis": "990", "lily": "990"}
"""By name. Bob's 40 USDC come by way of a reorganisation."""
PROVIDERS: Final = ("lena", "luis", "lily")


class Script:
    def __init__(self, world: World) -> None:
        self.world = world
        self.board = Board()
        self.custody = Custody(world)
        self.market = Market(world)
        self.prices = Prices(world, self.market)
        self.copytrade = Copytrade(world)
        self.people: dict[str, str] = {}
        self._assets: dict[str, Resource] = {}
        self._tag = secrets.token_hex(2).upper()
        """Symbols are taken for ever, and a demo may be played again on the same stack."""

    async def play(self) -> bool:
        """Every job, one after the other; returns whether all ended well."""
        names = (*PAID_IN, "bob")
        self.people = dict(zip(names, await asyncio.gather(*map(self.world.account, names)), strict=True))
        amounts = {self.people[name]: amount for name, amount in PAID_IN.items()}
        await self.board.play("5 deposits, one of 1,500 USDC", lambda: self.custody.deposits(amounts))
        await self.board.play("funding round that will miss its soft cap", self._late_round)
        await self._custody(self.people["ada"], self.people["bob"])
        await self._trading(self.people["tom"], self.people["ada"])
        await self._liquidity(self.people["lena"])
        if self.prices.can_be_told:
            await self._prices(self.people["tom"])
        else:
            out.print("search and model are real ones here: signal and halt of the shown price are left out")
        if self.copytrade.can_be_told:
            await self._copytrade()
        else:
            out.print("the venue is a real one here: following leaders is left out")
        if self.world.solana is not None and "ipfs_url" in self.world.endpoints["upstreams"]:
            await Launchpad(self.world, self.world.solana, self._tag).play(self.board)
        else:
            out.print("Solana or IPFS are real ones here: launches are left out")
        await self.board.play("its deadline is missed", self._missed)
        await self.board.play("balances, to the micro", self._balances)
        await self.board.play("ledger, solvency and every other invariant", self._invariants)
        return self.board.ok

    async def _custody(self, ada: str, bob: str) -> None:
        play, custody = self.board.play, self.custody
        await play("deposit, reorganised away and back", lambda: custody.reorganised_deposit(bob))
        await play("withdrawal of 1,000 USDC with approval", lambda: custody.withdrawal(ada, "1000"))
        await play("withdrawal beyond the limits", lambda: custody.refused_withdrawal(ada))

    async def _trading(self, tom: str, ada: str) -> None:
        play, market = self.board.play, self.market
        await play("asset funded by three providers", self._funded)
        await play("buys and a sale, each as quoted", lambda: market.trades(self._of("NOVA"), tom, ada))
        await play("position with profit and loss", lambda: market.position(self._of("NOVA"), tom))
        await play("order beyond its slippage limit", lambda: market.slippage(self._of("NOVA"), tom))
        await play("order that moves the price too far", lambda: market.spot_breaker(self._of("NOVA"), ada))

    async def _liquidity(self, lena: str) -> None:
        play, market = self.board.play, self.market
        await play("a provider claims fees", lambda: market.fees_claimed(self._of("NOVA"), lena))
        await play("principal withdrawn before it vests", lambda: market.not_vested(self._of("NOVA"), lena))

    async def _prices(self, tom: str) -> None:
        play, prices = self.board.play, self.prices
        await play("oracle signal", lambda: prices.signal(self._of("NOVA")))
        await play("asset with a narrow circuit breaker", self._narrow)
        await play("halt by the shown price, and resume", lambda: prices.halt(self._of("GLASS"), tom))

    async def _copytrade(self) -> None:
        play, copytrade = self.board.play, self.copytrade
        await play("two leaders are followed", copytrade.followed)
        await play("a leader's trade is copied on paper", copytrade.copied)
        await play("trades that must not be copied", copytrade.skipped)
        await play("shadows against the venue's positions", copytrade.shadowed)
        await play("a market resolves and settles", copytrade.settled)
        await play("other rules, tested on what happened", copytrade.tested)
        await play("the equity curve moves", copytrade.curve)

    def _of(self, name: str) -> Resource:
        assert name in self._assets, f"{name} could not be listed"
        return self._assets[name]

    async def _listed(self, name: str, **plan: Any) -> Resource:
        symbol = f"{name}-{self._tag}"
        self._assets[name] = await self.market.listed(symbol, f"{name.title()} Works {self._tag}", **plan)
        return self._assets[name]

    def _each(self, amount: str) -> dict[str, str]:
        return {self.people[name]: amount for name in PROVIDERS}

    async def _late_round(self) -> Ended:
        deadline = datetime.now(UTC) + timedelta(seconds=DEADLINE_S)
        asset = await self._listed("OMEN", funding_deadline=deadline.isoformat())
        return await self.market.opened(asset, self._each("80"))

    async def _missed(self) -> Ended:
        return await self.market.missed(self._of("OMEN"), self._each("80"))

    async def _funded(self) -> Ended:
        asset = await self._listed("NOVA", k_usdc="0.001", soft_cap_usdc="2000", hard_cap_usdc="5000")
        return await self.market.funded(asset, self._each("800"))

    async def _narrow(self) -> Ended:
        return await self.market.funded(await self._listed("GLASS", **NARROW), {self.people["lena"]: "60"})

    async def _balances(self) -> Ended:
        """What each account paid in, less what it took out, less what the market has of it."""
        moved = {"bob": parse_usdc("40") + self.custody.credited_early, "ada": -parse_usdc("1000")}
        for name, account in self.people.items():
            expected = parse_usdc(PAID_IN.get(name, "0")) + moved.get(name, 0) - self.market.spent.get(account, 0)
            found = await self.world.available(account)
            assert found == expected, f"{name} has {format_usdc(found)} USDC instead of {format_usdc(expected)}"
        shown = [f"{name} {format_usdc(await self.world.available(account))}" for name, account in self.people.items()]
        links = (
            self.world.resource(f"/api/accounts/{account}/balances", name) for name, account in self.people.items()
        )
        return Ended(", ".join(shown), tuple(links))

    async def _invariants(self) -> Ended:
        found = await self.world.api.get("/api/system/invariants")
        bad = [check["name"] for check in found["checks"] if not check["ok"]]
        assert found["ok"], f"broken: {', '.join(bad)}"
        custody = next((c for c in found["checks"] if c["name"] == "custody_covers_liabilities"), None)
        more = f"; custody {custody['actual']} against {custody['expected']} owed" if custody else ""
        return Ended(f"{len(found['checks'])} invariants hold{more}", (self.world.resource("/api/system/invariants"),))


def run(data_dir: Path) -> None:
    """Play the demo on the stack of `data_dir`."""
    file = data_dir / "endpoints.json"
    if not file.exists():
        raise Unavailable(
            "unavailable", f"{file} is not there: start the stack with `holdfast up --data-dir {data_dir}`"
        )
    endpoints: dict[str, Any] = json.loads(file.read_text())
    if not asyncio.run(_play(endpoints)):
        raise typer.Exit(BROKEN)


async def _play(endpoints: dict[str, Any]) -> bool:
    async with World(endpoints) as world:
        script = Script(world)
        ok = await script.play()
        await script.board.show(world)
    return ok
