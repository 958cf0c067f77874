"""What is there before the first transaction: a faucet, the mint of wrapped SOL, programs given as files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from solders.account import Account
from solders.pubkey import Pubkey

from localnet.svm.bank import Bank
from localnet.svm.tokens import MINT_BYTES, TOKEN

FAUCET_LAMPORTS = 500_000_000 * 10**9
WRAPPED_SOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
LOADER = Pubkey.from_string("BPFLoader2111111111111111111111111111111111")
RENT_EPOCH = 2**64 - 1


def accounts(
    faucet: Pubkey, programs: Mapping[Pubkey, Path], bank: Bank, fresh: bool
) -> Iterator[tuple[Pubkey, Account]]:
    """What has to be set at a start; a program file that is another one than last time replaces it."""
    if fresh:
        yield faucet, Account(FAUCET_LAMPORTS, b"", Pubkey.default(), False, RENT_EPOCH)
        mint = bytearray(MINT_BYTES)
        mint[44], mint[45] = 9, 1
        yield WRAPPED_SOL, _exempt(bank, bytes(mint), TOKEN)
    for key, path in programs.items():
        elf = path.read_bytes()
        found = bank.get(key)
        if found is None or bytes(found.data) != elf:
            yield key, _exempt(bank, elf, LOADER, executable=True)


def _exempt(bank: Bank, data: bytes, owner: Pubkey, *, executable: bool = False) -> Account:
    rent = bank.svm.minimum_balance_for_rent_exemption(len(data))
    return Account(rent, data, owner, executable, RENT_EPOCH)
