"""Every command explains itself, quickly, and without what it does not need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app
from tests.cli.conftest import ROOT, Holdfast

CONTRACT = [
    "up",
    "demo",
    "doctor",
    "worker",
    "api",
    "migrate",
    "schedules",
    "keys",
    "ledger",
    "workflows",
    "backfill",
    "backup",
    "restore",
    "openapi",
    "version",
]


def _commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(group, TyperGroup):
        for name, command in group.commands.items():
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("path", list(_commands(get_command(app))), ids=" ".join)
def test_help_of_every_command(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output


def test_the_commands_of_the_contract_exist() -> None:
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    assert set(CONTRACT) <= set(command.commands)


def test_help_loads_no_library_of_the_running_parts() -> None:
    """So it is quick, and the production image needs no embedded stack."""
    code = "import sys, cli.main; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {
        "temporalio",
        "sqlalchemy",
        "psycopg",
        "litestar",
        "httpx",
        "localnet",
        "composition",
        "settings",
        "alembic",
    }
    assert heavy & set(loaded.stdout.split()) == set()


async def test_openapi_and_version_need_nothing(program: Holdfast) -> None:
    document = (await program("openapi")).json
    assert document["openapi"].startswith("3.1")
    assert "/api/health" in document["paths"]
    assert (await program("version", "--json")).json["version"]


async def test_usage_errors_exit_2(program: Holdfast) -> None:
    for arguments in (["nonsense"], ["ledger", "check", "--nonsense"], ["backfill"], ["worker", "--queues", "kitchen"]):
        assert (await program(*arguments)).code == 2
    answer = await program("ledger", "check")
    assert answer.code == 2
    assert "DATABASE_URL" in answer.err
    answer = await program("chain", "status", env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})
    assert answer.code == 2
    assert "ARBITRUM_RPC_URL" in answer.err
    assert "Traceback" not in answer.err


async def test_what_is_away_exits_4_and_says_so(program: Holdfast) -> None:
    for arguments in (["migrate"], ["ledger", "check"], ["keys", "list"], ["keys", "bootstrap", "--json"]):
        answer = await program(*arguments, env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})
        assert answer.code == 4
        assert "database_unavailable" in answer.err
        assert answer.out == ""
    answer = await program("ledger", "check", "--data-dir", "not-there")
    assert answer.code == 4
    assert "holdfast up" in answer.err
