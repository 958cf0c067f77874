"""Shared set-up: one Postgres per test process, a database per test cloned from a migrated template."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, settings

from localnet.running import RunningPostgres, running_postgres
from storage.migrate import upgrade


def pytest_configure(config: pytest.Config) -> None:
    """One seed for all test processes: the controller draws it, the workers inherit it. Logs go to the captured log:
    on stdout, those of a world in this process would stand in the answer of a command that is run beside it.
    Hypothesis counts no time: a busy machine is no counter-example."""
    settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("suite")
    os.environ.setdefault("CHAOS_SEED", str(secrets.randbelow(10**6)))
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def pytest_report_header(config: pytest.Config) -> str:
    return f"CHAOS_SEED={os.environ['CHAOS_SEED']}"


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    """A short-lived directory outside the repository."""
    with tempfile.TemporaryDirectory(prefix="holdfast-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(directory: Path) -> AsyncIterator[RunningPostgres]:
    async with running_postgres(directory / "postgres") as server:
        upgrade(server.dsn)
        yield server


@pytest.fixture(scope="session")
def new_database(postgres: RunningPostgres) -> Callable[[], Awaitable[str]]:
    """Make a migrated, empty database; returns its DSN."""

    async def make() -> str:
        name = f"test_{secrets.token_hex(6)}"
        async with await psycopg.AsyncConnection.connect(postgres.dsn_of("postgres"), autocommit=True) as connection:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE holdfast")  # type: ignore[arg-type]
        return postgres.dsn_of(name)

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def database(new_database: Callable[[], Awaitable[str]]) -> str:
    """The DSN of a fresh migrated database."""
    return await new_database()
