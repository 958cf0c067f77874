"""The command `holdfast`. Each command lives in its own module and imports what it needs when it runs."""

from __future__ import annotations

import typer

from cli.up import up

app = typer.Typer(
    name="holdfast", help="Durable jobs for crypto operations.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.command("up")(up)


@app.callback()
def holdfast() -> None:
    """Durable jobs for crypto operations."""


def run() -> None:
    """Entry point of the installed command."""
    app()


if __name__ == "__main__":
    run()
