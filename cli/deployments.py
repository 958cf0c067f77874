"""`holdfast deployments`: programs onto Solana through the upgradeable loader, resumable piece by piece."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import context
from cli.context import DataDir
from cli.failures import Usage, principal
from cli.output import Json, Yes, agreed, out, print_json, progress, table
from domain.shared.errors import Broken, Rejected, Unavailable

if TYPE_CHECKING:
    from composition.parts import Parts
    from gateways.protocols import SolanaNodes
    from settings import WorkerSettings
    from storage.intents.deployments import NewDeployment

app = typer.Typer(help="Programs on Solana: publish, follow, undo.", no_args_is_help=True)
LOOK_EVERY_S: Final = 0.5
_PROGRAMS: Final = Path(__file__).resolve().parents[1] / "programs"
Name = Annotated[str, typer.Argument(metavar="ID", help="Its id, the program's name or its address.")]


@app.command()
def start(
    name: Annotated[str, typer.Argument(help="What the program is called; its address follows from it.")],
    file: Annotated[
        Path | None, typer.Option(help="The built program. Default: the one of this name under programs/.")
    ] = None,
    final: Annotated[bool, typer.Option("--final", help="Nobody is to keep the right to change it.")] = False,
    wait_s: Annotated[int, typer.Option(min=0, help="How long to wait for its end; 0: do not wait.")] = 900,
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Bring a program onto the chain. The platform's wallet pays, and alone may change it afterwards (or nobody)."""
    path = file or _PROGRAMS / name / f"{name}.so"
    if not path.is_file():
        raise Usage(f"{path} is not there: give --file")

    async def act() -> None:
        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            asked = await _asked(parts, found, name, path.read_bytes(), final=final)
            if not agreed(yes, _plan(found, asked), as_json=as_json):
                return
            shown = await _start(parts, asked, wait_s)
        _tell(shown, as_json=as_json)

    context.run(act)


async def _asked(parts: Parts, found: WorkerSettings, name: str, content: bytes, *, final: bool) -> NewDeployment:
    """Raises: Rejected validation_failed, conflict when something stands at its address already."""
    from domain.launchpad.deployment import check_program
    from gateways.solana.loader import LoaderProgram
    from storage.events import new_id
    from storage.intents.deployments import NewDeployment

    check_program(name, content)
    nodes, loader, deployment_id = _nodes(parts), LoaderProgram(found.solana_platform_address), new_id()
    program = loader.program_address(name)
    for address in (program, loader.data_address(program)):
        there = await nodes.account(address)
        if there is not None and there.data:
            raise Rejected("conflict", f"a program stands at {address} already: choose another name")
    buffer = loader.buffer_address(deployment_id)
    return NewDeployment(deployment_id, name, found.solana_cluster, program, buffer, content, final)


def _nodes(parts: Parts) -> SolanaNodes:
    if parts.solana is None:
        raise Unavailable("launchpad_off", "SOLANA_RPC_URL is not set")
    return parts.solana


def _plan(found: WorkerSettings, asked: NewDeployment) -> list[str]:
    from domain.launchpad.deployment import count
    from gateways.solana.loader import LoaderProgram

    size = len(asked.content)
    rent = LoaderProgram(found.solana_platform_address).lamports(size)
    keeper = "nobody can ever change it" if asked.final else f"{found.solana_platform_address} can change it"
    return [
        f"publish {asked.name} ({size} bytes, SHA-256 {hashlib.sha256(asked.content).hexdigest()}) on {asked.cluster}",
        f"at {asked.program_id}: {keeper}",
        f"in {count(size)} writes and 2 more transactions{' and one that makes it final' if asked.final else ''}",
        f"paid by {found.solana_platform_address}: {_sol(rent)} SOL of rent, and the fees of the network",
    ]


async def _start(parts: Parts, asked: NewDeployment, wait_s: int) -> dict[str, Any]:
    from storage.database import transaction
    from storage.intents.deployments import open_deployment
    from storage.intents.opened import mark_dispatched

    async with transaction(parts.pool) as connection:
        opened = await open_deployment(connection, asked, principal())
    await parts.processes.start(
        "program_deployment",
        opened.subject_id,
        opened.workflow_id,
        opened.summary,
        operation_id=opened.operation_id,
    )
    await mark_dispatched(parts.pool, opened.operation_id)
    return await _followed(parts, opened.subject_id, wait_s)


async def _followed(parts: Parts, deployment_id: str, wait_s: int) -> dict[str, Any]:
    """Until it has ended.

    Raises: Unavailable when it takes longer, Broken when an operator must act.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    with progress("deployment") as (bar, task):
        while True:
            now = await _one(parts, deployment_id)
            bar.update(task, description=f"{now['name']}: {now['step']}", completed=now["written"], total=now["chunks"])
            if now["status"] not in ("running", "waiting") or not wait_s:
                break
            if loop.time() > until:
                raise Unavailable("unavailable", f"{deployment_id} goes on after {wait_s} s, at step {now['step']}")
            await asyncio.sleep(LOOK_EVERY_S)
    if now["status"] in ("failed", "needs_operator"):
        raise Broken(now["failure_code"] or "deployment_stuck", now["summary"])
    return now


@app.command("list")
def list_(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Every deployment, newest first."""

    async def act() -> None:
        from storage.reads.deployments import deployments

        async with context.opened(context.settings(data_dir)) as parts:
            rows = await deployments(parts.pool)
        if as_json:
            print_json(rows)
            return
        columns = ("id", "name", "program_id", "cluster", "status", "step", "written", "chunks", "created_at")
        out.print(table(columns, [[row[column] for column in columns] for row in rows]))

    context.run(act)


@app.command()
def show(name: Name, as_json: Json = False, data_dir: DataDir = None) -> None:
    """One deployment and every transaction of it."""

    async def act() -> None:
        from storage.reads.deployments import transactions

        async with context.opened(context.settings(data_dir)) as parts:
            found = await _one(parts, name)
            found["transactions"] = await transactions(parts.pool, found["id"])
        _tell(found, as_json=as_json)

    context.run(act)


@app.command()
def cancel(name: Name, yes: Yes = False, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Undo one that is not published yet: its buffer is closed, the rent returns."""

    async def act() -> None:
        from storage.database import transaction
        from storage.intents.deployments import ask_to_cancel

        async with context.opened(context.settings(data_dir)) as parts:
            found = await _one(parts, name)
            plan = [f"undo {found['name']} ({found['written']} of {found['chunks']} pieces written)"]
            if not agreed(yes, plan, as_json=as_json):
                return
            async with transaction(parts.pool) as connection:
                await ask_to_cancel(connection, found["id"], principal())
            shown = await _one(parts, found["id"])
        _tell(shown, as_json=as_json)

    context.run(act)


async def _one(parts: Parts, name: str) -> dict[str, Any]:
    from storage.reads.deployments import deployment

    found = await deployment(parts.pool, name)
    if found is None:
        raise Rejected("not_found", f"no deployment {name}")
    return found


def _tell(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    rows = [(name.replace("_", " "), value) for name, value in shown.items() if name != "transactions"]
    out.print(table(("what", "value"), rows))
    acts = shown.get("transactions", [])
    if acts:
        columns = ("key", "status", "slot", "signature")
        out.print(table(columns, [[act[column] for column in columns] for act in acts]))


def _sol(lamports: int) -> str:
    whole, part = divmod(lamports, 10**9)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")
