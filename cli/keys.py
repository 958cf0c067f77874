"""`holdfast keys`: accounts' API keys, and the first administrator of an installation."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli import context
from cli.context import DataDir
from cli.failures import Usage, principal
from cli.output import Json, Yes, agreed, err, out, print_json, table

app = typer.Typer(help="API keys: create, list, revoke; the first administrator.", no_args_is_help=True)


class Role(StrEnum):
    admin = "admin"
    operator = "operator"
    trader = "trader"
    creator = "creator"


@app.command()
def bootstrap(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Make the first administrator. Its key is HOLDFAST_BOOTSTRAP_ADMIN_KEY, or a new one. Safe to repeat.

    This one acts without --yes: it changes nothing once it has been done.
    """
    answer = context.run(lambda: _bootstrap(context.database_url(data_dir)))
    if as_json:
        print_json(answer)
    else:
        out.print(f"account {answer['account_id']}", markup=False)
        if answer["api_key"]:
            out.print(f"api key {answer['api_key']}", markup=False)
    if answer["api_key"] is None:
        err.print("[dim]done before; its key was shown then. Another one: holdfast keys create --account …[/dim]")


async def _bootstrap(dsn: str) -> dict[str, Any]:
    from storage import accounts
    from storage.operator import bootstrapped

    given = os.environ.get("HOLDFAST_BOOTSTRAP_ADMIN_KEY", "")
    if given and (not given.startswith(accounts.KEY_PREFIX) or len(given) < 32):
        raise Usage("HOLDFAST_BOOTSTRAP_ADMIN_KEY must be hf_ and 29 random characters or more")
    async with context.database(dsn) as pool:
        known = await bootstrapped(pool)
        if not given and known is not None:
            return {"account_id": known, "api_key": None}
        api_key = given or accounts.new_key()
        return {"account_id": await accounts.ensure_admin(pool, api_key), "api_key": api_key}


@app.command()
def create(
    account: Annotated[str | None, typer.Option(help="Id of the account the key is for.")] = None,
    name: Annotated[str | None, typer.Option(help="Make a new account of this name; with --role.")] = None,
    role: Annotated[Role | None, typer.Option(help="Role of the new account.")] = None,
    scopes: Annotated[str, typer.Option(help="Comma separated; default: all the role may have.")] = "",
    expires: Annotated[
        datetime | None, typer.Option(help="UTC; default: never.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Create a key, for an account or with a new one. The secret is shown once."""
    if (account is None) == (name is None) or (name is None) != (role is None):
        raise Usage("give --account ID, or --name NAME with --role ROLE")
    until = expires.replace(tzinfo=UTC) if expires else None
    if until is not None and until <= datetime.now(UTC):
        raise Usage("--expires is in the past")
    wanted = [part.strip() for part in scopes.split(",") if part.strip()]
    dsn = context.database_url(data_dir)
    context.run(lambda: _create(dsn, account, name, role, wanted, until, yes=yes, as_json=as_json))


async def _create(
    dsn: str,
    account: str | None,
    name: str | None,
    role: Role | None,
    wanted: list[str],
    until: datetime | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    from storage import operator

    async with context.database(dsn) as pool:
        owner = await operator.account(pool, account) if account is not None else None
        holder = owner.role if owner is not None else str(role)
        granted = scopes_of(holder, wanted)
        plan = [] if owner is not None else [f"create the {holder} account “{name}”"]
        whose = f"account {owner.id} ({owner.name})" if owner is not None else "it"
        plan.append(f"create an API key for {whose} with {', '.join(granted)}, " + _until(until))
        if not agreed(yes, plan, as_json=as_json):
            return
        made = await operator.create_key(
            pool, principal(), account_id=owner.id if owner else None, name=name or "", role=holder, scopes=granted,
            expires_at=until,
        )  # fmt: skip
    if as_json:
        print_json({**made, "scopes": granted, "expires_at": until.isoformat() if until else None})
    else:
        out.print(f"account {made['account_id']}\nkey id  {made['id']}\napi key {made['api_key']}", markup=False)
        err.print("[dim]the key is not shown again[/dim]")


def scopes_of(role: str, wanted: list[str]) -> list[str]:
    """The scopes a key of this role gets. Raises: Usage for scopes that do not exist or that the role may not have."""
    from api.http.scopes import BY_ROLE

    most = BY_ROLE[role]
    refused = sorted(set(wanted) - most)
    if refused:
        raise Usage(f"a key of a {role} cannot have {', '.join(refused)}; it can have {', '.join(sorted(most))}")
    return sorted(wanted or most)


def _until(moment: datetime | None) -> str:
    return f"until {moment:%Y-%m-%d %H:%M} UTC" if moment else "without an end"


@app.command("list")
def list_keys(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List keys: prefix, owner, scopes, last use. Secrets are not stored."""

    async def read() -> list[dict[str, Any]]:
        from storage import operator

        async with context.database(dsn, read_only=True) as pool:
            return await operator.keys(pool, account, live_only=not everything)

    dsn = context.database_url(data_dir)
    rows = context.run(read)
    if as_json:
        print_json({"items": rows})
        return
    columns = ("id", "prefix", "account_id", "name", "role", "expires_at", "last_used_at", "state", "scopes")
    out.print(table(columns, [[row[name] for name in columns[:-1]] + [" ".join(row["scopes"])] for row in rows]))


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Id or prefix of the key (see `keys list`).")],
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Revoke a key for good."""

    async def act() -> None:
        from storage import operator

        async with context.database(dsn) as pool:
            found = await operator.key(pool, key)
            whose = f"{found['name']} ({found['role']}), last used {found['last_used_at'] or 'never'}"
            if not agreed(yes, [f"revoke key {found['prefix']}… of {whose}"], as_json=as_json):
                return
            await operator.revoke(pool, principal(), found)
            if as_json:
                print_json({"id": found["id"], "revoked": True})

    dsn = context.database_url(data_dir)
    context.run(act)
