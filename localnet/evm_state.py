"""Keeps the state of the local chain on disk, and small.

The keeper follows the new heads and takes a dump after every block with a transaction, and every second or two
otherwise, so a SIGKILL of the node steps it back by a few empty blocks at most. A dump is one file, replaced by rename;
the one before it stays beside it in case a power cut spoiled the new one.

A dump is only kept when no block with a transaction was mined while it was taken: anvil reads blocks and accounts one
after the other, and a dump across such a block would hold its effects without the block.

anvil cannot forget old blocks while it runs. ``restore`` drops the old empty ones, and ``on_full`` asks the supervisor
for a restart (a third of a second, no block lost) once there are too many.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from localnet.files import write_atomically
from localnet.jsonrpc import JsonRpc, RpcError

EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
KEPT_BLOCKS = 2_400  # ten minutes; older ones stay only if they hold a transaction
FULL_AT = 12_000  # blocks in memory; a dump then takes about 0.15 s
LEAST_PAUSE, LONGEST_PAUSE = 1.5, 3.5  # seconds between dumps of an idle chain; 3.5 s is less than `safe` lags
IDLE_DUTY = 15  # an idle chain spends at most 1/15 of its time dumping
BUSY_DUTY, BUSY_PAUSE = 5, 1.0  # a busy one at most 1/5, and is never a second behind


class StateLost(Exception):
    """Neither the saved state nor the one before it can be read."""


def previous(archive: Path) -> Path:
    """Where the dump before the last one lies."""
    return archive.with_name(f"previous-{archive.name}")


def restore(archive: Path, target: Path) -> int:
    """Writes the last readable dump to ``target`` without its old empty blocks; returns how many blocks it has."""
    broken: list[str] = []
    for path in (archive, previous(archive)):
        if not path.exists():
            continue
        try:
            state = json.loads(gzip.decompress(path.read_bytes()))
            state["blocks"] = _worth_keeping(state["blocks"], int(state["best_block_number"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            broken.append(f"{path}: {error}")
            continue
        write_atomically(target, json.dumps(state, separators=(",", ":")).encode())
        return len(state["blocks"])
    if broken:
        raise StateLost("the saved chain cannot be read, move it away to start a new one: " + "; ".join(broken))
    return 0


def _worth_keeping(blocks: list[dict[str, Any]], best: int) -> list[dict[str, Any]]:
    def kept(block: dict[str, Any]) -> bool:
        number = int(block["header"]["number"], 16)
        return number == 0 or number > best - KEPT_BLOCKS or bool(block["transactions"])

    return [block for block in blocks if kept(block)]


class StateKeeper:
    """Saves the state of one running node; survives its restarts."""

    def __init__(
        self,
        rpc_url: str,
        ws_url: str,
        archive: Path,
        kept: Callable[[], int],
        on_full: Callable[[], None] | None = None,
    ) -> None:
        self._rpc = JsonRpc(rpc_url)
        self._ws_url = ws_url
        self._archive = archive
        self._kept = kept
        self._on_full = on_full
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._saved_at = 0.0
        self._idle_pause = LEAST_PAUSE
        self._busy_pause = 0.0
        self._unsaved_transactions = True
        self._first_head: int | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="keep the state of the local chain")

    async def close(self) -> None:
        """Ends the background work; saves nothing."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._rpc.close()

    async def settle(self) -> None:
        """Stops interval mining and saves; for an orderly stop of the node."""
        await self._rpc("evm_setIntervalMining", 0)
        for _ in range(10):
            if await self.save():
                return

    async def save(self) -> bool:
        """Takes one dump; False when it could not be taken cleanly and the caller should try again."""
        async with self._lock:
            began = time.monotonic()
            before = await self._rpc("eth_getBlockByNumber", "latest", False)
            dump = await self._rpc("anvil_dumpState")
            if not await self._quiet_since(before):
                return False
            await asyncio.to_thread(self._write, bytes.fromhex(dump[2:]))
            self._saved_at = time.monotonic()
            took = self._saved_at - began
            self._idle_pause = min(max(LEAST_PAUSE, IDLE_DUTY * took), LONGEST_PAUSE)
            self._busy_pause = min(BUSY_DUTY * took, BUSY_PAUSE)
            self._unsaved_transactions = False
            return True

    async def _quiet_since(self, before: dict[str, Any]) -> bool:
        """True when ``before`` is still on the chain and only empty blocks came after it."""
        after = await self._rpc("eth_getBlockByNumber", "latest", False)
        if after["hash"] == before["hash"]:
            return True
        first, last = int(before["number"], 16), int(after["number"], 16)
        for number in range(first, last + 1):
            block = await self._rpc("eth_getBlockByNumber", hex(number), False)
            if block is None or (block["hash"] != before["hash"] if number == first else block["transactions"]):
                return False
        return last >= first

    def _write(self, dump: bytes) -> None:
        if self._archive.exists():
            spare = previous(self._archive)
            fresh = spare.with_name(f".{spare.name}.new")
            fresh.unlink(missing_ok=True)
            os.link(self._archive, fresh)
            os.replace(fresh, spare)
        write_atomically(self._archive, dump)

    async def _follow(self) -> None:
        """Reads new heads from a socket; reconnects when the node was restarted."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, RpcError, OSError, ValueError, TimeoutError):
                async with aiohttp.ClientSession() as session, session.ws_connect(self._ws_url) as socket:
                    self._first_head = None
                    await socket.send_json(
                        {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
                    )
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            await self._on_message(json.loads(message.data))
            await asyncio.sleep(0.1)

    async def _on_message(self, message: dict[str, Any]) -> None:
        head = message.get("params", {}).get("result")
        if not isinstance(head, dict):
            return
        self._unsaved_transactions |= head["transactionsRoot"] != EMPTY_ROOT
        pause = self._busy_pause if self._unsaved_transactions else self._idle_pause
        if time.monotonic() - self._saved_at >= pause:
            await self.save()
        number = int(head["number"], 16)
        self._first_head = number if self._first_head is None else self._first_head
        if self._on_full is not None and self._kept() + number - self._first_head >= FULL_AT:
            self._first_head = number
            self._on_full()
