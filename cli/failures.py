"""Where a failure becomes an exit code, the only place: 0 ok, 2 usage, 3 rejected, 4 unavailable, 5 broken."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, Final

from typer.core import TyperGroup
from typer.exceptions import Exit, TyperException

from domain.shared.errors import Broken, Failure, Rejected, Unavailable
from domain.shared.problems import PROBLEMS

OK: Final = 0
USAGE: Final = 2
REJECTED: Final = 3
UNAVAILABLE: Final = 4
BROKEN: Final = 5
INTERRUPTED: Final = 130


class Usage(Exception):
    """The command line or the environment does not fit; nothing was done."""


class Cli(TyperGroup):
    """The root command: whatever a command raises is said in one line and becomes the exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (Exit, TyperException):
            raise
        except Exception as error:
            raise Exit(report(error)) from error


def report(error: Exception) -> int:
    """Tell the operator on stderr; return the exit code. What is unknown is a defect and shows its traceback."""
    from cli.output import err

    known = understand(error)
    if isinstance(known, Usage):
        err.print(f"[red]usage:[/red] {escaped(str(known))}", soft_wrap=True)
        return USAGE
    if known is None:
        traceback.print_exception(error, file=sys.stderr)
        known = Broken("internal_error", f"{type(error).__name__}: {error}")
    code, word = exit_code(known)
    err.print(f"[red]{word}:[/red] [bold]{known.code}[/bold] {escaped(known.detail)}", soft_wrap=True)
    problem = PROBLEMS.get(known.code)
    if problem is not None:
        err.print(f"[dim]{escaped(problem.advice)}[/dim]", soft_wrap=True)
    return code


def exit_code(failure: Failure) -> tuple[int, str]:
    """The code and the word of the failure's root."""
    if isinstance(failure, Rejected):
        return REJECTED, "rejected"
    if isinstance(failure, Unavailable):
        return UNAVAILABLE, "unavailable"
    return BROKEN, "broken"


def understand(error: BaseException) -> Failure | Usage | None:
    """Read an exception as a known failure: ours, a missing setting, or a part that is away. None: a defect."""
    if isinstance(error, Failure | Usage):
        return error
    if isinstance(error, BaseExceptionGroup):
        return understand(error.exceptions[0]) if len(error.exceptions) == 1 else None
    return _settings(error) or _database(error) or _temporal(error) or _connection(error)


def _settings(error: BaseException) -> Usage | None:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError) or not error.title.endswith("Settings"):
        return None
    lines = [
        f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}"
        for e in error.errors(include_input=False, include_url=False)
    ]
    return Usage("environment: " + "; ".join(lines) + " (see .env.example, or give --data-dir of a running stack)")


def _database(error: BaseException) -> Failure | None:
    import psycopg
    import sqlalchemy.exc

    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return Unavailable("database_unavailable", "the tables are missing: run `holdfast migrate --yes`")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Rejected("forbidden", f"the database role lacks a right: {first_line(error)}")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable("database_unavailable", first_line(error))
    return None


def _temporal(error: BaseException) -> Failure | None:
    from temporalio.client import WorkflowFailureError
    from temporalio.service import RPCError, RPCStatusCode

    if isinstance(error, RuntimeError) and "client connect" in str(error):
        return Unavailable("temporal_unavailable", "Temporal does not answer at TEMPORAL_ADDRESS")
    if isinstance(error, RPCError):
        if error.status is RPCStatusCode.NOT_FOUND:
            return Rejected("not_found", f"Temporal: {error.message}")
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return None
        return Unavailable("temporal_unavailable", f"Temporal answered {error.status.name}: {error.message}")
    if isinstance(error, WorkflowFailureError):
        return Broken("internal_error", f"the process failed: {error.cause}")
    return None


def _connection(error: BaseException) -> Failure | None:
    if isinstance(error, ConnectionError | TimeoutError):
        return Unavailable("unavailable", f"{type(error).__name__}: {error}")
    return None


def first_line(error: BaseException) -> str:
    """What a driver says, without its hints and pointers."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def escaped(text: str) -> str:
    """Text of others, shown as it is."""
    from rich.markup import escape

    return escape(text)


def principal() -> str:
    """Who acts, for the audit log: the operator named in HOLDFAST_OPERATOR, else the user of this machine."""
    named = os.environ.get("HOLDFAST_OPERATOR") or os.environ.get("USER") or f"uid-{os.getuid()}"
    return f"cli:{named}"
