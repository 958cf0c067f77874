"""The local Solana as a process: what a SIGKILL leaves, programs deployed by transactions, memory."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.memo.constants import MEMO_PROGRAM_ID

from localnet.svm.bank import Bank
from localnet.svm.clock import Moment
from tests.localnet.conftest import eventually
from tests.svm_lab import SOL, Deployment, blockhash, call, pays, refused, send, signed, status, value, wired
from tests.world.svm import running_svm, running_svm_process

P = {"commitment": "processed"}
C = {"commitment": "confirmed"}
MOST_MB = 120


def memo_elf() -> bytes:
    """The real memo program: an ELF that is at hand without a compiler."""
    account = Bank([], 0, Moment(1, 0)).get(MEMO_PROGRAM_ID)
    assert account is not None
    return bytes(account.data)


async def test_sigkill_loses_nothing_that_was_answered(folder: Path) -> None:
    payer = Keypair()
    async with running_svm_process(folder) as node:
        url = node.urls[0]
        await node.control("account", key=str(payer.pubkey()), lamports=100 * SOL)
        genesis, answered = await call(url, "getGenesisHash"), []

        async def go_on(number: int) -> None:
            while True:
                to = Keypair().pubkey()
                recent = await blockhash(node.urls[number])
                signature = await send(node.urls[number], signed(payer, [pays(payer, to, SOL // 100)], recent))
                answered.append((signature, to))

        for _ in range(3):
            count = len(answered)
            senders = [asyncio.create_task(go_on(number)) for number in (0, 1)]
            await eventually(lambda count=count: len(answered) >= count + 20)  # type: ignore[misc]
            before = await call(url, "getSlot", P)
            await node.kill()
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            await node.start()
            assert await call(url, "getSlot", P) >= before
            assert await call(url, "getGenesisHash") == genesis
        for signature, to in answered:
            assert (await status(url, signature))["err"] is None
            assert await value(url, "getBalance", str(to), P) == SOL // 100
        await node.control("finalize")
        landed = []
        last: dict[str, object] = {}
        while page := await call(url, "getSignaturesForAddress", str(payer.pubkey()), {"limit": 50, **last}):
            landed += page
            last = {"before": page[-1]["signature"]}
        # One that was answered to nobody may have landed as well; none landed twice.
        assert len({one["signature"] for one in landed}) == len(landed) >= len(answered)
        left = await value(url, "getBalance", str(payer.pubkey()), P)
        assert left == 100 * SOL - len(landed) * (SOL // 100 + 5_000)


async def test_a_standing_clock_goes_on_where_it_was(folder: Path) -> None:
    async with running_svm_process(folder, running=False) as node:
        url = node.urls[0]
        await node.control("warp", slots=77)
        await node.control("warp", seconds=86_400)
        payer = Keypair()
        await call(url, "requestAirdrop", str(payer.pubkey()), SOL)
        told, valid = await node.control("warp", slots=3), str(await blockhash(url))
        await node.kill()
        await node.start()
        again = await node.control("warp", slots=0)
        assert (again["slot"], again["unix_timestamp"]) == (told["slot"], told["unix_timestamp"])
        assert await value(url, "isBlockhashValid", valid, P) is True
        assert await value(url, "getBalance", str(payer.pubkey()), C) == SOL
        assert await value(url, "getBalance", str(payer.pubkey())) == 0  # what was before is still known


async def test_a_program_is_deployed_by_transactions_and_survives(folder: Path) -> None:
    payer, elf = Keypair(), memo_elf()
    deployment = Deployment(payer, elf)
    said = Instruction(deployment.program.pubkey(), b"hello", [AccountMeta(payer.pubkey(), True, False)])
    async with running_svm_process(folder, running=False) as node:
        url = node.urls[0]
        await node.control("account", key=str(payer.pubkey()), lamports=100 * SOL)
        rent = await call(url, "getMinimumBalanceForRentExemption", 37 + len(elf))
        await send(url, deployment.create_buffer(rent, await blockhash(url)))
        writes = deployment.writes(await blockhash(url))
        for write in writes[: len(writes) // 2]:
            await send(url, write)
        await node.kill()
        await node.start()
        for write in writes:  # half of them landed: the same bytes do nothing more
            await send(url, write)
        small = await call(url, "getMinimumBalanceForRentExemption", 36)
        deployed = await send(url, deployment.deploy(small, await blockhash(url)))
        assert (await status(url, deployed))["err"] is None
        early = await send(url, signed(payer, [said], await blockhash(url)))
        found = await status(url, early)
        assert found is None or found["err"] is not None  # a program runs from the slot after its deployment on
        await node.control("warp", slots=1)
        for _ in range(2):
            run = await send(url, signed(payer, [said], await blockhash(url)))
            assert (await status(url, run))["err"] is None
            await node.kill()
            await node.start()
            await node.control("warp", slots=1)
        shown = await value(url, "getAccountInfo", str(deployment.program.pubkey()), {"encoding": "base64", **P})
        assert shown["executable"] is True


async def test_programs_are_preloaded(folder: Path) -> None:
    path, program = folder / "program.so", Pubkey.new_unique()
    path.write_bytes(memo_elf())
    payer = Keypair()
    async with running_svm(folder / "svm", programs={program: path}) as svm:
        svm.fund(payer.pubkey(), SOL)
        said = Instruction(program, b"hello", [AccountMeta(payer.pubkey(), True, False)])
        signature = await send(svm.urls[0], signed(payer, [said], await blockhash(svm.urls[0])))
        assert svm.landed(signature) is None
        odd = signed(payer, [Instruction(program, b"\xff", [])], await blockhash(svm.urls[0]))
        options = {"encoding": "base64", "preflightCommitment": "processed"}
        error = await refused(svm.urls[0], "sendTransaction", wired(odd), options)
        assert error["data"]["err"] == {"InstructionError": [0, "InvalidInstructionData"]}


async def test_it_stays_small(folder: Path) -> None:
    payer = Keypair()
    async with running_svm_process(folder) as node:
        url = node.urls[0]
        await node.control("account", key=str(payer.pubkey()), lamports=100 * SOL)
        recent, begun = await blockhash(url), time.monotonic()
        for number in range(500):
            await send(url, signed(payer, [pays(payer, Keypair().pubkey(), 10**6 + number)], recent))
        taken = time.monotonic() - begun
        used = psutil.Process(node.pid).memory_info().rss / 2**20
        print(f"{used:.0f} MB, {taken * 2:.2f} ms a call with a client of its own")
        assert used < MOST_MB
