"""`holdfast worker` and `api`, the processes of production, and what the program says about itself."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.context import DataDir, stack_values
from cli.failures import Usage
from cli.output import Json, out, print_json


def worker(
    queues: Annotated[str, typer.Option(help="Comma separated: exchange, operations, or evm-signer alone.")] = (
        "exchange,copytrade,operations"
    ),
) -> None:
    """Serve task queues until SIGTERM; the same as `python worker.py`."""
    from domain.shared.processes import QUEUES

    names = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = sorted(set(names) - set(QUEUES))
    if unknown or not names:
        raise Usage(f"queues are {', '.join(QUEUES)}; not {', '.join(unknown) or 'none'}")
    import telemetry
    import worker as program

    _stack_environment(None)
    telemetry.run_main(lambda: program.run(names))


def api() -> None:
    """Serve the API until SIGTERM; the same as `python server.py`."""
    import server

    _stack_environment(None)
    server.main()


def _stack_environment(data_dir: DataDir) -> None:
    """On a machine with an embedded stack and no environment of its own, a process joins that stack."""
    for name, value in stack_values(data_dir).items():
        os.environ.setdefault(name.upper(), value)


def openapi() -> None:
    """Print the OpenAPI document of the HTTP API. Needs no running part."""
    from cli.openapi import document

    print_json(document())


def version(as_json: Json = False) -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    number, commit = installed("holdfast"), os.environ.get("HOLDFAST_COMMIT", "")
    if as_json:
        print_json({"version": number, "commit": commit or None})
    else:
        out.print(f"holdfast {number}" + (f" ({commit})" if commit else ""), markup=False)
