"""What a transaction says, read from its bytes: whom it names and may write to, its fees, its durable nonce."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from solders.account import Account
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"
SYSTEM = Pubkey.default()
BUILTIN = frozenset(
    {
        COMPUTE_BUDGET, str(SYSTEM), "Vote111111111111111111111111111111111111111",
        "BPFLoader1111111111111111111111111111111111", "BPFLoader2111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111", "LoaderV411111111111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111", "Ed25519SigVerify111111111111111111111111111",
    }
)  # fmt: skip
FEE_PER_SIGNATURE = 5_000
BUILTIN_UNITS, DEFAULT_UNITS, MOST_UNITS = 3_000, 200_000, 1_400_000
NONCE_BYTES = 80
TABLE_HEAD = 56

Find = Callable[[Pubkey], Account | None]


@dataclass(frozen=True)
class Loaded:
    """The keys of a transaction in the order instructions count them: those of the message, then of the tables."""

    keys: tuple[Pubkey, ...]
    writable: tuple[int, ...]
    from_tables: tuple[tuple[Pubkey, ...], tuple[Pubkey, ...]] = ((), ())

    def written(self) -> list[Pubkey]:
        return [self.keys[index] for index in self.writable]


def is_v0(transaction: VersionedTransaction) -> bool:
    return not isinstance(transaction.message, Message)


def may_write(message: Message | MessageV0, index: int) -> bool:
    """By the header alone: a cluster also takes the right away from programs and sysvars, which nobody misses."""
    header = message.header
    signers = header.num_required_signatures
    if index < signers:
        return index < signers - header.num_readonly_signed_accounts
    return index < len(message.account_keys) - header.num_readonly_unsigned_accounts


def loaded(transaction: VersionedTransaction, find: Find) -> Loaded:
    """Resolves address lookup tables; indexes beyond a table are left out (the bank refuses such a transaction)."""
    message = transaction.message
    keys = tuple(message.account_keys)
    writable = [index for index in range(len(keys)) if may_write(message, index)]
    first: list[Pubkey] = []
    rest: list[Pubkey] = []
    for lookup in getattr(message, "address_table_lookups", ()):
        table = find(lookup.account_key)
        data = b"" if table is None else table.data[TABLE_HEAD:]
        known = [Pubkey.from_bytes(data[at : at + 32]) for at in range(0, len(data) // 32 * 32, 32)]
        first += [known[index] for index in lookup.writable_indexes if index < len(known)]
        rest += [known[index] for index in lookup.readonly_indexes if index < len(known)]
    writable += range(len(keys), len(keys) + len(first))
    return Loaded((*keys, *first, *rest), tuple(writable), (tuple(first), tuple(rest)))


def base_fee(transaction: VersionedTransaction) -> int:
    return FEE_PER_SIGNATURE * transaction.message.header.num_required_signatures


def _budget(transaction: VersionedTransaction) -> tuple[int, int]:
    """The compute unit limit, asked or by default, and the price of a unit in micro-lamports."""
    message = transaction.message
    limit, price, units = None, 0, 0
    for instruction in message.instructions:
        program = str(message.account_keys[instruction.program_id_index])
        units += BUILTIN_UNITS if program in BUILTIN else DEFAULT_UNITS
        if program != COMPUTE_BUDGET:
            continue
        data = bytes(instruction.data)
        if data[:1] == b"\x02" and len(data) == 5:
            limit = int.from_bytes(data[1:], "little")
        elif data[:1] == b"\x03" and len(data) == 9:
            price = int.from_bytes(data[1:], "little")
    return min(units if limit is None else limit, MOST_UNITS), price


def unit_price(transaction: VersionedTransaction) -> int:
    """Micro-lamports a compute unit."""
    return _budget(transaction)[1]


def priority_fee(transaction: VersionedTransaction) -> int:
    """Lamports, rounded up."""
    limit, price = _budget(transaction)
    return -(-limit * price // 1_000_000)


def signs(message: Message | MessageV0, index: int) -> bool:
    return index < message.header.num_required_signatures


def nonce_account(transaction: VersionedTransaction) -> Pubkey | None:
    """The account whose nonce the first instruction advances, if it does that."""
    message = transaction.message
    if not message.instructions:
        return None
    first = message.instructions[0]
    indexes = bytes(first.accounts)
    if message.account_keys[first.program_id_index] != SYSTEM or bytes(first.data[:4]) != b"\x04\0\0\0" or not indexes:
        return None
    if indexes[0] >= len(message.account_keys) or not may_write(message, indexes[0]):
        return None
    return message.account_keys[indexes[0]]


def authorised(transaction: VersionedTransaction, account: Account) -> bool:
    """Does the nonce's authority sign the instruction that advances it?"""
    message = transaction.message
    indexes = bytes(message.instructions[0].accounts)
    signers = {bytes(message.account_keys[index]) for index in indexes if signs(message, index)}
    return bytes(account.data[8:40]) in signers


def nonce_of(account: Account | None) -> bytes | None:
    """The nonce an initialised nonce account holds."""
    if account is None or account.owner != SYSTEM or len(account.data) != NONCE_BYTES or account.data[4] != 1:
        return None
    return bytes(account.data[40:72])


def durable(blockhash: bytes) -> bytes:
    """The nonce that is made of a blockhash."""
    return hashlib.sha256(b"DURABLE_NONCE" + blockhash).digest()


def advanced(account: Account, following: bytes) -> Account:
    """The nonce account after a transaction that failed: the cluster advances it all the same."""
    data = account.data[:40] + following + account.data[72:]
    return Account(account.lamports, data, account.owner, account.executable, account.rent_epoch)
