"""A pool made by an ordinary wallet, at the canonical address or another."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from tests.programs.graduation_lab import AUTHORITY, RENT
from tests.programs.ledger import (
    AMM_CONFIG,
    ASSOCIATED,
    POOL_PROGRAM,
    SYSTEM,
    TOKEN,
    WRAPPED_SOL,
    associated,
    find,
    pool_call,
)


def canonical(*mints: Pubkey) -> Pubkey:
    return find(b"pool", AMM_CONFIG, *mints, program=POOL_PROGRAM)


def pool_accounts(creator: Pubkey, mint: Pubkey, sol: Pubkey, tokens: Pubkey, program: Pubkey) -> dict[str, Pubkey]:
    """Of `initialize`, for wrapped SOL and `mint` in the order of their bytes; `sol` and `tokens` are the creator's."""
    sides = sorted([(WRAPPED_SOL, sol, TOKEN), (mint, tokens, program)], key=lambda side: bytes(side[0]))
    pool = canonical(*(side[0] for side in sides))
    lp = find(b"pool_lp_mint", pool, program=POOL_PROGRAM)
    accounts = {
        "creator": creator,
        "ammConfig": AMM_CONFIG,
        "authority": AUTHORITY,
        "poolState": pool,
        "lpMint": lp,
        "creatorLpToken": associated(creator, lp),
        "createPoolFee": find(b"create_pool_fee", program=POOL_PROGRAM),
        "observationState": find(b"observation", pool, program=POOL_PROGRAM),
        "tokenProgram": TOKEN,
        "associatedTokenProgram": ASSOCIATED,
        "systemProgram": SYSTEM,
        "rent": RENT,
    }
    for index, (key, own, owner) in enumerate(sides):
        accounts |= {f"token{index}Mint": key, f"creatorToken{index}": own, f"token{index}Program": owner}
        accounts[f"token{index}Vault"] = find(b"pool_vault", pool, key, program=POOL_PROGRAM)
    return accounts


def initialize(accounts: dict[str, Pubkey], first: int, second: int, open_time: int = 0) -> Instruction:
    return pool_call("initialize", accounts, first, second, open_time)
