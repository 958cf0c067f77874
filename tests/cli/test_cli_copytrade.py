"""`holdfast copytrade record` against the local venue: what it keeps, what it says, what stops it."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from tests.cli.conftest import Holdfast
from tests.world.copytrade import rows
from tests.world.venue import RunningVenue, running_venue


async def record(venue: RunningVenue, *args: str, **env: str) -> Result:
    """In a thread: the venue lives in this loop."""
    settings: dict[str, Any] = {name.upper(): value for name, value in venue.settings().items()}
    runner = CliRunner()
    command = ["copytrade", "record", "--seconds", "1", *args]
    return await asyncio.to_thread(runner.invoke, app, command, env={**settings, **env})


def frames(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_record_keeps_raw_answers_and_socket_frames(tmp_path: Path) -> None:
    out = tmp_path / "frames.jsonl"
    async with running_venue() as venue:
        await venue.trade("steady-whale", "treaty-signed:0", "BUY", "20", price="0.43")
        await venue.split("steady-whale", "bitcoin-up", "5")
        result = await record(venue, "--wallet", "steady-whale", "--out", str(out), "--json")
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        found = frames(out)
        assert said["frames"] == len(found)
        assert said["odd"] == {}
        assert said["failures"] == []
        routes = {frame["route"] for frame in found}
        assert {"data_activity", "data_trades", "data_positions", "data_resolutions", "clob_books", "gamma_markets",
                "gamma_search", "clob_clob_market", "clob_market_socket"} <= routes  # fmt: skip
        activity = next(json.loads(frame["body"]) for frame in found if frame["route"] == "data_activity")
        assert {row["type"] for row in activity["data"]} == {"TRADE", "SPLIT"}
        assert {frame["kind"] for frame in found} == {"http", "socket"}


async def test_record_tells_what_was_not_understood_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "frames.jsonl"
    async with running_venue() as venue:
        await venue.trade("steady-whale", "treaty-signed:0", "BUY", "20", price="0.43")
        venue.fail("data:/v2/activity", "unknown_type", times=None)
        venue.fail("data:/v2/status", "http_429", times=None, seconds=9)
        result = await record(venue, "--wallet", venue.address("steady-whale"), "--out", str(out))
        assert result.exit_code == 0, result.output
        assert "not understood" in result.output
        assert "TELEPORT" in result.output
        assert "failed: venue_rate_limited" in result.output
        assert "TELEPORT" in out.read_text(), "verbatim, whatever we made of it"


async def test_record_of_nobody_is_rejected(tmp_path: Path) -> None:
    async with running_venue() as venue:
        result = await record(venue, "--wallet", "no-such-person", "--out", str(tmp_path / "x"))
        assert result.exit_code == 3
        assert "profile_not_found" in result.output


async def test_record_needs_a_wallet_and_sensible_settings(tmp_path: Path) -> None:
    async with running_venue() as venue:
        assert (await record(venue, "--out", str(tmp_path / "x"))).exit_code == 2
        result = await record(venue, "--wallet", "x", "--out", str(tmp_path / "x"), POLYMARKET_MAX_RPS="none")
        assert result.exit_code == 2
        assert "polymarket_max_rps" in result.output


async def test_who_is_followed_begins_with_the_installations_bankroll(holdfast: Holdfast, database: str) -> None:
    """As over HTTP; `--bankroll` is for this leader alone."""
    env = {"DATABASE_URL": database, "HOLDFAST_OPERATOR": "tester", "STARTING_BANKROLL_MICROS": "250000000"}
    for label, more in (("usual", []), ("own", ["--bankroll", "75.5"])):
        wallet = "0x" + secrets.token_hex(20)
        done = await holdfast("copytrade", "follow", label, "--wallet", wallet, *more, "--json", env=env)
        assert done.code == 0, done.err
    found = await rows(database, "SELECT label, bankroll_micros FROM copytrade.followed_users ORDER BY label DESC")
    assert [tuple(row.values()) for row in found] == [("usual", 250_000_000), ("own", 75_500_000)]
