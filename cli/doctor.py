"""`holdfast doctor`: is everything there and as it must be? What each line means, and exactly what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from cli import context
from cli.checks import Finding, Root, Verdict, away, broken, finding, good, look
from cli.context import DataDir
from cli.failures import BROKEN, OK, UNAVAILABLE, Usage, understand
from cli.output import Json, out, print_json, progress, table
from domain.shared.errors import Failure

if TYPE_CHECKING:
    from settings import WorkerSettings

START: Final = "holdfast up, or set the environment (.env.example)"
POSTGRES: Final = "start Postgres, or correct DATABASE_URL"
TEMPORAL: Final = "start Temporal, or correct TEMPORAL_ADDRESS"
NODE: Final = "start the node, or correct ARBITRUM_RPC_URL"
_STYLES: Final = {Verdict.OK: "green", Verdict.LOOK: "yellow", Verdict.BAD: "bold red"}


def doctor(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Check everything. Exit code 0: nothing is bad; 4: a part is away; 5: something is broken."""
    findings = context.run(lambda: examine(data_dir))
    code = verdict(findings)
    if as_json:
        print_json({"ok": code == OK, "checks": [found.as_json() for found in findings]})
    else:
        out.print(_table(findings))
    raise typer.Exit(code)


def verdict(findings: list[Finding]) -> int:
    """The exit code: what is broken weighs more than what is away."""
    roots = {found.root for found in findings}
    return BROKEN if Root.BROKEN in roots else UNAVAILABLE if Root.UNAVAILABLE in roots else OK


def _table(findings: list[Finding]) -> Any:
    from rich.text import Text

    rows = [(Text(f.verdict.value, style=_STYLES[f.verdict]), f.name, f.meaning, f.fix) for f in findings]
    return table(("", "check", "meaning", "fix"), rows)


async def examine(data_dir: Path | None) -> list[Finding]:
    """Every check. A part that is away is one finding, not twenty."""
    from pydantic import ValidationError

    try:
        found = context.settings(data_dir)
    except (ValidationError, Failure, Usage) as error:
        return [_no_settings(error, data_dir)]
    with progress("examining"):
        groups = await asyncio.gather(_books(found), _processes(found), _chain(found), _solana(found), _host(found))
    return [good("settings", f"profile {found.holdfast_profile}"), *(line for group in groups for line in group)]


def _no_settings(error: Exception, data_dir: Path | None) -> Finding:
    """Nothing is configured here at all, or what is configured is wrong."""
    known = understand(error)
    if isinstance(known, Failure):
        return away("settings", known.detail, START)
    if not isinstance(known, Usage):
        raise error
    import os

    named = data_dir is not None or os.environ.get("DATABASE_URL") or context.stack_values(None)
    if named:
        return broken("settings", str(known), "set what is named; .env.example lists every variable")
    return away("settings", "no stack runs in .holdfast and the environment names none", START)


async def _books(found: WorkerSettings) -> list[Finding]:
    from cli.checks import books, market, solana

    dsn = found.database_url.get_secret_value()
    first = await finding("postgres", books.reachable(dsn), POSTGRES)
    if first.verdict is Verdict.BAD:
        return [first, look("books", "not checked: they need Postgres", POSTGRES)]
    async with context.database(dsn, read_only=True) as pool:
        state = await finding("migrations", books.migrations(pool), POSTGRES)
        if state.verdict is Verdict.BAD:
            return [first, state]
        checks: list[tuple[str, Awaitable[Finding]]] = [
            ("durability", books.durability(pool)),
            ("clock and database", books.clock(pool)),
            ("ledger", books.ledger(pool)),
            ("alerts", books.alerts(pool)),
            ("scanner", books.scanner(pool, found.arbitrum_chain_id)),
            ("market engines", market.engines(pool, found.market_engines)),
            ("assets", market.prices(pool)),
            ("deposit addresses", books.addresses(pool, found)),
            ("backup", books.backups(pool, found)),
            *([("wallet's 24 hours", solana.day(pool, found))] if found.solana_rpc_url else []),
        ]
        return [first, state, *[await finding(name, check, POSTGRES) for name, check in checks]]


async def _processes(found: WorkerSettings) -> list[Finding]:
    from cli.checks import processes
    from domain.shared.processes import LAUNCHPAD, OPERATIONS, QUEUES, SOLANA_SIGNER

    try:
        async with asyncio.timeout(10):
            client = await context.temporal(found)
    except Exception as error:
        known = understand(error)
        if isinstance(known, Usage):
            return [broken("temporal", str(known), "correct PAYLOAD_KEYS")]
        if known is None:
            raise
        return [away("temporal", f"does not answer at {found.temporal_address}", TEMPORAL)]
    lines = [await finding("temporal", processes.namespace(client), TEMPORAL)]
    if lines[0].verdict is Verdict.BAD:
        return lines
    lines.append(await finding("search attributes", processes.search_attributes(client), TEMPORAL))
    unserved = set() if found.solana_rpc_url else {LAUNCHPAD, SOLANA_SIGNER}
    for queue in (queue for queue in QUEUES if queue not in unserved):
        lines.append(await finding(f"worker {queue}", processes.pollers(client, queue), TEMPORAL))
    if any(line.name == f"worker {OPERATIONS}" and line.verdict is Verdict.OK for line in lines):
        lines.append(await finding("timers", processes.timers(client), TEMPORAL))
    return lines


async def _chain(found: WorkerSettings) -> list[Finding]:
    from cli.checks import chain
    from gateways.evm.chain import EvmNode

    async def odd(source: str, kind: str, reason: str, payload: Any) -> None:
        """Workers keep odd answers in quarantine; here the check that met one reports it."""

    node = EvmNode.connect(
        [found.arbitrum_rpc_url, found.arbitrum_rpc_fallback_url],
        chain_id=found.arbitrum_chain_id,
        token=found.usdc_contract_address.lower(),
        quarantine=odd,
    )
    try:
        first = await finding("chain", chain.contract(node, found), NODE)
        if first.verdict is Verdict.BAD:
            return [first]
        checks: list[tuple[str, Awaitable[Finding]]] = [
            ("chain head", chain.head(found)),
            ("finality", chain.finality(node)),
            ("second node", chain.second_node(node, found)),
            ("wallets", chain.wallets(node, found)),
        ]
        return [first, *[await finding(name, check, NODE) for name, check in checks]]
    finally:
        await node.aclose()


async def _solana(found: WorkerSettings) -> list[Finding]:
    if not found.solana_rpc_url:
        return [good("solana", "none: there is no launchpad")]
    from cli.checks import solana
    from composition.solana import make_solana

    async def odd(source: str, kind: str, reason: str, payload: Any) -> None:
        """Workers keep odd answers in quarantine; here the check that met one reports it."""

    nodes = make_solana(found, odd)
    assert nodes is not None, "there is a URL"
    try:
        first = await finding("solana", solana.nodes(nodes, found), solana.FIX)
        if first.verdict is Verdict.BAD:
            return [first]
        checks: list[tuple[str, Awaitable[Finding]]] = [
            ("programs", solana.programs(nodes, found)),
            ("platform wallet", solana.wallet(nodes, found)),
        ]
        return [first, *[await finding(name, check, solana.FIX) for name, check in checks]]
    finally:
        await nodes.aclose()


async def _host(found: WorkerSettings) -> list[Finding]:
    from cli.checks import host

    return [await finding("disk", host.disk(found), ""), await finding("sandbox", host.money(found), "")]
