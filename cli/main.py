"""The command `holdfast`. Each command lives in its own module and imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import (
    archives,
    chain,
    copying,
    copytrade,
    deployments,
    doctor,
    keys,
    ledger,
    programs,
    schedules,
    stuck,
    wallets,
    withdrawals,
)
from cli.failures import BROKEN, INTERRUPTED, Cli
from cli.migrate import migrate
from cli.up import up

app = typer.Typer(
    name="holdfast",
    cls=Cli,
    help="Durable jobs for crypto operations.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up)
app.command("migrate")(migrate)
app.command("doctor")(doctor.doctor)
app.command("worker")(programs.worker)
app.command("api")(programs.api)
app.add_typer(schedules.app, name="schedules")
app.add_typer(keys.app, name="keys")
app.add_typer(ledger.app, name="ledger")
app.add_typer(stuck.app, name="workflows")
app.add_typer(chain.app, name="chain")
chain.app.command("wallets")(wallets.wallets)
chain.app.command("resume-wallet")(wallets.resume_wallet)
app.command("backfill")(chain.backfill)
app.add_typer(withdrawals.app, name="withdrawals")
app.add_typer(deployments.app, name="deployments")
app.add_typer(copytrade.app, name="copytrade")
app.command("record")(copytrade.record)
for verb in (copying.users, copying.follow, copying.unfollow, copying.pause, copying.resume, copying.reread):
    copytrade.app.command()(verb)
app.command("backup")(archives.backup)
app.command("restore")(archives.restore)
app.command("openapi")(programs.openapi)
app.command("version")(programs.version)


@app.command()
def demo(
    data_dir: Annotated[Path, typer.Option(help="Data directory of the running stack.")] = Path(".holdfast"),
) -> None:
    """Run the scripted scenario against a running stack."""
    from cli.demo import run as run_demo

    run_demo(data_dir)


@app.callback()
def holdfast() -> None:
    """Durable jobs for crypto operations. Exit codes: 0 ok, 2 usage, 3 rejected, 4 unavailable, 5 broken."""


def logs_to_stderr() -> None:
    """What the parts log while a command runs is not its answer: warnings only, beside stdout."""
    import logging

    import structlog

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # says again what the command reports itself
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def run() -> None:
    """Entry point of the installed command. Leaves without the interpreter's teardown (telemetry.leave says why)."""
    from telemetry import leave

    logs_to_stderr()
    try:
        app()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else BROKEN
    except KeyboardInterrupt:
        code = INTERRUPTED
    leave(code)


if __name__ == "__main__":
    run()
