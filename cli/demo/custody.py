"""Money in and out: deposits, a reorganisation, a withdrawal with approval, a refusal."""

from __future__ import annotations

import asyncio
import secrets

from cli.demo.board import say
from cli.demo.client import Resource, until
from cli.demo.world import Ended, World
from domain.shared.errors import Broken
from domain.shared.money import format_usdc, parse_usdc


def fresh_address() -> str:
    return "0x" + secrets.token_hex(20)


class Custody:
    def __init__(self, world: World) -> None:
        self.world = world
        self.api = world.api
        self.credited_early = 0
        """Micros of deposits that were meant to be reorganised away and were credited before that."""

    async def deposits(self, amounts: dict[str, str]) -> Ended:
        """On-chain transfers are detected, confirmed (1,000 and more: also `safe`) and credited, each once.

        Args: amounts  by account.
        """
        credited = await asyncio.gather(*(self._deposit(account, amount) for account, amount in amounts.items()))
        for (account, amount), deposit in zip(amounts.items(), credited, strict=True):
            found = await self.world.available(account)
            assert found == parse_usdc(amount), f"{format_usdc(found)} instead of {amount} for deposit {deposit['id']}"
        total = format_usdc(sum(map(parse_usdc, amounts.values())))
        first = credited[0]
        links = (self.world.resource(f"/api/exchange/deposits/{first['id']}"), await self.world.process(first))
        return Ended(f"{total} USDC credited to {len(amounts)} accounts, each once", links)

    async def _deposit(self, account: str, amount: str) -> Resource:
        tx_hash = await self.world.chain.mint(await self._address(account), amount)
        credited = await self._until_deposit(tx_hash, "credited")
        say(f"{amount} USDC of block {credited['block_number']} credited after {credited['confirmations']} blocks")
        return credited

    async def reorganised_deposit(self, account: str) -> Ended:
        """The block with the transfer is taken away; the transfer comes back in another one and counts once."""
        chain = self.world.chain
        while True:
            tx_hash = await chain.mint(await self._address(account), "40")
            before = await self._until_deposit(tx_hash, "seen", "confirming", "credited")
            raw = await chain.raw_transaction(tx_hash)
            if await chain.forget_from(before["block_number"]):
                break
            say("40 USDC lie too deep for their block to be taken away (a slow machine); once more")
            await self._until_deposit(tx_hash, "credited")
            self.credited_early += parse_usdc("40")
        say(f"40 USDC seen in block {before['block_number']}, which the chain has forgotten now")
        orphan = await self._until_deposit(tx_hash, "orphaned")
        say(f"orphaned: {orphan['id']}; the transaction is sent again")
        await chain.send_raw(raw)
        credited = await self._until_deposit(tx_hash, "credited")
        balance = await self.world.available(account)
        expected = self.credited_early + parse_usdc("40")
        assert balance == expected, f"credited {format_usdc(balance)} instead of {format_usdc(expected)}"
        links = (self.world.resource(f"/api/exchange/deposits/{credited['id']}"), await self.world.process(credited))
        return Ended(f"re-included in block {credited['block_number']}, credited once", links)

    async def withdrawal(self, account: str, amount: str) -> Ended:
        """Hold, approval by another operator, sweep to the hot wallet, signed, mined, settled."""
        to = fresh_address()
        created = await self._withdraw(account, to, amount)
        await self._until_withdrawal(created["id"], "pending_approval")
        say("waits for another operator: approved by one now")
        operator = await self.world.operator()
        await operator.post(f"/api/exchange/withdrawals/{created['id']}/approve", {})
        settled = await self._until_withdrawal(created["id"], "settled")
        on_chain = await self.world.chain.balance(to)
        assert on_chain == amount, f"{on_chain} USDC arrived instead of {amount}"
        links = (self.world.resource(f"/api/exchange/withdrawals/{created['id']}"), await self.world.process(settled))
        return Ended(f"settled, {on_chain} USDC arrived on the chain", links)

    async def refused_withdrawal(self, account: str) -> Ended:
        """A request for more than limits and balance allow is answered at once and changes nothing."""
        before = await self.world.available(account)
        body = {"account_id": account, "to_address": fresh_address(), "amount_usdc": "999999"}
        problem = await self.api.refused("/api/exchange/withdrawals", body)
        assert await self.world.available(account) == before
        return Ended(f"refused with `{problem['code']}`, balance still {format_usdc(before)} USDC")

    async def _address(self, account: str) -> str:
        return str((await self.api.post(f"/api/exchange/accounts/{account}/deposit-address"))["address"])

    async def _until_deposit(self, tx_hash: str, *statuses: str) -> Resource:
        """Wait until the deposit of this transaction has one of the statuses."""

        async def look() -> Resource | None:
            found = await self.api.get("/api/exchange/deposits?limit=200")
            ours = [item for item in found["items"] if item["tx_hash"] == tx_hash]
            return ours[0] if ours and ours[0]["status"] in statuses else None

        return await until(look, f"deposit {tx_hash} to be {' or '.join(statuses)}")

    async def _withdraw(self, account: str, to: str, amount: str) -> Resource:
        body = {"account_id": account, "to_address": to, "amount_usdc": amount}
        return await self.api.post("/api/exchange/withdrawals", body)

    async def _until_withdrawal(self, withdrawal_id: str, status: str) -> Resource:
        async def look() -> Resource | None:
            found = await self.api.get(f"/api/exchange/withdrawals/{withdrawal_id}")
            if found["status"] in ("failed", "rejected", "cancelled"):
                raise Broken("stuck_withdrawal", f"{found['status']}: {found['failure_code']}")
            return found if found["status"] == status else None

        return await until(look, f"withdrawal {withdrawal_id} to be {status}")
