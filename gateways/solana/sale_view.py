"""Sales as the chain has them, each with its mint, vault and vesting, read together at one finalized slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from solders.pubkey import Pubkey

from domain.launchpad.reconcile import SaleOnChain
from domain.launchpad.sale import SaleKeys, SaleState, VestingState
from domain.launchpad.solana import Account, AccountFilter
from domain.launchpad.tax_cycle import Pool, Withheld
from domain.launchpad.transactions import Instruction
from gateways.solana.sale_program import NotOurs, SaleProgram
from gateways.solana.token_2022 import read_mint, read_vault
from gateways.solana.withheld import harvest_to_mint, withheld

if TYPE_CHECKING:
    from gateways.protocols import SolanaNodes

MINT_SIZE: Final = 82
_MINT_AUTHORITY, _SUPPLY, _INITIALISED, _FREEZE_AUTHORITY = 0, 36, 45, 46
_KIND_AT: Final = 165
"""Token-2022 pads a mint to the size of a token account; then comes what it is."""
AT_ONCE: Final = 25
"""Sales in one call: four accounts each, a hundred at most."""


class SaleViews:
    """`program`: the client of the launch program."""

    def __init__(self, nodes: SolanaNodes, program: SaleProgram) -> None:
        self.nodes, self.program = nodes, program

    async def look(self, sales: Sequence[SaleKeys], *, min_slot: int | None = None) -> list[SaleOnChain]:
        """In order, not older than `min_slot`. Raises Unavailable solana_unavailable."""
        found: list[SaleOnChain] = []
        for start in range(0, len(sales), AT_ONCE):
            some = sales[start : start + AT_ONCE]
            names = [name for keys in some for name in self._names(keys)]
            accounts = await self.nodes.accounts(names, commitment="finalized", min_slot=min_slot)
            four = [accounts[at : at + 4] for at in range(0, len(accounts), 4)]
            found += [self._read(keys, *of) for keys, of in zip(some, four, strict=True)]
        return found

    async def pool(self, keys: SaleKeys) -> Pool | None:
        """What a graduated sale's pool holds; None when it cannot be read."""
        named = self.program.addresses.pool_accounts(keys.address, keys.mint, keys.token_program)
        names = [named["poolSol"], named["poolTokens"], keys.mint]
        sol, tokens, mint = await self.nodes.accounts(names, commitment="finalized")
        vaults = [read_vault(account.data) if account is not None else None for account in (sol, tokens)]
        if mint is None or vaults[0] is None or vaults[1] is None:
            return None
        facts = read_mint(mint.data)
        fee = facts.fee.bps if facts is not None and facts.fee is not None else 0
        return Pool(vaults[0].amount, vaults[1].amount, fee)

    async def withheld(self, keys: SaleKeys) -> Withheld | None:
        """What the token has withheld from transfers; None when it takes no fee."""
        mint = await self.nodes.account(keys.mint, commitment="finalized")
        facts = read_mint(mint.data) if mint is not None else None
        if mint is None or facts is None or facts.fee is None:
            return None
        of_mint = (AccountFilter(offset=0, base58=keys.mint),)
        holders = await self.nodes.program_accounts(keys.token_program, filters=of_mint, commitment="finalized")
        return withheld(mint, holders)

    def to_mint(self, keys: SaleKeys, sources: Sequence[str]) -> Instruction:
        return harvest_to_mint(keys.mint, keys.token_program, sources)

    async def newer(self, sale: str, cursor: str) -> bool:
        """Has the chain finalized transactions of a sale after this one?"""
        rows = await self.nodes.signatures_for(sale, until=cursor or None, limit=1, commitment="finalized")
        return bool(rows)

    def _names(self, keys: SaleKeys) -> tuple[str, str, str, str]:
        return keys.address, keys.mint, keys.vault, self.program.addresses.vesting(keys.address)

    def _read(
        self, keys: SaleKeys, sale: Account | None, mint: Account | None, vault: Account | None, team: Account | None
    ) -> SaleOnChain:
        base = _base(mint.data) if mint is not None and mint.owner == keys.token_program else None
        held = read_vault(vault.data) if vault is not None and vault.owner == keys.token_program else None
        whole = held is not None and held.owner == keys.address and held.mint == keys.mint
        return SaleOnChain(
            slot=max((account.slot for account in (sale, mint, vault, team) if account is not None), default=0),
            state=self._sale(sale),
            lamports=sale.lamports if sale is not None else 0,
            vault=held.amount if held is not None and whole else None,
            mint_supply=base[0] if base is not None else None,
            authorities=base[1] if base is not None else (),
            vesting=self._vesting(team),
            vesting_lamports=team.lamports if team is not None else 0,
        )

    def _sale(self, account: Account | None) -> SaleState | None:
        if account is None or account.owner != self.program.program:
            return None
        try:
            return self.program.read_sale(account.address, account.data)
        except NotOurs:
            return None

    def _vesting(self, account: Account | None) -> VestingState | None:
        if account is None or account.owner != self.program.program:
            return None
        try:
            return self.program.read_vesting(account.data)
        except NotOurs:
            return None


def _base(data: bytes) -> tuple[int, tuple[str, ...]] | None:
    """Supply and authorities of a mint of either token program; None when it is no mint."""
    plain = len(data) == MINT_SIZE or data[_KIND_AT : _KIND_AT + 1] == b"\x01"
    if len(data) < MINT_SIZE or not plain or data[_INITIALISED] != 1:
        return None
    authorities = [
        str(Pubkey(data[at + 4 : at + 36])) for at in (_MINT_AUTHORITY, _FREEZE_AUTHORITY) if any(data[at : at + 4])
    ]
    return int.from_bytes(data[_SUPPLY : _SUPPLY + 8], "little"), tuple(authorities)
