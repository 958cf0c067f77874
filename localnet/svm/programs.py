"""Our programs on the local Solana: where they stand at genesis, the faucet, the pool program's configuration."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from domain.shared.base58 import encode

_BUILT: Final = Path(__file__).resolve().parents[2] / "programs"
_SYSTEM: Final = "11111111111111111111111111111111"
_FEES: Final = (2_500, 120_000, 40_000, 150_000_000)
"""Raydium CPMM's first configuration: trade, protocol and fund rate in 10^-6; lamports a new pool costs."""


class Program(NamedTuple):
    """`address`: the same on every local node; a real cluster has its own."""

    address: str
    elf: Path


def _program(name: str) -> Program:
    return Program(encode(hashlib.sha256(f"holdfast local {name}".encode()).digest()), _BUILT / name / f"{name}.so")


PROGRAMS: Final = {name: _program(name) for name in ("launchpad", "pool")}


async def airdrop(url: str, address: str, lamports: int) -> None:
    """Tops the wallet up to `lamports`; again after a restart it adds what is missing and nothing else."""
    async with aiohttp.ClientSession() as session:
        held = await _call(session, url, "getBalance", [address, {"commitment": "processed"}])
        missing = lamports - held["value"]
        if missing > 0:
            await _call(session, url, "requestAirdrop", [address, missing])


async def configure_pools(url: str) -> None:
    """Creates the configuration that pools refer to; a node that has it is left alone.

    Raises: RuntimeError when the node refuses, TimeoutError when it is not there within ten seconds.
    """
    from solders.hash import Hash  # a quarter of a second to import, and `up` needs it only here
    from solders.instruction import AccountMeta, Instruction
    from solders.keypair import Keypair
    from solders.pubkey import Pubkey
    from solders.transaction import Transaction

    program = Pubkey.from_string(PROGRAMS["pool"].address)
    config, _ = Pubkey.find_program_address([b"amm_config", (0).to_bytes(2, "big")], program)
    async with aiohttp.ClientSession() as session:
        if await _exists(session, url, str(config)):
            return
        owner = Keypair()
        await _call(session, url, "requestAirdrop", [str(owner.pubkey()), 10**9])
        data = hashlib.sha256(b"global:create_amm_config").digest()[:8] + (0).to_bytes(2, "little")
        data += b"".join(number.to_bytes(8, "little") for number in _FEES)
        accounts = [
            AccountMeta(owner.pubkey(), is_signer=True, is_writable=True),
            AccountMeta(config, is_signer=False, is_writable=True),
            AccountMeta(Pubkey.from_string(_SYSTEM), is_signer=False, is_writable=False),
        ]
        latest = await _call(session, url, "getLatestBlockhash", [{"commitment": "processed"}])
        signed = Transaction.new_signed_with_payer(
            [Instruction(program, data, accounts)],
            owner.pubkey(),
            [owner],
            Hash.from_string(latest["value"]["blockhash"]),
        )
        wire = base64.b64encode(bytes(signed)).decode()
        await _call(session, url, "sendTransaction", [wire, {"encoding": "base64", "skipPreflight": True}])
        for _ in range(100):
            if await _exists(session, url, str(config)):
                return
            await asyncio.sleep(0.1)
    raise TimeoutError("the pool program has no configuration")


async def _exists(session: aiohttp.ClientSession, url: str, address: str) -> bool:
    asked: list[object] = [address, {"commitment": "processed", "encoding": "base64"}]
    return (await _call(session, url, "getAccountInfo", asked))["value"] is not None


async def _call(session: aiohttp.ClientSession, url: str, method: str, params: list[object]) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with session.post(url, json=body) as answer:
        told = await answer.json()
    if "error" in told:
        raise RuntimeError(f"{method}: {told['error']}")
    return told["result"]
