"""`holdfast copytrade`: follow, unfollow, pause, resume, and read the last hours again, without the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import context
from cli.context import DataDir
from cli.failures import Usage, principal
from cli.output import Json, Yes, agreed, out, print_json, table
from domain.shared.money import parse_usdc

if TYPE_CHECKING:
    from storage.database import Connection, Pool
    from storage.intents.opened import Opened

User = Annotated[str, typer.Argument(metavar="USER", help="The followed user's id.")]
Reason = Annotated[str, typer.Option(help="Why; goes into the audit log.")]


def users(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Whom we follow, and how far each one is."""

    async def act() -> list[dict[str, Any]]:
        import json

        from storage.reads.copytrade import leaders

        async with context.database(context.database_url(data_dir)) as pool:
            found = await leaders(pool, gone=False, limit=200, after=None)
        return [json.loads(row["body"]) for row in found.rows]

    found = context.run(act)
    if as_json:
        print_json(found)
        return
    rows = [(u["id"], u["label"], u["wallet"] or u["profile"], u["status"], u["mode"]) for u in found]
    out.print(table(("id", "label", "wallet", "status", "mode"), rows))


def follow(
    label: Annotated[str, typer.Argument(help="A name for this leader.")],
    wallet: Annotated[str, typer.Option(help="The wallet it trades from.")] = "",
    profile: Annotated[str, typer.Option(help="Or its profile: a URL or a name.")] = "",
    bankroll: Annotated[
        str, typer.Option(help="Paper USDC of its executable portfolio. Default: STARTING_BANKROLL_MICROS.")
    ] = "",
    mode: Annotated[str, typer.Option(help="full, reduce_only or off.")] = "full",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Follow a wallet from now on. What it holds already is its baseline, no signal."""
    from gateways.evm.addresses import parse_address
    from storage.intents.copytrade import Leader
    from storage.intents.copytrade import follow as open_follow

    if bool(wallet) == bool(profile):
        raise Usage("give either --wallet or --profile")
    if mode not in ("full", "reduce_only", "off"):
        raise Usage("--mode is full, reduce_only or off")
    paper = parse_usdc(bankroll) if bankroll else context.starting_bankroll()
    leader = Leader(label, parse_address(wallet) if wallet else "", profile, paper, mode, "hold")

    async def work(connection: Connection, by: str) -> Opened:
        return await open_follow(connection, leader, principal=by)

    _opened(work, as_json=as_json, data_dir=data_dir)


def unfollow(user: User, yes: Yes = False, data_dir: DataDir = None) -> None:
    """Stop following; everything seen, decided and booked is kept."""

    async def work(connection: Connection, by: str) -> None:
        from storage.intents.copytrade import unfollow as end

        await end(connection, user, principal=by)

    if agreed(yes, [f"{user} is not polled or copied any more"]):
        _carried_out(work, data_dir)


def pause(reason: Reason = "", yes: Yes = False, data_dir: DataDir = None) -> None:
    """Copy nothing: groups due from now on are skipped (ENGINE_PAUSED). Shadows go on."""
    if agreed(yes, ["groups due while paused are skipped, not deferred"]):
        _switch(enabled=False, reason=reason, data_dir=data_dir)


def resume(reason: Reason = "", data_dir: DataDir = None) -> None:
    """Copy again."""
    _switch(enabled=True, reason=reason, data_dir=data_dir)


def reread(
    hours: Annotated[int, typer.Option(min=1, max=24 * 90, help="How far back.")],
    user: Annotated[str, typer.Option(help="Only this followed user.")] = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Read the last hours of the leaders' activity again, for the shadows only. What was seen is recognised."""
    from storage.intents.copytrade import open_backfill

    async def work(connection: Connection, by: str) -> Opened:
        return await open_backfill(connection, hours=hours, user_id=user or None, principal=by)

    _opened(work, as_json=as_json, data_dir=data_dir)


def _switch(*, enabled: bool, reason: str, data_dir: Any) -> None:
    async def work(connection: Connection, by: str) -> None:
        from storage.intents.system import set_control

        await set_control(connection, name="copytrade.engine", enabled=enabled, reason=reason, principal=by)

    _carried_out(work, data_dir)


def _opened(work: Callable[[Connection, str], Awaitable[Opened]], *, as_json: bool, data_dir: Any) -> None:
    opened = _carried_out(work, data_dir)
    if as_json:
        print_json({"id": opened.subject_id, "operation_id": opened.operation_id})
        return
    out.print(f"{opened.summary}\n{opened.subject_id}, operation {opened.operation_id}", markup=False, soft_wrap=True)


def _carried_out(work: Callable[[Connection, str], Awaitable[Any]], data_dir: Any) -> Any:
    """One transaction; the dispatcher starts the process of what it opens."""
    from storage.database import transaction

    async def act() -> Any:
        pool: Pool
        async with context.database(context.database_url(data_dir)) as pool, transaction(pool) as connection:
            return await work(connection, principal())

    return context.run(act)
