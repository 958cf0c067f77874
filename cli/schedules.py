"""`holdfast schedules`: periodic work as listed in code against what Temporal has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import context
from cli.context import DataDir
from cli.output import Json, Yes, agreed, out, print_json

if TYPE_CHECKING:
    from settings import WorkerSettings

app = typer.Typer(help="Periodic work: compare the list in code with Temporal, apply it.", no_args_is_help=True)


Prune = Annotated[bool, typer.Option("--prune", help="Delete also schedules that settings missing here would ask for.")]


@app.command()
def diff(prune: Prune = False, as_json: Json = False, data_dir: DataDir = None) -> None:
    """What `apply` would change, and which schedules are paused."""
    found = context.run(lambda: _diff(context.settings(data_dir), prune=prune))
    if as_json:
        print_json({"changes": found})
    else:
        out.print("\n".join(found) or "Temporal has exactly the schedules of this version", markup=False)


@app.command()
def apply(yes: Yes = False, prune: Prune = False, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Create, update and delete schedules; an operator's pause is kept."""

    async def act() -> None:
        from composition.queues import wanted_schedules
        from workflows import schedule_sync

        found = context.settings(data_dir)
        plan = [line for line in await _diff(found, prune=prune) if not line.startswith("paused")]
        if plan and not agreed(yes, plan, as_json=as_json):
            return
        listed = wanted_schedules(found)
        done = await schedule_sync.reconcile(await context.temporal(found), listed, prune=prune) if plan else []
        if as_json:
            print_json({"changed": done})
        elif not plan:
            out.print("nothing to change")

    context.run(act)


async def _diff(found: WorkerSettings, *, prune: bool) -> list[str]:
    from composition.queues import wanted_schedules
    from workflows import schedule_sync

    return await schedule_sync.diff(await context.temporal(found), wanted_schedules(found), prune=prune)
