"""The addresses that the launch program and its pool derive: from a sale, a wallet, a mint.

Source: docs/concepts/sale_program.md (seeds); chains.md 3.2 (the pool's).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

ASSOCIATED: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
SYSTEM: Final = "11111111111111111111111111111111"
WRAPPED_SOL: Final = "So11111111111111111111111111111111111111112"
SPL_TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
RENT_SYSVAR: Final = "SysvarRent111111111111111111111111111111111"
_RAYDIUM_FEE_ACCOUNTS: Final = {
    "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C": "DNXgeM9EiiaAbaWvwjHj9fQQLAX5ZsfHyvmYUNRAdNC8",
    "DRaycpLY18LhpbydsBWbVJtxpNv9oXPgjRSfpF2bWpYb": "3oE58BKVt8KuYkGxx8zBojugnymWmBiyafWgMrnb6eYy",
}


@lru_cache(maxsize=4096)
def derived(program: str, *seeds: bytes | str) -> str:
    """The canonical address of `seeds` (bytes as they are, text an address) under a program."""
    parts = [seed if isinstance(seed, bytes) else bytes(Pubkey.from_string(seed)) for seed in seeds]
    return str(Pubkey.find_program_address(parts, Pubkey.from_string(program))[0])


def associated(owner: str, mint: str, token_program: str) -> str:
    """The token account every wallet has for a mint."""
    return derived(ASSOCIATED, owner, token_program, mint)


class SaleAddresses:
    """Of one deployment of the launch program."""

    def __init__(self, program: str, pool_program: str) -> None:
        self.program, self.pool_program = program, pool_program

    def sale(self, mint: str, creator: str, platform: str) -> str:
        return derived(self.program, b"sale", mint, creator, platform)

    def position(self, sale: str, buyer: str) -> str:
        return derived(self.program, b"position", sale, buyer)

    def referral(self, user: str) -> str:
        return derived(self.program, b"referral", user)

    def vesting(self, sale: str) -> str:
        return derived(self.program, b"vesting", sale)

    def amm_config(self, index: int = 0) -> str:
        return derived(self.pool_program, b"amm_config", index.to_bytes(2, "big"))

    def pool(self, sale: str) -> str:
        return derived(self.program, b"pool", sale)

    def pool_accounts(self, sale: str, mint: str, token_program: str) -> dict[str, str]:
        """Every account of the pool a sale graduates into, by its name in the IDL."""
        pool, creator = self.pool(sale), derived(self.program, b"pool_creator", sale)
        lp_mint = derived(self.pool_program, b"pool_lp_mint", pool)
        return {
            "pool": pool,
            "poolCreator": creator,
            "poolProgram": self.pool_program,
            "ammConfig": self.amm_config(),
            "poolAuthority": derived(self.pool_program, b"vault_and_lp_mint_auth_seed"),
            "lpMint": lp_mint,
            "creatorSol": associated(creator, WRAPPED_SOL, SPL_TOKEN),
            "creatorTokens": associated(creator, mint, token_program),
            "creatorLp": associated(creator, lp_mint, SPL_TOKEN),
            "poolSol": derived(self.pool_program, b"pool_vault", pool, WRAPPED_SOL),
            "poolTokens": derived(self.pool_program, b"pool_vault", pool, mint),
            "createPoolFee": _RAYDIUM_FEE_ACCOUNTS.get(self.pool_program)
            or derived(self.pool_program, b"create_pool_fee"),
            "observation": derived(self.pool_program, b"observation", pool),
            "solMint": WRAPPED_SOL,
            "splTokenProgram": SPL_TOKEN,
            "associatedTokenProgram": ASSOCIATED,
            "systemProgram": SYSTEM,
            "rent": RENT_SYSVAR,
        }
