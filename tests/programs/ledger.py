"""A ledger with the real token programs and ours in it: LiteSVM, wallets, calls by the names of the IDL."""

from __future__ import annotations

import base64
import re
import struct
from typing import Any

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from localnet.svm.programs import PROGRAMS
from programs import build
from programs.interface import EVENT
from tests.programs.interface import LAUNCHPAD, POOL, Interface

BUILT = build.HERE
SOL = 10**9
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
SYSTEM = Pubkey.default()
FEE = 5_000
"""Lamports per signature."""
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
WRAPPED_SOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
PROGRAM = Pubkey.from_string("HFLaunch11111111111111111111111111111111111")
POOL_PROGRAM = Pubkey.from_string(PROGRAMS["pool"].address)
FEES = {"tradeFeeRate": 2_500, "protocolFeeRate": 120_000, "fundFeeRate": 40_000, "createPoolFee": 150_000_000}
"""The one configuration the pool program has."""
START = 1_800_000_000
FEE_BPS = 100
MILLION = 10**6 * 10**6

Failure = str
"""The name of the program's error, or the runtime's words."""


class Refused(AssertionError):
    """A transaction failed: `.args[0]` is the Failure."""


class Ledger:
    """Sends instructions; every transaction on a blockhash of its own."""

    sent: MessageV0
    """The last one."""

    def __init__(self) -> None:
        self.svm, self._made = LiteSVM(), 0
        self._met: set[Pubkey] = set()
        self._brought, self._fees = 0, 0
        self.svm.add_program_from_file(PROGRAM, BUILT / "launchpad" / "launchpad.so")
        self.svm.add_program_from_file(POOL_PROGRAM, BUILT / "pool" / "pool.so")
        mint = bytearray(82)
        mint[44], mint[45] = 9, 1
        self.svm.set_account(WRAPPED_SOL, Account(SOL, bytes(mint), TOKEN))
        self.payer = self.wallet(10_000 * SOL)
        self.set_time(START)
        config = {"owner": self.payer.pubkey(), "ammConfig": AMM_CONFIG, "systemProgram": SYSTEM}
        self.send(pool_call("createAmmConfig", config, 0, *FEES.values()))

    def keys(self) -> Keypair:
        """The same in every run: addresses decide how long finding a derived one takes."""
        self._made += 1
        return Keypair.from_seed(self._made.to_bytes(32, "big"))

    def wallet(self, lamports: int = 1_000 * SOL) -> Keypair:
        keys = self.keys()
        self.svm.airdrop(keys.pubkey(), lamports)
        return keys

    def set_time(self, seconds: int) -> None:
        clock = self.svm.get_clock()
        clock.unix_timestamp = seconds
        self.svm.set_clock(clock)

    def send(self, *instructions: Instruction, signers: list[Keypair] | None = None) -> TransactionMetadata:
        """What the transaction did.

        Raises: Refused.
        """
        self.svm.expire_blockhash()
        every = [set_compute_unit_limit(1_400_000), *instructions]
        message = MessageV0.try_compile(self.payer.pubkey(), every, [], self.svm.latest_blockhash())
        keys = {key.pubkey(): key for key in [self.payer, *(signers or [])]}
        needed = message.account_keys[: message.header.num_required_signatures]
        self._meet(message.account_keys, len(needed))
        self.sent = message
        result = self.svm.send_transaction(VersionedTransaction(message, [keys[key] for key in needed]))
        if isinstance(result, FailedTransactionMetadata):
            raise Refused(_reason(result))
        return result

    def _meet(self, keys: list[Pubkey], signatures: int) -> None:
        for key in set(keys) - self._met:
            self._met.add(key)
            self._brought += self.lamports(key)
        self._fees += FEE * signatures

    def lost(self) -> int:
        """Lamports that came with accounts transactions named, are in none of them now and were no fee."""
        return self._brought - self._fees - sum(self.lamports(key) for key in self._met)

    def lamports(self, key: Pubkey) -> int:
        return self.svm.get_balance(key) or 0

    def data(self, key: Pubkey) -> bytes:
        account = self.svm.get_account(key)
        return bytes(account.data) if account else b""

    def tokens(self, account: Pubkey) -> int:
        return int(struct.unpack_from("<Q", self.data(account), 64)[0])


def _reason(result: FailedTransactionMetadata) -> Failure:
    """The error's name in the program that failed first, which may be one that was called."""
    error = getattr(result.err(), "err", result.err())
    code, logs = getattr(error, "code", None), result.meta().logs()
    if not isinstance(code, int):
        return f"{error} {logs[-2:]}"
    failed = re.search(r"Program (\w+) failed: custom", "\n".join(logs))
    named = {str(PROGRAM): LAUNCHPAD.errors, str(POOL_PROGRAM): POOL.errors}.get(failed[1] if failed else "", {})
    return named.get(code, str(code))


def _metas(idl: Interface, name: str, accounts: dict[str, Pubkey], unsigned: tuple[str, ...]) -> list[AccountMeta]:
    return [
        AccountMeta(accounts[a["name"]], a["isSigner"] and a["name"] not in unsigned, a["isMut"])
        for a in idl.instruction(name)["accounts"]
    ]


def call(name: str, accounts: dict[str, Pubkey], *arguments: Any, unsigned: tuple[str, ...] = ()) -> Instruction:
    """An instruction of the launch program with the flags its IDL gives; names in `unsigned` do not sign."""
    accounts = {"program": PROGRAM, **accounts}
    return Instruction(PROGRAM, LAUNCHPAD.call_data(name, *arguments), _metas(LAUNCHPAD, name, accounts, unsigned))


def pool_call(name: str, accounts: dict[str, Pubkey], *arguments: Any, unsigned: tuple[str, ...] = ()) -> Instruction:
    """The same of the pool program."""
    return Instruction(POOL_PROGRAM, POOL.call_data(name, *arguments), _metas(POOL, name, accounts, unsigned))


def find(*seeds: bytes | Pubkey, program: Pubkey = PROGRAM) -> Pubkey:
    return Pubkey.find_program_address([bytes(seed) for seed in seeds], program)[0]


AMM_CONFIG = find(b"amm_config", bytes(2), program=POOL_PROGRAM)


def associated(owner: Pubkey, mint: Pubkey, token_program: Pubkey = TOKEN) -> Pubkey:
    return find(owner, token_program, mint, program=ASSOCIATED)


def events(done: TransactionMetadata) -> list[tuple[str, dict[str, Any]]]:
    """What the launch program told, in order, of a transaction nobody cheats in."""
    calls = [bytes(one.instruction().data) for group in done.inner_instructions() for one in group]
    found = [LAUNCHPAD.read_event(data[8:]) for data in calls if data.startswith(EVENT)]
    assert None not in found
    return [event for event in found if event is not None]


def swaps(done: TransactionMetadata) -> list[tuple[str, dict[str, Any]]]:
    """What the pool program told, which as Raydium's does so in the logs."""
    prefix = "Program data: "
    raw = [base64.b64decode(line[len(prefix) :]) for line in done.logs() if line.startswith(prefix)]
    return [event for event in map(POOL.read_event, raw) if event is not None]
