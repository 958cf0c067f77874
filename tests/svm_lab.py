"""What the tests of the local Solana share: raw calls, signed transfers, mints, a program to deploy."""

from __future__ import annotations

import base64
import itertools
import struct
from collections.abc import Sequence
from typing import Any

import httpx
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.transaction import VersionedTransaction
from spl.token import instructions as spl

SOL = 10**9
LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
CHUNK = 900
_numbers = itertools.count(1)


async def envelope(url: str, method: str, *params: Any) -> dict[str, Any]:
    """The whole answer to one call."""
    body = {"jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": list(params)}
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # no CA store to load for each call
        answer: dict[str, Any] = (await client.post(url, json=body, timeout=10)).json()
        assert answer["id"] == body["id"]
        return answer


async def call(url: str, method: str, *params: Any) -> Any:
    """The ``result``; an error is an AssertionError."""
    told = await envelope(url, method, *params)
    assert "error" not in told, told
    return told["result"]


async def value(url: str, method: str, *params: Any) -> Any:
    return (await call(url, method, *params))["value"]


async def refused(url: str, method: str, *params: Any) -> dict[str, Any]:
    """The ``error``."""
    told = await envelope(url, method, *params)
    assert "result" not in told, told
    error: dict[str, Any] = told["error"]
    return error


async def blockhash(url: str, commitment: str = "processed") -> Hash:
    found = await value(url, "getLatestBlockhash", {"commitment": commitment})
    return Hash.from_string(found["blockhash"])


def signed(
    payer: Keypair, steps: Sequence[Instruction], recent: Hash, others: Sequence[Keypair] = ()
) -> VersionedTransaction:
    return VersionedTransaction(MessageV0.try_compile(payer.pubkey(), list(steps), [], recent), [payer, *others])


def pays(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def wired(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


SKIP = {"encoding": "base64", "skipPreflight": True}


async def send(url: str, transaction: VersionedTransaction, **options: Any) -> str:
    """Its signature; without preflight unless told otherwise."""
    sent: str = await call(url, "sendTransaction", wired(transaction), {**SKIP, **options})
    return sent


async def status(url: str, signature: str, *, search: bool = True) -> Any:
    """Its entry in getSignatureStatuses."""
    found = await value(url, "getSignatureStatuses", [signature], {"searchTransactionHistory": search})
    return found[0]


def mint_steps(payer: Keypair, mint: Keypair, program: Pubkey, units: int, rent: int) -> list[Instruction]:
    """A mint of six decimals and its supply in the payer's token account."""
    holder = payer.pubkey()
    account = spl.get_associated_token_address(holder, mint.pubkey(), program)
    made = CreateAccountParams(from_pubkey=holder, to_pubkey=mint.pubkey(), lamports=rent, space=82, owner=program)
    minted = spl.MintToParams(program_id=program, mint=mint.pubkey(), dest=account, mint_authority=holder, amount=units)
    return [
        create_account(made),
        Instruction(program, bytes([20, 6]) + bytes(holder) + b"\0", [AccountMeta(mint.pubkey(), False, True)]),
        spl.create_associated_token_account(holder, holder, mint.pubkey(), program),
        spl.mint_to(minted),
    ]


class Deployment:
    """The transactions that bring an ELF onto the chain through the upgradeable loader."""

    def __init__(self, payer: Keypair, elf: bytes) -> None:
        self.payer, self.elf = payer, elf
        self.buffer, self.program = Keypair(), Keypair()
        self.data = Pubkey.find_program_address([bytes(self.program.pubkey())], LOADER)[0]

    def create_buffer(self, rent: int, recent: Hash) -> VersionedTransaction:
        me, buffer = self.payer.pubkey(), self.buffer.pubkey()
        made = CreateAccountParams(
            from_pubkey=me, to_pubkey=buffer, lamports=rent, space=37 + len(self.elf), owner=LOADER
        )
        begun = Instruction(
            LOADER, struct.pack("<I", 0), [AccountMeta(buffer, False, True), AccountMeta(me, False, False)]
        )
        return signed(self.payer, [create_account(made), begun], recent, [self.buffer])

    def writes(self, recent: Hash) -> list[VersionedTransaction]:
        me, buffer = self.payer.pubkey(), self.buffer.pubkey()
        found = []
        for offset in range(0, len(self.elf), CHUNK):
            chunk = self.elf[offset : offset + CHUNK]
            told = struct.pack("<IIQ", 1, offset, len(chunk)) + chunk
            step = Instruction(LOADER, told, [AccountMeta(buffer, False, True), AccountMeta(me, True, False)])
            found.append(signed(self.payer, [step], recent))
        return found

    def deploy(self, rent: int, recent: Hash) -> VersionedTransaction:
        me, program = self.payer.pubkey(), self.program.pubkey()
        made = CreateAccountParams(from_pubkey=me, to_pubkey=program, lamports=rent, space=36, owner=LOADER)
        accounts = [
            AccountMeta(me, True, True), AccountMeta(self.data, False, True), AccountMeta(program, False, True),
            AccountMeta(self.buffer.pubkey(), False, True), AccountMeta(RENT, False, False),
            AccountMeta(CLOCK, False, False), AccountMeta(Pubkey.default(), False, False), AccountMeta(me, True, False),
        ]  # fmt: skip
        step = Instruction(LOADER, struct.pack("<IQ", 2, len(self.elf)), accounts)
        return signed(self.payer, [create_account(made), step], recent, [self.program])
