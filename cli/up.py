"""`holdfast up`: the whole stack in the foreground, supervised, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.failures import BROKEN, REJECTED, UNAVAILABLE, USAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.stack import Programs, Stack

DEFAULT_DIRECTORY = Path(".holdfast")


def up(
    data_dir: Annotated[
        Path, typer.Option(help="Where the stack keeps everything; run again on the same one to resume.")
    ] = DEFAULT_DIRECTORY,
    speed: Annotated[float, typer.Option(min=0.01, help="Factor for simulated market time (no effect yet).")] = 1.0,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave local upstreams out, their addresses come from the environment: "
            "evm, ipfs, llm, polygon, polymarket, search, solana."
        ),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, an environment variable for the product's processes.")
    ] = None,
) -> None:
    """Start the embedded stack and keep it running until Ctrl-C."""
    from cli.outside import Misuse
    from cli.stack import REPLACEABLE
    from localnet.evm import AnvilUnavailable
    from localnet.files import InUse
    from localnet.pg_binaries import PostgresUnavailable
    from localnet.supervisor import StartError
    from localnet.temporal import TemporalUnavailable

    console = Console(highlight=False)
    left_out = frozenset(part for name in without or () for part in name.split(","))
    unknown = sorted(left_out - set(REPLACEABLE))
    pairs = [text.partition("=") for text in setting or ()]
    try:
        if unknown:
            raise Misuse(f"--without knows {', '.join(REPLACEABLE)}, not {', '.join(unknown)}")
        if any(not separator for _, separator, _ in pairs):
            raise Misuse("--set wants NAME=VALUE")
        extra = {name: value for name, _, value in pairs}
        code = run_stack(console, data_dir.absolute(), left_out, extra)
    except Misuse as error:
        _fail(console, error, USAGE)
    except InUse as error:
        _fail(console, f"{error}: stop that one first, or give another --data-dir", REJECTED)
    except (PostgresUnavailable, TemporalUnavailable, AnvilUnavailable) as error:
        _fail(console, error, UNAVAILABLE)
    except StartError as error:
        _fail(console, error, BROKEN)
    raise typer.Exit(code)


def _fail(console: Console, error: object, code: int) -> None:
    console.print(f"[red]up failed:[/red] {error}", soft_wrap=True)
    raise typer.Exit(code)


def run_stack(
    console: Console,
    directory: Path,
    without: frozenset[str] = frozenset(),
    extra: Mapping[str, str] | None = None,
    programs: Programs | None = None,
) -> int:
    """Runs the stack of one data directory until it is told to stop. Other ``programs`` are for tests."""
    from cli.stack import Programs, Stack
    from localnet.files import DirectoryLock

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = DirectoryLock(directory)
    lock.acquire()
    try:
        stack = Stack(directory, without, extra or {}, programs or Programs())
        return asyncio.run(_supervise(console, stack))
    finally:
        lock.release()


async def _supervise(console: Console, stack: Stack) -> int:
    from localnet.supervisor import Supervisor

    began = time.monotonic()
    stack.endpoints_file.unlink(missing_ok=True)  # of a run that was killed: its processes are gone
    supervisor = Supervisor(on_change=stack.write_endpoints, on_event=lambda text: _tell(console, stack, text))
    stack.build(supervisor)
    stack.ports.save()
    supervisor.handle_signals()
    try:
        await supervisor.start()
        _summary(console, stack, time.monotonic() - began)
        await supervisor.run_until_stopped()
    except asyncio.CancelledError:  # asked to stop while starting
        console.print("stopped before everything was up")
    finally:
        stack.endpoints_file.unlink(missing_ok=True)
        await supervisor.stop()
        await stack.close()
    console.print("everything stopped")
    return 0


def _tell(console: Console, stack: Stack, text: str) -> None:
    """To the log and to the terminal; a terminal that has gone away must not bring the stack down."""
    from localnet.files import append_line

    append_line(stack.directory / "logs" / "supervisor.log", text)
    try:
        console.print(f"[dim]{text}[/dim]", soft_wrap=True)
    except (OSError, SystemExit):  # rich exits on a broken pipe
        console.quiet = True


def _summary(console: Console, stack: Stack, seconds: float) -> None:
    lines = {"API docs": f"{stack.api_url}/api/docs", "Temporal UI": stack.temporal.ui_url}
    if stack.evm is not None:
        lines["EVM"] = f"{stack.evm.rpc_url} (USDC {stack.usdc_address})"
    lines["Postgres"] = f"127.0.0.1:{stack.postgres.port}/holdfast"
    lines["Webhook sink"] = stack.sink.url
    if stack.polymarket.venue is not None:
        lines["Polymarket"] = f"{stack.polymarket.venue.url} (told what to do at /control)"
    lines["Keys, addresses"] = str(stack.endpoints_file)
    lines["Logs"] = str(stack.directory / "logs")
    console.print(f"\n[bold green]up[/bold green] in {seconds:.1f} s, Ctrl-C stops everything\n")
    for name, value in lines.items():
        console.print(f"{name:<17}{value}", soft_wrap=True)
