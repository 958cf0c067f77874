"""`holdfast copytrade`: the venue from an operator's side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import context
from cli.context import DataDir
from cli.output import Json, out, print_json

app = typer.Typer(help="Paper copy-trading: whom we follow, pause, read again, record.", no_args_is_help=True)


@app.command()
def record(
    wallet: Annotated[list[str], typer.Option(help="Whom to watch: address, user name or profile URL; repeatable.")],
    out_file: Annotated[Path, typer.Option("--out", help="JSON lines are appended to this file.")],
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60,
    every: Annotated[float, typer.Option(min=5, help="Seconds between two rounds.")] = 15,
    hours: Annotated[float, typer.Option(min=0, help="How far back the first reading of activity goes.")] = 24,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Keep the venue's raw answers about some wallets: activity, trades, positions, books, markets, socket frames.

    What the parsers do not understand is counted and shown; the file holds it verbatim either way.
    """
    from cli.recording import Watch, watch

    asked = Watch(tuple(wallet), out_file, seconds, every, hours)
    found = context.run(lambda: watch(asked, data_dir))
    if as_json:
        print_json(found.as_json())
        return
    out.print(f"{found.frames} frames in {out_file}", markup=False, soft_wrap=True)
    for route, count in sorted(found.requests.items()):
        out.print(f"  {route}: {count}", markup=False)
    for reason, count in sorted(found.odd.items()):
        out.print(f"  not understood, {count} times: {reason}", markup=False, soft_wrap=True)
    for failure in found.failures:
        out.print(f"  failed: {failure}", markup=False, soft_wrap=True)
