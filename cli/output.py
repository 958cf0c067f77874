"""What commands print: tables and sentences for people, JSON for programs, progress on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

_PIPED_WIDTH = 240
"""Columns when the output is no terminal: lines that programs read are not folded at 80."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes/--dry-run", help="Act. Without it the command only says what it would do.")]


def print_json(value: Any) -> None:
    """One JSON document on stdout, whatever the terminal is."""
    typer.echo(json.dumps(value, indent=1, default=str, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """A plain table; cells are shown as they are."""
    from rich.text import Text

    made = Table(title=title, title_justify="left", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    return made


def agreed(yes: bool, plan: Sequence[str], *, as_json: bool = False) -> bool:
    """Say what is about to be done. True: go on. False: this was a dry run, nothing may be changed."""
    if as_json:
        if not yes:
            print_json({"dry_run": True, "would": list(plan)})
        return yes
    for line in plan:
        out.print(("" if yes else "would: ") + line, markup=False, soft_wrap=True)
    if not yes:
        out.print("[dim]nothing was changed; add --yes to act[/dim]")
    return yes


@contextmanager
def progress(label: str) -> Iterator[tuple[Progress, TaskID]]:
    """A bar with elapsed time on stderr; silent when stderr is not a terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield bar, bar.add_task(label, total=None)
