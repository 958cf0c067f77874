"""The market: an asset is funded, trades, pays its liquidity providers; another one misses its deadline."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cli.demo.board import say
from cli.demo.client import WAIT_S, Resource, until
from cli.demo.world import Ended, World
from domain.shared.money import format_usdc, mul_div_floor, parse_usdc


class Market:
    """What can be done with assets, and what it has cost each account."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = world.api
        self.spent: dict[str, int] = {}
        """What each account has paid into the market, less what it got, micros."""

    # --- funding ---------------------------------------------------------------------------------------------------

    async def listed(self, symbol: str, name: str, **plan: Any) -> Resource:
        return await self.api.post("/api/exchange/assets", {"symbol": symbol, "name": name, **plan})

    async def asset(self, asset_id: str) -> Resource:
        return await self.api.get(f"/api/exchange/assets/{asset_id}")

    async def contribute(self, asset: Resource, account: str, amount: str) -> Resource:
        """Returns the contribution once it is accepted."""
        path = f"/api/exchange/assets/{asset['id']}/contributions"
        asked = await self.api.post(path, {"account_id": account, "amount_usdc": amount}, wait=WAIT_S)

        async def look() -> Resource | None:
            found = await self.api.get(f"{path}/{asked['id']}")
            return found if found["status"] != "requested" else None

        found = asked if asked["status"] != "requested" else await until(look, f"contribution {asked['id']}")
        assert found["status"] == "accepted", f"{found['status']}: {found['reject_code']}"
        self._move(account, parse_usdc(amount))
        return found

    async def funded(self, asset: Resource, amounts: dict[str, str]) -> Ended:
        """Contributions, one after the other; the one that reaches the soft cap makes the asset active."""
        for place, (account, amount) in enumerate(amounts.items(), 1):
            await self.contribute(asset, account, amount)
            found = await self.asset(asset["id"])
            say(f"{amount} USDC accepted: {found['contributed_usdc']} of {found['soft_cap_usdc']}, {found['status']}")
            expected = "active" if place == len(amounts) else "funding"
            assert found["status"] == expected, f"{found['status']} after contribution {place} instead of {expected}"
        path = f"/api/exchange/assets/{asset['id']}"
        links = (self.world.resource(path), await self.world.process(asset))
        return Ended(f"{found['symbol']} active with {found['lp_principal_usdc']} USDC of principal", links)

    async def opened(self, asset: Resource, amounts: dict[str, str]) -> Ended:
        """Contributions to an asset whose deadline is near and whose soft cap is out of reach."""
        await asyncio.gather(*(self.contribute(asset, account, amount) for account, amount in amounts.items()))
        found = await self.asset(asset["id"])
        assert found["status"] == "funding", found["status"]
        links = (self.world.resource(f"/api/exchange/assets/{asset['id']}"), await self.world.process(asset))
        until_when = found["funding_deadline"][11:19]
        result = f"{found['contributed_usdc']} of {found['soft_cap_usdc']} USDC, deadline {until_when} UTC"
        return Ended(result, links)

    async def missed(self, asset: Resource, amounts: dict[str, str]) -> Ended:
        """After the deadline the round is cancelled, and every contribution is back."""
        path = f"/api/exchange/assets/{asset['id']}"

        async def look() -> Resource | None:
            found = await self.api.get(f"{path}/contributions")
            return found if all(item["status"] == "refunded" for item in found["items"]) else None

        refunded = (await until(look, f"the refunds of {asset['symbol']}"))["items"]
        assert len(refunded) == len(amounts), f"{len(refunded)} refunds of {len(amounts)} contributions"
        for item in refunded:
            assert item["amount_usdc"] == amounts[item["account_id"]], item
            self._move(item["account_id"], -parse_usdc(item["amount_usdc"]))
        found = await self.asset(asset["id"])
        assert (found["status"], found["lp_principal_usdc"]) == ("cancelled", "0"), found
        links = (self.world.resource(f"{path}/contributions"), await self.world.process(asset))
        total = format_usdc(sum(map(parse_usdc, amounts.values())))
        return Ended(f"cancelled at its deadline, {total} USDC back to {len(refunded)} providers", links)

    # --- trading ---------------------------------------------------------------------------------------------------

    async def quote(self, asset: Resource, side: str, **asked: str) -> Resource:
        return await self.api.post("/api/exchange/quotes", {"asset_id": asset["id"], "side": side, **asked})

    async def order(self, asset: Resource, account: str, side: str, **asked: str) -> Resource:
        """An order with its verdict."""
        body = {"asset_id": asset["id"], "account_id": account, "side": side, **asked}
        made = await self.api.post("/api/exchange/trades", body, wait=WAIT_S)

        async def look() -> Resource | None:
            found = await self.api.get(f"/api/exchange/trades/{made['id']}")
            return found if found["status"] != "pending" else None

        found = made if made["status"] != "pending" else await until(look, f"the verdict of order {made['id']}")
        if found["status"] == "filled":
            self._move(account, parse_usdc(found["amount_usdc"]) * (1 if side == "buy" else -1))
        return found

    async def refused_order(self, asset: Resource, account: str, **asked: str) -> Resource:
        """The problem that answers an order which is refused at once."""
        body = {"asset_id": asset["id"], "account_id": account, "side": "buy", **asked}
        return await self.api.refused("/api/exchange/trades", body)

    async def traded(self, asset: Resource, account: str, side: str, **asked: str) -> Resource:
        """Quote, then trade with the quote's limit; the fill is what was quoted, to the last digit."""
        quoted = await self.quote(asset, side, **asked)
        limit = "min_shares_out" if side == "buy" else "min_usdc_out"
        filled = await self.order(asset, account, side, **asked, **{limit: quoted[limit]})
        assert filled["status"] == "filled", f"rejected: {filled['reject_code']}"
        for ours, theirs in (
            ("shares", "shares"),
            ("amount_usdc", "amount_usdc"),
            ("fee_usdc", "fee_usdc"),
            ("price_before_usdc", "spot_before_usdc"),
            ("price_after_usdc", "spot_after_usdc"),
        ):
            assert quoted[ours] == filled[theirs], f"{ours}: quoted {quoted[ours]}, filled {filled[theirs]}"
        say(
            f"{side} {float(filled['shares']):.4f} shares for {filled['amount_usdc']} USDC, fee {filled['fee_usdc']}: "
            f"price {filled['spot_before_usdc']} → {filled['spot_after_usdc']}, as quoted"
        )
        return filled

    async def trades(self, asset: Resource, first: str, second: str) -> Ended:
        """One buys, another buys after and raises the price, the first sells half with profit."""
        bought = await self.traded(asset, first, "buy", amount_usdc="200")
        await self.traded(asset, second, "buy", amount_usdc="100")
        half = Decimal(bought["shares"]) / 2
        sold = await self.traded(asset, first, "sell", shares=f"{half:.18f}".rstrip("0"))
        links = (
            self.world.resource(f"/api/exchange/trades/{sold['id']}"),
            self.world.processes("MarketEngine", "each asset is served by one of the market engines"),
        )
        return Ended(f"3 orders filled as quoted, price now {sold['spot_after_usdc']} USDC", links)

    async def position(self, asset: Resource, account: str) -> Ended:
        """What is held, what it cost, and profit realised and not yet."""
        path = f"/api/exchange/positions?account_id={account}"
        held = next(p for p in (await self.api.get(path))["items"] if p["asset_id"] == asset["id"])
        cost, realised = parse_usdc(held["cost_usdc"]), parse_usdc(held["realised_pnl_usdc"])
        assert 0 <= cost - parse_usdc("100") <= 1, f"half of 200 USDC is left as cost, not {held['cost_usdc']}"
        assert realised > 0, f"sold dearer than bought, but realised {held['realised_pnl_usdc']}"
        unrealised = Decimal(held["value_usdc"]) - Decimal(held["cost_usdc"])
        assert Decimal(held["unrealised_pnl_usdc"]) == unrealised, held
        result = (
            f"{float(held['shares']):.4f} shares at {held['average_cost_usdc']} worth {held['value_usdc']} USDC; "
            f"profit realised {held['realised_pnl_usdc']}, not yet {held['unrealised_pnl_usdc']}"
        )
        return Ended(result, (self.world.resource(path),))

    async def slippage(self, asset: Resource, account: str) -> Ended:
        """An order that wants one percent more than the curve gives is refused and changes nothing."""
        before, quoted = await self.world.available(account), await self.quote(asset, "buy", amount_usdc="50")
        wanted = f"{Decimal(quoted['shares']) * Decimal('1.01'):.18f}"
        problem = await self.refused_order(asset, account, amount_usdc="50", min_shares_out=wanted)
        assert problem["code"] == "slippage_exceeded", problem
        assert await self.world.available(account) == before
        return Ended(
            f"refused with `{problem['code']}`: {float(wanted):.4f} wanted, {float(quoted['shares']):.4f} given"
        )

    async def spot_breaker(self, asset: Resource, account: str) -> Ended:
        """An order that would move the price further than the asset bears is rejected alone; the others trade on."""
        quoted = await self.quote(asset, "buy", amount_usdc="390")
        rejected = await self.order(asset, account, "buy", amount_usdc="390")
        assert rejected["reject_code"] == "circuit_breaker", f"{rejected['status']} {rejected['reject_code']}"
        found = await self.asset(asset["id"])
        assert found["status"] == "active", found["status"]
        await self.traded(asset, account, "buy", amount_usdc="10")
        impact = f"{quoted['price_impact_bps'] / 100:.1f} %"
        result = f"an order of {impact} rejected with `circuit_breaker`, the next one of 10 USDC filled"
        return Ended(result, (self.world.resource(f"/api/exchange/trades/{rejected['id']}"),))

    # --- liquidity providers ---------------------------------------------------------------------------------------

    async def fees_claimed(self, asset: Resource, account: str) -> Ended:
        """A provider's part of every fee of this asset, paid at once and once."""
        path = f"/api/exchange/lp-positions?account_id={account}"
        part = next(p for p in (await self.api.get(path))["items"] if p["asset_id"] == asset["id"])
        found = await self.asset(asset["id"])
        share = (parse_usdc(part["principal_usdc"]), parse_usdc(found["lp_principal_usdc"]))
        earned, owed = parse_usdc(found["lp_fees_usdc"]), parse_usdc(part["fees_owed_usdc"])
        assert 0 <= mul_div_floor(earned, *share) - owed <= 1, f"{owed} micros owed of {earned} micros of fees"
        body = {"asset_id": asset["id"], "account_id": account}
        asked = await self.api.post("/api/exchange/lp-fee-claims", body, wait=WAIT_S)

        async def look() -> Resource | None:
            claim = await self.api.get(f"/api/exchange/lp-fee-claims/{asked['id']}")
            return claim if claim["status"] != "requested" else None

        claim = asked if asked["status"] != "requested" else await until(look, f"fee claim {asked['id']}")
        assert (claim["status"], claim["amount_usdc"]) == ("paid", part["fees_owed_usdc"]), claim
        self._move(account, -owed)  # the balance is compared at the end: a refund may come in this very moment
        again = await self.api.refused("/api/exchange/lp-fee-claims", body)
        links = (self.world.resource(f"/api/exchange/lp-fee-claims/{claim['id']}"), await self.world.process(claim))
        return Ended(f"{claim['amount_usdc']} of {found['lp_fees_usdc']} USDC paid; again: `{again['code']}`", links)

    async def not_vested(self, asset: Resource, account: str) -> Ended:
        """Principal cannot leave before it vests; the answer says when some of it does."""
        body = {"asset_id": asset["id"], "account_id": account, "amount_usdc": "200"}
        problem = await self.api.refused("/api/exchange/lp-withdrawals", body)
        assert problem["code"] == "not_vested", problem
        assert problem["available_usdc"] == "0", problem
        days = (datetime.fromisoformat(problem["next_vesting_at"]) - datetime.now(UTC)).total_seconds() / 86_400
        assert 6.9 < days < 7.1, f"the next part vests in {days} days"
        result = f"refused with `not_vested`: {problem['next_vesting_usdc']} USDC on {problem['next_vesting_at'][:10]}"
        return Ended(result, (self.world.resource(f"/api/exchange/lp-positions?account_id={account}"),))

    def _move(self, account: str, paid: int) -> None:
        self.spent[account] = self.spent.get(account, 0) + paid
