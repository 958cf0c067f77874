"""Buyers of the demo along a curve: an upline of five levels, the hard cap and the pool, and a sale that fails."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from solders.keypair import Keypair

from cli.demo.board import say
from cli.demo.client import Resource
from cli.demo.solana import SOL, Solana, signature_of, signed
from cli.demo.world import Ended, World
from domain.shared.money import format_amount, parse_amount
from gateways.solana.sale_addresses import SaleAddresses, associated
from gateways.solana.token_2022 import TOKEN_2022

SALES: Final = "/api/launchpad/sales"
REFERRAL: Final = "/api/sync/referral"
LEVELS: Final = 5
SHARE_SOL: Final = "0.2"
FEES: Final = 100_000
"""Lamports of network fees that a buyer who is refunded does not get back, at most."""


class Sales:
    def __init__(self, world: World, solana: Solana) -> None:
        self.world, self.api, self.solana = world, world.api, solana
        programs = world.endpoints["solana"]["programs"]
        self._addresses = SaleAddresses(programs["launchpad"], programs["pool"])

    async def buy(self, sale: str, wallet: Keypair, sol: str, referrer: Keypair | None = None) -> Resource:
        """Quoted, signed by the wallet, landed. Returns the quote it was bought at."""
        quote = await self.api.post(f"{SALES}/{sale}/quote", {"side": "buy", "sol": sol})
        asked = {"tokens": quote["tokens"], "max_sol": quote["max_sol"]}
        if referrer is not None:
            asked["referrer_wallet"] = str(referrer.pubkey())
        signature = await self._act(sale, "buy", wallet, **asked)
        slot = await self.solana.landed(signature)
        say(f"{quote['tokens']} tokens for {quote['sol']} SOL: {signature} in slot {slot}")
        return quote

    async def _act(self, sale: str, verb: str, wallet: Keypair, **asked: Any) -> str:
        """One transaction of a wallet: asked for, signed, handed in, final. Returns its signature."""
        issued = await self.api.post(f"{SALES}/{sale}/{verb}", {"wallet": str(wallet.pubkey()), **asked})
        raw = signed(issued["transaction_base64"], wallet)
        handed = await self.api.post(f"{SALES}/{sale}/submit", {"transaction_base64": raw})

        async def look() -> Resource | None:
            found = await self.api.get(f"/api/operations/{handed['operation_id']}")
            assert found["status"] not in ("failed", "cancelled", "needs_operator"), found["summary"]
            return found if found["status"] == "completed" else None

        await self.solana.until(look, f"the {verb} to be final")
        return signature_of(raw)

    async def _sale(self, sale: str, status: str) -> Resource:
        """The sale, once it has this status."""

        async def look() -> Resource | None:
            found = await self.api.get(f"{SALES}/{sale}")
            return found if found["status"] == status else None

        return await self.solana.until(look, f"the sale to be {status}")

    async def upline(self, live: Resource) -> Ended:
        """Six wallets, each brought by the one before: what the last one pays is shared by five."""
        sale = live["sale_id"]
        await self._sale(sale, "active")
        wallets = list(await asyncio.gather(*(self.solana.wallet(2) for _ in range(LEVELS + 1))))
        for number, wallet in enumerate(wallets):
            await self.buy(sale, wallet, SHARE_SOL, wallets[max(0, number - 1)])
        root = str(wallets[0].pubkey())

        async def look() -> Resource | None:
            found = await self.api.get(f"{REFERRAL}/{root}")
            return found if [level["wallets"] for level in found["levels"]] == [1] * LEVELS else None

        found = await self.solana.until(look, "the books to know five levels")
        earned = [level["earned_sol"] for level in found["levels"]]
        assert earned == sorted(earned, key=_lamports, reverse=True), earned
        assert _lamports(earned[-1]) > 0, earned
        for wallet in wallets:
            account = self._addresses.referral(str(wallet.pubkey()))
            assert await self.solana.data(account) is not None, f"{wallet.pubkey()} is not registered on the chain"
        links = (self.world.resource(f"{SALES}/{sale}"), self.world.resource(f"{REFERRAL}/{root}"))
        return Ended(f"{len(wallets)} buyers; the first earned {', '.join(earned)} SOL by its {LEVELS} levels", links)

    async def filled(self, live: Resource) -> Ended:
        """One wallet buys the rest: the hard cap is reached."""
        sale, whale = live["sale_id"], await self.solana.wallet(20)
        cap = (await self.api.get(f"{SALES}/{sale}"))["hard_cap_sol"]
        await self.buy(sale, whale, cap)

        async def look() -> Resource | None:
            found = await self.api.get(f"/api/sync/launchpad/{live['id']}")
            return found if found["soft_cap_bps"] >= 10_000 else None

        found = await self.solana.until(look, "the books to see it")
        links = (self.world.resource(f"/api/sync/launchpad/{live['id']}"),)
        return Ended(f"{found['sold']} tokens for {found['raised_sol']} SOL of at most {cap}", links)

    async def graduated(self, live: Resource) -> Ended:
        """Seventy percent of what was raised lies in the pool, as its own account on the chain says."""
        found = await self._sale(live["sale_id"], "graduated")
        shown = await self.api.get(f"/api/sync/launchpad/{live['id']}")
        names = self._addresses.pool_accounts(live["sale_address"], live["token_address"], TOKEN_2022)
        assert shown["pool_address"] == names["pool"], (shown["pool_address"], names["pool"])
        raised, pooled = _lamports(found["raised_sol"]), await self.solana.tokens(names["poolSol"])
        assert pooled == raised * 7 // 10, f"{pooled} lamports in the pool, {raised} raised"
        tokens = await self.solana.tokens(names["poolTokens"])
        assert tokens > 0, "tokens lie in the pool"
        assert await self.solana.data(self._addresses.vesting(live["sale_address"])) is not None, "the team's vesting"
        links = (self.world.resource(f"{SALES}/{live['sale_id']}"),)
        result = f"{_sol(pooled)} of {_sol(raised)} SOL and {tokens} base units in pool {names['pool']}; the rest vests"
        return Ended(result, links)

    async def refunded(self, live: Resource, ends_at: int) -> Ended:
        """Three wallets buy, the sale misses its soft cap, and each has all of it back but the network's fees."""
        sale = live["sale_id"]
        await self._sale(sale, "active")
        wallets = list(await asyncio.gather(*(self.solana.wallet(2) for _ in range(3))))
        for wallet in wallets:
            await self.buy(sale, wallet, SHARE_SOL)
        await self.solana.pass_until(ends_at + 1)
        found = await self._sale(sale, "refunded")
        lost = [await self._lost(live, str(wallet.pubkey()), 2 * SOL) for wallet in wallets]
        assert all(0 < lamports <= FEES for lamports in lost), f"missing lamports: {lost}"
        links = (self.world.resource(f"{SALES}/{sale}"), self.world.resource(f"{SALES}/{sale}/positions"))
        return Ended(f"soft cap {found['soft_cap_sol']} SOL missed; 3 buyers lost {lost} lamports of fees", links)

    async def _lost(self, live: Resource, wallet: str, had: int) -> int:
        """What a refunded wallet has less than it had; the rent of its own, empty token account is still its own."""
        position = self._addresses.position(live["sale_address"], wallet)
        assert await self.solana.data(position) is None, f"{wallet} still has a position"
        account = associated(wallet, live["token_address"], TOKEN_2022)
        assert await self.solana.tokens(account) == 0, f"{wallet} has tokens"
        return had - await self.solana.lamports(wallet) - await self.solana.lamports(account)


def _lamports(sol: str) -> int:
    return parse_amount(sol, 9, 10**18)


def _sol(lamports: int) -> str:
    return format_amount(lamports, 9)
