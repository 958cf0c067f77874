"""What the demo shows: each job as it ends, and all of them in a table with links."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from cli.demo.world import Ended, Link, World
from cli.output import out, table
from domain.shared.errors import Broken, Unavailable


@dataclass
class Job:
    """One line of the result table."""

    name: str
    ended: Ended
    ok: bool
    seconds: float


@dataclass
class Board:
    jobs: list[Job] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(job.ok for job in self.jobs)

    async def play(self, name: str, work: Callable[[], Awaitable[Ended]]) -> None:
        """Play one job. What goes wrong is its result; the next one is played all the same."""
        out.print(f"[bold]▸[/bold] {name} …")
        began = time.monotonic()
        try:
            ended, ok = await work(), True
        except (AssertionError, TimeoutError, Broken, Unavailable) as error:
            ended, ok = Ended(f"{type(error).__name__}: {str(error)[:300]}"), False
        seconds = time.monotonic() - began
        self.jobs.append(Job(name, ended, ok, seconds))
        mark = "[green]✓[/green]" if ok else "[red]✗[/red]"
        out.print(f"{mark} {name}: {ended.result} [dim]({seconds:.1f} s)[/dim]", soft_wrap=True)

    async def show(self, world: World) -> None:
        rows = [("✓" if j.ok else "✗", j.name, j.ended.result, f"{j.seconds:.1f} s") for j in self.jobs]
        out.print()
        out.print(table(("", "job", "result", "took"), rows))
        out.print("\n[bold]Where to look[/bold] [dim](routes of the API want the key in endpoints.json)[/dim]")
        for job in self.jobs:
            if job.ended.links:
                out.print(job.name)
            for link in job.ended.links:
                _show(await world.by_now(link))
        out.print(f"\nAPI docs     {world.api_url}/api/docs", soft_wrap=True)
        out.print(f"Temporal UI  {world.endpoints['temporal_ui_url']}", soft_wrap=True)
        bad = [job.name for job in self.jobs if not job.ok]
        took = sum(job.seconds for job in self.jobs)
        ended = f"[red]did not end as they should:[/red] {', '.join(bad)}" if bad else "all ended as they should"
        out.print(f"{len(self.jobs)} jobs in {took:.0f} s: {ended}", soft_wrap=True)


def _show(link: Link) -> None:
    says = f'  [dim]"{link.says}"[/dim]' if link.says else ""
    out.print(f"    {link.url}{says}", soft_wrap=True)


def say(text: str) -> None:
    """A step inside a job."""
    out.print(f"    [dim]{text}[/dim]", soft_wrap=True)
