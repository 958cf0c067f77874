"""The local venue speaks the real wire formats: the venue's own clients parse its answers, and read what ours reads.

They want older versions of libraries we use, so they run in an environment of their own (tests/sdk/requirements.lock).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.copytrade.venue import Kind
from tests.venue_desk import NOW, Desk, desk

SDK = Path(__file__).parent.parent / "sdk"


@pytest.fixture(scope="session")
def sdk_python(directory: Path) -> Path:
    """The interpreter of an environment with the official clients. CI must be able to make one."""
    uv, home = Path(sys.executable).with_name("uv"), directory / "sdk"
    try:
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, home], check=True, timeout=60)
        install = [uv, "pip", "install", "-q", "--require-hashes", "-r", SDK / "requirements.lock"]
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        subprocess.run([*install, "--python", home / "bin" / "python"], check=True, timeout=180, env=environment)
    except (subprocess.SubprocessError, OSError) as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the official clients cannot be installed here: {failure}")
    return home / "bin" / "python"


async def read_by(python: Path, made: Desk, wallet: str, conditions: list[str], tokens: list[str]) -> dict[str, Any]:
    venue = made.venue
    asked = [venue.data_url, venue.clob_url, venue.gamma_url, wallet, ",".join(conditions), ",".join(tokens)]
    process = await asyncio.create_subprocess_exec(
        str(python), str(SDK / "read_venue.py"), *asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()[-3_000:]
    found: dict[str, Any] = json.loads(out)
    return found


async def test_the_official_clients_read_what_ours_read(sdk_python: Path) -> None:
    async with desk() as made:
        venue, ours = made.venue, made.polymarket
        await venue.trade("steady-whale", "dallas-below-98:0", "BUY", "22.84", price="0.52", at=NOW - 900)
        await venue.trade("steady-whale", "dallas-below-98:0", "BUY", "5", price="0.52", copies=2, at=NOW - 800)
        await venue.split("steady-whale", "bitcoin-up", "12.5", at=NOW - 700)
        await venue.merge("steady-whale", "bitcoin-up", "2.5", at=NOW - 600)
        await venue.combo("steady-whale", "10", "0.2", at=NOW - 500)
        await venue.credit("steady-whale", "MAKER_REBATE", "0.37", at=NOW - 400)
        await venue.resolve("bitcoin-up", 0)
        await venue.redeem("steady-whale", "bitcoin-up", at=NOW - 300)
        wallet = venue.address("steady-whale")
        markets = [await venue.market(slug) for slug in ("dallas-below-98", "bitcoin-up", "treaty-signed")]
        conditions = [market.condition_id for market in markets]
        tokens = [market.tokens[0].id for market in (markets[0], markets[2])]
        theirs = await read_by(sdk_python, made, wallet, conditions, tokens)
        sdk, v2 = theirs["official"], theirs["clob_v2"]

        activity = await ours.data.activity(wallet, NOW - 1_000, NOW, tuple(Kind))
        assert [row["type"] for row in reversed(sdk["activity"])] == [row.kind.value for row in activity.rows]
        assert [Decimal(row["amount"]) for row in reversed(sdk["activity"])] == [row.usdc_size for row in activity.rows]
        trades = await ours.data.trades(wallet, NOW - 1_000, NOW)
        assert {(t["token_id"], t["size"], t["price"]) for t in sdk["trades"]} == {
            (t.token_id, str(t.size), str(t.price)) for t in trades.rows
        }
        positions = await ours.data.positions(wallet)
        assert {p["token_id"]: Decimal(p["current_size"]) * 1_000_000 for p in sdk["positions"]} == {
            p.token_id: p.shares for p in positions
        }
        resolved = {one.condition_id: one.payouts for one in await ours.data.resolutions(conditions) if one.payouts}
        assert resolved == {
            r["condition_id"]: tuple(int(Decimal(p) * 1_000_000) for p in r["payouts"])
            for r in sdk["resolutions"]
            if r["payouts"]
        }
        found = {market.condition_id: market for market in await ours.gamma.markets(conditions)}
        assert len(sdk["markets"]) == len(found) == 3
        for market in sdk["markets"]:
            mine = found[market["condition_id"]]
            outcomes = market["outcomes"]["yes"], market["outcomes"]["no"]
            assert [o["token_id"] for o in outcomes] == [t.token_id for t in mine.tokens]
            assert market["state"]["closed"] is mine.closed
        profile = await ours.gamma.profile("steady-whale")
        assert profile is not None
        assert (sdk["profile"]["wallet"].lower(), sdk["profile"]["name"]) == (profile.wallet, profile.name)

        books = await ours.clob.books(tokens)
        assert {b["asset_id"] for b in sdk["books"]} == set(books) == set(tokens)
        best = sdk["book"]["bids"][-1], sdk["book"]["asks"][-1]
        assert [int(Decimal(level["price"]) * 1_000_000) for level in best] == [
            books[tokens[0]].bids[0].price, books[tokens[0]].asks[0].price
        ]  # fmt: skip
        assert v2["hash"] == v2["book"]["hash"] == books[tokens[0]].hash, "the official recipe of the hash"
        mids = await ours.clob.midpoints(tokens)
        assert {token: Decimal(mid) for token, mid in sdk["midpoints"].items()} == mids
        assert v2["info"]["t"][0]["t"] == tokens[0]
        assert v2["market"]["condition_id"] == conditions[0]
        assert made.held == []
