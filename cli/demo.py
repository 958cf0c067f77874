"""`holdfast demo`: the main jobs, for real, against a running stack; exit 0 only if each ended as it should."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.demo_world import DemoWorld
from cli.output import out, table
from domain.shared.errors import Broken, Unavailable


@dataclass
class Job:
    """One line of the result table."""

    name: str
    result: str
    ok: bool
    seconds: float
    link: str = ""


@dataclass
class Demo:
    world: DemoWorld
    jobs: list[Job] = field(default_factory=list)

    async def play(self) -> bool:
        """Every job, one after the other; returns whether all ended well."""
        ada, bob = await asyncio.gather(self.world.account("ada"), self.world.account("bob"))
        await self._job("deposit 1,500 USDC", lambda: self.deposit(ada, "1500"))
        await self._job("deposit, reorganised away and back", lambda: self.reorganised_deposit(bob))
        await self._job("withdrawal of 1,000 USDC with approval", lambda: self.withdrawal(ada, "1000"))
        await self._job("withdrawal beyond the limits", lambda: self.refused(ada))
        await self._job("balances", lambda: self.balances(ada, bob))
        await self._job("ledger, solvency and every other invariant", self.invariants)
        return all(job.ok for job in self.jobs)

    async def _job(self, name: str, work: Callable[[], Awaitable[tuple[str, str]]]) -> None:
        out.print(f"[bold]▸[/bold] {name} …")
        began = time.monotonic()
        try:
            result, link = await work()
            ok = True
        except (AssertionError, TimeoutError, Broken, Unavailable) as error:
            result, link, ok = f"{type(error).__name__}: {error}", "", False
        seconds = time.monotonic() - began
        self.jobs.append(Job(name, result, ok, seconds, link))
        mark = "[green]✓[/green]" if ok else "[red]✗[/red]"
        out.print(f"{mark} {name}: {result} [dim]({seconds:.1f} s)[/dim]", soft_wrap=True)

    async def deposit(self, account: str, amount: str) -> tuple[str, str]:
        """An on-chain transfer is detected, confirmed (1,000 and more: also `safe`) and credited."""
        address = await self.world.deposit_address(account)
        tx_hash = await self.world.mint(address, amount)
        seen = await self.world.deposit(tx_hash, "seen", "confirming", "credited")
        self._say(f"{amount} USDC seen in block {seen['block_number']}, address {address}")
        credited = await self.world.deposit(tx_hash, "credited")
        return f"credited after {credited['confirmations']} confirmations", await self.world.link(credited)

    async def reorganised_deposit(self, account: str) -> tuple[str, str]:
        """The block with the transfer is taken away; the transfer comes back in another one and counts once."""
        address = await self.world.deposit_address(account)
        tx_hash = await self.world.mint(address, "40")
        before = await self.world.deposit(tx_hash, "seen", "confirming")
        self._say(f"40 USDC seen in block {before['block_number']}; now the chain forgets that block")
        raw = await self.world.raw_transaction(tx_hash)
        await self.world.forget_from(before["block_number"])
        orphan = await self.world.deposit(tx_hash, "orphaned")
        self._say(f"orphaned: {orphan['id']}; the transaction is sent again")
        await self.world.send_raw(raw)
        credited = await self.world.deposit(tx_hash, "credited")
        balance = await self.world.available(account)
        assert balance == "40", f"credited {balance} instead of 40"
        return f"re-included in block {credited['block_number']}, credited once", await self.world.link(credited)

    async def withdrawal(self, account: str, amount: str) -> tuple[str, str]:
        """Hold, approval by another operator, sweep to the hot wallet, signed, mined, settled."""
        to = self.world.fresh_address()
        created = await self.world.request_withdrawal(account, to, amount)
        await self.world.withdrawal(created["id"], "pending_approval")
        self._say("waits for another operator: approved by one now")
        await self.world.approve(created["id"])
        settled = await self.world.withdrawal(created["id"], "settled")
        on_chain = await self.world.chain_balance(to)
        assert on_chain == amount, f"{on_chain} USDC arrived instead of {amount}"
        return f"settled, {on_chain} USDC arrived on the chain", await self.world.link(settled)

    async def refused(self, account: str) -> tuple[str, str]:
        """A request for more than limits and balance allow is answered at once and changes nothing."""
        before = await self.world.available(account)
        problem = await self.world.refused_withdrawal(account, self.world.fresh_address(), "999999")
        assert await self.world.available(account) == before
        return f"refused with `{problem['code']}`, balance still {before} USDC", ""

    async def balances(self, *accounts: str) -> tuple[str, str]:
        amounts = [await self.world.available(account) for account in accounts]
        assert amounts == ["500", "40"], f"balances are {amounts}"
        return f"ada {amounts[0]} USDC, bob {amounts[1]} USDC", ""

    async def invariants(self) -> tuple[str, str]:
        found = await self.world.invariants()
        bad = [check["name"] for check in found["checks"] if not check["ok"]]
        assert found["ok"], f"broken: {', '.join(bad)}"
        custody = next((c for c in found["checks"] if c["name"] == "custody_covers_liabilities"), None)
        more = f"; custody {custody['actual']} against {custody['expected']} owed" if custody else ""
        return f"{len(found['checks'])} invariants hold{more}", ""

    def _say(self, text: str) -> None:
        out.print(f"    [dim]{text}[/dim]", soft_wrap=True)

    def print_results(self) -> None:
        rows = [("✓" if j.ok else "✗", j.name, j.result, f"{j.seconds:.1f} s", j.link) for j in self.jobs]
        out.print()
        out.print(table(("", "job", "result", "took", "process in the Temporal UI"), rows))
        for name, url in self.world.links().items():
            out.print(f"{name:<14}{url}", soft_wrap=True)


def run(data_dir: Path) -> None:
    """Play the demo on the stack of `data_dir`."""
    file = data_dir / "endpoints.json"
    if not file.exists():
        raise Unavailable(
            "unavailable", f"{file} is not there: start the stack with `holdfast up --data-dir {data_dir}`"
        )
    endpoints: dict[str, Any] = json.loads(file.read_text())
    if not asyncio.run(_play(endpoints)):
        raise Broken("internal_error", "a job of the demo did not end as it should")


async def _play(endpoints: dict[str, Any]) -> bool:
    async with DemoWorld(endpoints) as world:
        demo = Demo(world)
        ok = await demo.play()
        demo.print_results()
    return ok
