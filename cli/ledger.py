"""`holdfast ledger`: do the books hold together, one account, one money movement from end to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import context
from cli.context import DataDir
from cli.failures import BROKEN
from cli.output import Json, out, print_json, table

if TYPE_CHECKING:
    from rich.tree import Tree

    from storage.database import Pool

app = typer.Typer(help="The books: check them, look at an account, trace a money movement.", no_args_is_help=True)


@app.command()
def check(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Check every invariant of the books now. Exit code 5 when one is broken, with what differs."""

    async def read() -> list[dict[str, Any]]:
        async with context.database(dsn, read_only=True) as pool:
            return await verdicts(pool)

    dsn = context.database_url(data_dir)
    found = context.run(read)
    ok = all(verdict["ok"] for verdict in found)
    if as_json:
        print_json({"ok": ok, "checks": found})
    else:
        out.print(table(("", "rule", "detail"), [("✓" if v["ok"] else "✗", v["name"], v["detail"]) for v in found]))
        for verdict in (v for v in found if v["differences"]):
            rows = [(d["subject"], d["expected"], d["actual"]) for d in verdict["differences"]]
            out.print()
            out.print(table(("what", "expected", "actual"), rows, title=verdict["name"]))
    if not ok:
        raise typer.Exit(BROKEN)


async def verdicts(pool: Pool) -> list[dict[str, Any]]:
    """Every rule with its verdict and, when broken, up to twenty things that break it."""
    from storage.reads import invariants, ledger

    known = {rule.name: rule for rule in (*invariants.RULES, *ledger.MORE_RULES)}
    found = []
    for rule in known.values():
        verdict = await invariants.check(pool, rule)
        differences = [] if verdict.ok else await ledger.differences(pool, rule.name)
        found.append({**verdict._asdict(), "differences": differences})
    return found


@app.command()
def account(
    path: Annotated[str, typer.Argument(help="Path as users:ID:available, or a user's id for both of its sides.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Newest lines to show.")] = 20,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Balance and newest lines of an account."""

    async def read() -> dict[str, Any]:
        from storage.reads import ledger

        async with context.database(dsn, read_only=True) as pool:
            return await ledger.account(pool, path, limit)

    dsn = context.database_url(data_dir)
    found = context.run(read)
    if as_json:
        shown = {
            name: [{**row, key: amount(row[key], row["unit"])} for row in found[name]]
            for name, key in (("balances", "balance"), ("postings", "amount"))
        }
        print_json(shown)
        return
    rows = [(b["account"], f"{amount(b['balance'], b['unit'])} {b['unit']}") for b in found["balances"]]
    out.print(table(("account", "balance"), rows))
    out.print()
    lines = []
    for line in found["postings"]:
        figure = f"{amount(line['amount'], line['unit'])} {line['unit']}"
        side = line["account"].rsplit(":", 1)[-1]
        lines.append((line["created_at"], figure, side, line["kind"], line["phase"], line["key"]))
    out.print(table(("at", "amount", "side", "kind", "phase", "transfer"), lines))


def amount(value: int | str, unit: str) -> str:
    """Minor units as a decimal string."""
    from domain.shared.money import DECIMALS, format_amount

    return format_amount(int(value), DECIMALS.get(unit, 18))


@app.command()
def trace(
    what: Annotated[str, typer.Argument(help="Transfer key, transaction hash, or id of a deposit, withdrawal, sweep.")],
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Everything about one money movement: rows, transfers, signed transactions, steps, audit."""

    async def read() -> list[dict[str, Any]]:
        from storage.reads import ledger

        async with context.database(dsn, read_only=True) as pool:
            return await ledger.trace(pool, what)

    dsn = context.database_url(data_dir)
    found = context.run(read)
    if as_json:
        print_json({"items": found})
        return
    for movement in found:
        out.print(movement_tree(movement), soft_wrap=True)


def movement_tree(movement: Mapping[str, Any]) -> Tree:
    """The movement as a tree for people."""
    from rich.text import Text
    from rich.tree import Tree

    def text(words: str) -> Text:
        return Text(words)

    row = movement["row"]
    tree = Tree(Text(f"{movement['kind']} {movement['id']} {row.get('status', '')}", style="bold"))
    facts = tree.add(text("row")) if row else tree
    for name, value in row.items():
        if value is not None and name not in ("id", "status"):
            facts.add(text(f"{name}: {_value(name, value)}"))
    for transfer in movement["transfers"]:
        branch = tree.add(text(f"transfer {transfer['key']} ({transfer['phase']}) {transfer['created_at']}"))
        for line in transfer["postings"] or ():
            branch.add(text(f"{amount(line['amount'], line['unit']):>20} {line['unit']}  {line['account']}"))
    for sent in movement.get("transactions", ()):
        mined = f"mined in block {sent['mined_block']}" if sent["mined_block"] else "not mined"
        branch = tree.add(text(f"{sent['purpose']} from {sent['wallet']} nonce {sent['nonce']}: {mined}"))
        for attempt in sent["signed"] or ():
            mark = " ← mined" if attempt["tx_hash"] == sent["mined_hash"] else ""
            when = attempt["broadcast_at"] or "not sent"
            branch.add(text(f"attempt {attempt['attempt']} {attempt['tx_hash']} sent {when}{mark}"))
    for operation in movement.get("operations", ()):
        branch = tree.add(text(f"process {operation['workflow_id']} {operation['status']}: {operation['summary']}"))
        for step in operation["steps"] or ():
            branch.add(text(f"{step['name']:<10} {step['status']:<8} {step['finished_at'] or ''} {step['detail']}"))
    for entry in movement.get("audit", ()):
        tree.add(text(f"audit {entry['created_at']} {entry['principal']} {entry['action']} {entry['detail']}"))
    for alert in movement.get("alerts", ()):
        state = f"resolved {alert['resolved_at']}" if alert["resolved_at"] else "OPEN"
        tree.add(text(f"alert {alert['created_at']} {alert['code']} ({state}): {alert['detail']}"))
    return tree


def _value(name: str, value: object) -> object:
    if name.endswith("_micros") and isinstance(value, int | str):
        return f"{amount(value, 'USDC')} USDC"
    return value
