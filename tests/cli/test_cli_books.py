"""Commands on a real Postgres: migrations, keys, the ledger and its breaches."""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from domain.exchange import withdrawals as rules
from domain.shared import ledger
from domain.shared.ledger import Transfer, move
from domain.shared.money import USDC
from storage.books import Books
from storage.database import make_pool
from storage.events import new_id
from storage.operations import mark_step, open_operation
from tests.cli.conftest import Holdfast, environment

TX = "0x" + "ab" * 32


async def rows(dsn: str, query: str, *arguments: Any) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(dsn, row_factory=dict_row, autocommit=True) as connection:
        cursor = await connection.execute(query, arguments or None)  # type: ignore[arg-type]
        return await cursor.fetchall() if cursor.description else []


async def plant(dsn: str, statement: str) -> None:
    """Change the books behind the guards' back, as only the server's owner can."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(statement)  # type: ignore[arg-type]


async def booked(dsn: str) -> tuple[str, str, str]:
    """An account with a credited deposit of 10 USDC and a settled withdrawal of 4; returns the three ids."""
    account, deposit, withdrawal = new_id(), new_id(), new_id()
    async with make_pool(dsn, size=1, name="test") as pool, Books(pool).begin() as book:
        run = book.connection.execute
        await run("INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'ada', 'trader')", [account])
        await run("INSERT INTO exchange.chain_cursors VALUES (421614, 9, 9, 9, 9)")
        operation = await open_operation(
            book.connection, kind="deposit", subject_id=deposit, workflow_id=f"deposit:421614:{TX}:0",
            steps=("seen", "credit"), summary="Credited 10 USDC",
        )  # fmt: skip
        await mark_step(book.connection, operation, "credit", "done", "10 USDC")
        await run(
            """INSERT INTO exchange.deposits (id, chain_id, tx_hash, log_ordinal, block_number, block_hash, log_index,
                 token, from_address, to_address, amount, account_id, status, required_confirmations, operation_id)
               VALUES (%s, 421614, %s, 0, 5, '0xb', 0, '0xt', '0xf', '0xd', 10000000, %s, 'credited', 12, %s)""",
            [deposit, TX, account, operation],
        )
        await run(
            """INSERT INTO exchange.withdrawals (id, account_id, chain_id, to_address, amount_micros, status,
                 requested_by) VALUES (%s, %s, 421614, '0xe', 4000000, 'settled', 'ada')""",
            [withdrawal, account],
        )
        source, target = ledger.custody(421614, "deposits"), ledger.available(account)
        await book.book(
            Transfer(key=f"deposit:421614:{TX}:0", kind="deposit", postings=move(USDC, 10_000_000, source, target)),
            ledger.hold(rules.hold_key(withdrawal), "withdrawal_hold", account, USDC, 4_000_000, ref=withdrawal),
        )
        await book.book(rules.settlement(withdrawal, account, 421614, 4_000_000, 0, "0xpaid"))
    return account, deposit, withdrawal


async def test_migrate_is_a_dry_run_without_yes(holdfast: Holdfast, postgres: Any, new_database: Any) -> None:
    name = f"test_{secrets.token_hex(6)}"
    await rows(postgres.dsn_of("postgres"), f"CREATE DATABASE {name}")
    env = {"DATABASE_URL": postgres.dsn_of(name)}
    dry = await holdfast("migrate", "--json", env=env)
    assert dry.code == 0
    assert dry.json["dry_run"]
    assert dry.json["would"]
    assert await rows(env["DATABASE_URL"], "SELECT to_regclass('platform.accounts') AS t") == [{"t": None}]
    assert (await holdfast("ledger", "check", env=env)).code == 4  # tables missing: says how to make them
    done = await holdfast("migrate", "--yes", "--json", env=env)
    assert done.code == 0
    assert done.json["applied"]
    assert (await holdfast("migrate", "--json", env=env)).json == {"applied": [], "pending": []}


async def test_a_database_of_a_newer_release_lacks_nothing(holdfast: Holdfast, database: str) -> None:
    """A release is rolled back by starting the old one again; its `migrate` comes first."""
    await rows(database, "UPDATE platform.alembic_version SET version_num = 'of-a-newer-release'")
    assert (await holdfast("migrate", "--yes", "--json", env={"DATABASE_URL": database})).json["applied"] == []
    answer = await holdfast("doctor", "--json", env=environment(database))
    found = {check["name"]: check for check in answer.json["checks"]}
    assert found["migrations"]["verdict"] == "ok"
    assert "newer release" in found["migrations"]["meaning"]


async def test_bootstrap_is_idempotent_and_makes_a_working_administrator(holdfast: Holdfast, database: str) -> None:
    key = "hf_" + secrets.token_urlsafe(32)
    env = {"DATABASE_URL": database, "HOLDFAST_BOOTSTRAP_ADMIN_KEY": key}
    first = (await holdfast("keys", "bootstrap", "--json", env=env)).json
    assert first["api_key"] == key
    assert (await holdfast("keys", "bootstrap", "--json", env=env)).json == first
    again = await holdfast("keys", "bootstrap", "--json", env={"DATABASE_URL": database})
    assert again.code == 0
    assert again.json == {"account_id": first["account_id"], "api_key": None}
    assert await rows(database, "SELECT role::text FROM platform.accounts") == [{"role": "admin"}]
    assert len(await rows(database, "SELECT 1 FROM platform.api_keys")) == 1
    short = await holdfast("keys", "bootstrap", env={**env, "HOLDFAST_BOOTSTRAP_ADMIN_KEY": "hf_short"})
    assert short.code == 2


async def test_keys_create_list_revoke(holdfast: Holdfast, database: str) -> None:
    env = {"DATABASE_URL": database, "HOLDFAST_OPERATOR": "tester"}
    create = ["keys", "create", "--name", "ada", "--role", "trader", "--scopes", "exchange:read"]
    assert "would: create the trader account" in (await holdfast(*create, env=env)).out
    assert await rows(database, "SELECT 1 FROM platform.accounts") == []
    made = (await holdfast(*create, "--yes", "--json", env=env)).json
    assert made["api_key"].startswith("hf_")
    assert made["scopes"] == ["exchange:read"]
    second = await holdfast("keys", "create", "--account", made["account_id"], "--yes", "--json", env=env)
    assert second.json["account_id"] == made["account_id"]
    assert (await holdfast("keys", "create", "--account", new_id(), "--yes", env=env)).code == 3
    greedy = await holdfast(*create[:-1], "system:write", "--yes", env=env)
    assert greedy.code == 2
    assert "system:write" in greedy.err
    dry = await holdfast("keys", "revoke", made["id"], env=env)
    assert dry.code == 0
    assert (await holdfast("keys", "list", "--json", env=env)).out.count('"live"') == 2
    assert (await holdfast("keys", "revoke", made["id"], "--yes", env=env)).code == 0
    listed = (await holdfast("keys", "list", "--all", "--json", env=env)).json["items"]
    assert {item["id"]: item["state"] for item in listed}[made["id"]] == "revoked"
    assert all("api_key" not in item and "key_hash" not in item for item in listed)
    audit = await rows(database, "SELECT action FROM platform.audit_log WHERE principal = 'cli:tester' ORDER BY id")
    assert [entry["action"] for entry in audit] == [
        "account_created", "api_key_created", "api_key_created", "api_key_revoked"
    ]  # fmt: skip


async def test_ledger_check_of_good_books(holdfast: Holdfast, database: str) -> None:
    await booked(database)
    answer = await holdfast("ledger", "check", "--json", env={"DATABASE_URL": database})
    assert answer.code == 0
    assert answer.json["ok"]
    assert {"ledger_transfers_sum_to_zero", "balances_equal_postings", "open_holds_equal_held_balances",
            "deposit_amounts_equal_ledger", "withdrawal_amounts_equal_ledger", "user_balances_not_negative",
            } <= {check["name"] for check in answer.json["checks"]}  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE platform.balances SET balance = balance + 1 WHERE account LIKE 'users:%:available'",
         "balances_equal_postings"),
        ("UPDATE platform.postings SET amount = amount + 1 WHERE account LIKE 'users:%:available' AND amount > 0",
         "ledger_transfers_sum_to_zero"),
        ("UPDATE exchange.deposits SET amount = amount + 1", "deposit_amounts_equal_ledger"),
        ("UPDATE exchange.deposits SET status = 'orphaned'", "credited_deposits_match_ledger"),
        ("UPDATE exchange.withdrawals SET amount_micros = amount_micros + 1", "withdrawal_amounts_equal_ledger"),
        ("UPDATE exchange.withdrawals SET status = 'failed'", "settled_withdrawals_match_ledger"),
        ("UPDATE platform.balances SET balance = 7 WHERE account LIKE 'users:%:held'",
         "open_holds_equal_held_balances"),
    ],
)  # fmt: skip
async def test_ledger_check_finds_a_planted_breach(
    holdfast: Holdfast, database: str, statement: str, rule: str
) -> None:
    await booked(database)
    await plant(database, statement)
    answer = await holdfast("ledger", "check", "--json", env={"DATABASE_URL": database})
    assert answer.code == 5
    assert not answer.json["ok"]
    found = {check["name"]: check for check in answer.json["checks"] if not check["ok"]}
    assert rule in found
    assert found[rule]["differences"][0]["subject"]
    people = await holdfast("ledger", "check", env={"DATABASE_URL": database})
    assert people.code == 5
    assert rule in people.out
    assert found[rule]["differences"][0]["subject"] in people.out


async def test_ledger_account_and_trace(holdfast: Holdfast, database: str) -> None:
    account, deposit, withdrawal = await booked(database)
    env = {"DATABASE_URL": database}
    shown = (await holdfast("ledger", "account", account, "--json", env=env)).json
    assert {b["account"].rsplit(":")[-1]: b["balance"] for b in shown["balances"]} == {"available": "6", "held": "0"}
    one = (await holdfast("ledger", "account", f"users:{account}:available", "--limit", "1", "--json", env=env)).json
    assert len(one["postings"]) == 1
    for name in (deposit, TX, f"deposit:421614:{TX}:0"):
        (found,) = (await holdfast("ledger", "trace", name, "--json", env=env)).json["items"]
        assert (found["kind"], found["id"], len(found["transfers"])) == ("deposit", deposit, 1)
        assert [step["name"] for step in found["operations"][0]["steps"]] == ["seen", "credit"]
    (found,) = (await holdfast("ledger", "trace", withdrawal, "--json", env=env)).json["items"]
    assert [t["phase"] for t in found["transfers"]] == ["pending", "post"]
    people = await holdfast("ledger", "trace", deposit, env=env)
    assert people.code == 0
    assert "10 USDC" in people.out
    assert "custody:421614:deposits" in people.out
    assert (await holdfast("ledger", "trace", new_id(), env=env)).code == 3
    assert (await holdfast("ledger", "account", "users:nobody", env=env)).code == 3


async def test_doctor_with_everything_away_exits_4_and_names_the_fix(holdfast: Holdfast, program: Holdfast) -> None:
    answer = await holdfast("doctor", "--json", env=environment("postgresql://nobody@127.0.0.1:1/none"))
    assert answer.code == 4
    assert answer.json["ok"] is False
    found = {check["name"]: check for check in answer.json["checks"]}
    for name, fix in (("postgres", "DATABASE_URL"), ("temporal", "TEMPORAL_ADDRESS"), ("chain", "ARBITRUM_RPC_URL")):
        assert found[name]["verdict"] == "bad"
        assert found[name]["root"] == "unavailable"
        assert fix in found[name]["fix"]
    nothing = await program("doctor")
    assert nothing.code == 4
    assert "holdfast up" in nothing.out


async def test_doctor_finds_what_is_broken(holdfast: Holdfast, database: str, program: Holdfast) -> None:
    await booked(database)
    await plant(database, "UPDATE platform.balances SET balance = balance + 1 WHERE account LIKE 'users:%:available'")
    answer = await holdfast("doctor", "--json", env=environment(database))
    found = {check["name"]: check for check in answer.json["checks"]}
    assert answer.code == 5
    assert found["ledger"]["root"] == "broken"
    assert "holdfast ledger check" in found["ledger"]["fix"]
    assert found["deposit addresses"]["root"] == "broken"  # not an xpub
    assert found["migrations"]["verdict"] == "ok"
    assert found["postgres"]["verdict"] == "ok"
    half = await program("doctor", env={"DATABASE_URL": database})
    assert half.code == 5
    assert "ARBITRUM_RPC_URL" in half.out
