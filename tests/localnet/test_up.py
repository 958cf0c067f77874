"""`holdfast up` with real servers and stand-ins for the product's processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.outside import Misuse
from cli.stack import Stack
from localnet.jsonrpc import JsonRpc
from localnet.postgres import backends_of
from tests.localnet import dummies
from tests.localnet.conftest import eventually
from tests.localnet.test_supervisor import gone

pytestmark = pytest.mark.stack


@contextlib.contextmanager
def stack_in(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, str(Path(dummies.__file__)), "up", str(directory)]
    with (directory.parent / "up.out").open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
        process.kill()
        process.wait()


def second_up(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "up", "--data-dir", str(directory)]
    return subprocess.run(command, cwd=dummies.ROOT, capture_output=True, text=True, check=False)


async def endpoints(directory: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    path = directory / "endpoints.json"
    await eventually(lambda: path.exists() or process.poll() is not None)
    assert process.poll() is None, (directory.parent / "up.out").read_text()
    return dict(json.loads(path.read_text()))


def all_pids(found: dict[str, Any]) -> list[int]:
    return [pid for value in found["pids"].values() for pid in (value if isinstance(value, list) else [value])]


async def rpc(found: dict[str, Any], method: str, *params: Any) -> Any:
    async with JsonRpc(found["evm"]["rpc_url"]) as call:
        return await call(method, *params)


async def test_up_end_to_end(folder: Path) -> None:
    directory = folder / "data"
    with stack_in(directory) as process:
        found = await endpoints(directory, process)
        await check_contents(directory, found)
        await check_restarts(directory, found)
        found = await endpoints(directory, process)
        head = int(await rpc(found, "eth_blockNumber"), 16)
        again = await asyncio.to_thread(second_up, directory)
        assert (again.returncode, f"in use by process {process.pid}" in again.stdout) == (3, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=100) == 0
        assert not [pid for pid in all_pids(found) if not gone(pid)]
        assert not (directory / "endpoints.json").exists()
    with stack_in(directory) as process:
        later = await endpoints(directory, process)
        for key in ("api_url", "admin_api_key", "temporal_address", "postgres_dsn", "evm"):
            assert later[key] == found[key], "same ports, keys and contract"
        assert int(await rpc(later, "eth_blockNumber"), 16) >= head
        with psycopg.connect(later["postgres_dsn"]) as connection:
            assert connection.execute("SELECT count(*) FROM starts").fetchone() == (2,)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        await eventually(lambda: all(gone(member.pid) for member in family))
        assert not backends_of(directory / "postgres" / "data")


async def check_contents(directory: Path, found: dict[str, Any]) -> None:
    assert set(found) == {
        "api_url", "admin_api_key", "temporal_address", "temporal_ui_url", "temporal_namespace", "postgres_dsn",
        "evm", "upstreams", "polymarket", "polygon", "solana", "pids",
    }  # fmt: skip
    assert {name: type(value) for name, value in found["pids"].items()} == {
        "supervisor": int, "api": list, "worker": list, "signer": list, "temporal": int, "postgres": int, "evm": int,
        "upstreams": int, "polygon": int, "venue": int, "solana": int,
    }  # fmt: skip
    assert (len(found["pids"]["worker"]), len(found["admin_api_key"])) == (2, 46)
    for private in ("endpoints.json", "secrets.json"):
        assert (directory / private).stat().st_mode & 0o777 == 0o600
    secrets = json.loads((directory / "secrets.json").read_text())
    usdc, hot, gas = found["evm"]["usdc_address"], secrets["hot_wallet_address"], secrets["gas_wallet_address"]
    assert await rpc(found, "eth_getCode", usdc, "latest") != "0x"
    for wallet in (hot, gas):
        assert int(await rpc(found, "eth_getBalance", wallet, "latest"), 16) == 10**18
    private_values = [
        secrets[key]
        for key in (
            "hot_wallet_private_key", "gas_wallet_private_key", "deposit_account_xprv", "solana_platform_keypair",
        )
    ]  # fmt: skip
    holders = []
    for group in ("api", "worker", "signer"):
        for pid in found["pids"][group]:
            environment = psutil.Process(pid).environ()
            assert environment["HOLDFAST_PROFILE"] == "local"
            assert environment["PUBLIC_URL"] == found["api_url"]
            assert "SSH_AUTH_SOCK" not in environment
            if set(private_values) & set(environment.values()):
                holders.append(group)
                assert set(private_values) <= set(environment.values())
    assert holders == ["signer"]
    assert "SESSION_SECRET" in dummies.environment_of(found["api_url"] + "/api/ready")
    await check_sink(found["upstreams"]["webhook_sink_url"])
    await check_polymarket(found)


async def check_polymarket(found: dict[str, Any]) -> None:
    """The product is given the venue and the chain it settles on, and a deed there is mined here."""
    said = found["polymarket"]
    given = psutil.Process(found["pids"]["worker"][0]).environ()
    assert [given[name] for name in ("POLYMARKET_CLOB_BASE_URL", "POLYMARKET_MARKET_WS_URL", "POLYGON_CHAIN_ID")] == [
        said["clob_url"], said["market_ws_url"], str(found["polygon"]["chain_id"])
    ]  # fmt: skip
    async with aiohttp.ClientSession(headers={"User-Agent": "holdfast-test"}) as session:
        body = {"wallet": "a-leader", "token": "treaty-signed:0", "side": "BUY", "shares": "20", "price": "0.4"}
        async with session.post(f"{said['control_url']}/trade", json=body) as answer:
            tx_hash = (await answer.json())["tx_hash"]
    async with JsonRpc(found["polygon"]["rpc_url"]) as polygon:
        receipt = await polygon("eth_getTransactionReceipt", tx_hash)
    assert (receipt["status"], len(receipt["logs"])) == ("0x1", 3)


async def check_sink(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        assert (await session.post(f"{url}/faults", json={"status": 500, "times": 1})).status == 204
        statuses = [
            (await session.post(f"{url}/hooks/a", data=text, headers={"webhook-id": "7"})).status for text in "xy"
        ]
        assert statuses == [500, 204]
        items = (await (await session.get(f"{url}/deliveries")).json())["items"]
        assert [(item["body"], item["path"], item["headers"]["webhook-id"]) for item in items] == [
            ("x", "/hooks/a", "7"),
            ("y", "/hooks/a", "7"),
        ]
        assert (await session.post(f"{url}/faults", json=[])).status == 400


async def check_restarts(directory: Path, found: dict[str, Any]) -> None:
    """Every process is killed once and comes back on its port, its new pid in the file."""
    before = found["pids"]
    for group in ("postgres", "temporal", "evm", "upstreams", "polygon", "venue", "api", "worker", "signer"):
        value = before[group]
        victim = value[0] if isinstance(value, list) else value
        os.kill(victim, signal.SIGKILL)

        def replaced(group: str = group, victim: int = victim) -> bool:
            value = json.loads((directory / "endpoints.json").read_text())["pids"].get(group, [])
            return victim not in (value if isinstance(value, list) else [value]) and value not in ([], None)

        await eventually(replaced)

    async def answers() -> bool:
        await rpc(found, "eth_chainId")
        await (await psycopg.AsyncConnection.connect(found["postgres_dsn"])).close()
        await asyncio.to_thread(dummies.environment_of, found["api_url"])
        async with aiohttp.ClientSession() as session, session.get(found["temporal_ui_url"]) as answer:
            return answer.status == 200

    await eventually(answers)
    assert len(json.loads((directory / "endpoints.json").read_text())["pids"]["worker"]) == 2


def test_misuse_is_refused_before_anything_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["--without", "moon"], ["--set", "NOVALUE"], ["--speed", "0"]):
        result = CliRunner().invoke(app, ["up", "--data-dir", str(folder / "x"), *arguments])
        assert result.exit_code == 2, result.output
    monkeypatch.delenv("ARBITRUM_RPC_URL", raising=False)
    with pytest.raises(Misuse, match="ARBITRUM_RPC_URL, USDC_CONTRACT_ADDRESS"):
        Stack(folder / "y", frozenset({"evm"}))


def test_without_evm_takes_the_chain_of_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "key"
    file.write_text("0x" + "11" * 32 + "\n")
    monkeypatch.setenv("ARBITRUM_RPC_URL", "https://node.example")
    monkeypatch.setenv("USDC_CONTRACT_ADDRESS", "0x" + "22" * 20)
    monkeypatch.setenv("HOT_WALLET_PRIVATE_KEY_FILE", str(file))
    stack = Stack(folder / "y", frozenset({"evm"}))
    signer, worker = stack._signer_env(), stack._worker_env()
    assert signer["HOT_WALLET_PRIVATE_KEY"] == "0x" + "11" * 32
    assert worker["HOT_WALLET_ADDRESS"] == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    assert worker["GAS_WALLET_ADDRESS"] == stack.secrets.gas_wallet_address
    assert (worker["ARBITRUM_RPC_URL"], worker["ARBITRUM_CHAIN_ID"]) == ("https://node.example", "421614")
    assert not [name for name in worker if "PRIVATE" in name or "XPRV" in name]
    assert "evm" not in stack.endpoints({})
