"""The token of a launch: what is to stand on the chain, what stands there, and how the two differ.

Nobody can add to the supply, freeze an account, rename the token or change its transfer fee: every authority is none
from its first transaction on. The whole supply is minted into the vault of the sale.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

FEE_MOST: Final = 2**64 - 1
"""The fee of one transfer has no other limit than its rate."""
TRANSFER_FEE, POINTER, METADATA = 1, 18, 19
"""Token-2022's numbers of the extensions a launch uses; a mint with any other is not ours."""


class TokenSpec(BaseModel):
    """`base`: signs, and names the mint together with `seed`, so that no key of the mint exists. `witness`: signs too,
    so that nothing lands that was not handed in here first. `owner`: the sale; holds the vault and collects the
    withheld transfer fees."""

    model_config = ConfigDict(frozen=True)
    mint: str
    base: str
    seed: str
    payer: str
    witness: str
    owner: str
    vault: str
    name: str
    symbol: str
    uri: str
    decimals: int
    supply: int
    fee_bps: int = 0
    classic: bool = False
    """The classic token program with Metaplex's metadata: without transfer fee."""


class FeeFacts(NamedTuple):
    """The transfer fee of a mint. `changes`: another rate is announced for a later epoch."""

    bps: int
    most: int
    changes: bool
    authority: str | None
    collector: str | None


class MintFacts(NamedTuple):
    """A mint as its account says. `extensions`: numbers of every extension it has."""

    supply: int
    decimals: int
    mint_authority: str | None
    freeze_authority: str | None
    name: str | None
    symbol: str | None
    uri: str | None
    metadata_authority: str | None
    pointer_authority: str | None
    metadata_address: str | None
    fee: FeeFacts | None
    extensions: tuple[int, ...]


class VaultFacts(NamedTuple):
    """A token account as its account says."""

    mint: str
    owner: str
    amount: int
    delegate: str | None
    close_authority: str | None


def mint_differences(spec: TokenSpec, found: MintFacts, *, sold: bool = False) -> list[str]:
    """What of the mint is not as it was asked for; empty: all is. `sold`: tokens may have been burned since."""
    fee = found.fee
    extensions = (TRANSFER_FEE, POINTER, METADATA) if spec.fee_bps else () if spec.classic else (POINTER, METADATA)
    pairs: list[tuple[str, object, object]] = [
        ("decimals", found.decimals, spec.decimals),
        ("name", found.name, spec.name),
        ("symbol", found.symbol, spec.symbol),
        ("uri", found.uri, spec.uri),
        ("metadata address", found.metadata_address, spec.mint),
        ("mint authority", found.mint_authority, None),
        ("freeze authority", found.freeze_authority, None),
        ("metadata authority", found.metadata_authority, None),
        ("pointer authority", found.pointer_authority, None),
        ("transfer fee", fee.bps if fee else 0, spec.fee_bps),
        ("announced fee", fee.changes if fee else False, False),
        ("fee authority", fee.authority if fee else None, None),
        ("fee collector", fee.collector if fee else None, spec.owner if spec.fee_bps else None),
        ("extensions", tuple(sorted(found.extensions)), extensions),
    ]
    wrong = [f"{name} is {is_}, not {wanted}" for name, is_, wanted in pairs if is_ != wanted]
    if found.supply > spec.supply or (not sold and found.supply != spec.supply):
        wrong.append(f"supply is {found.supply}, not {spec.supply}")
    return wrong


def vault_differences(spec: TokenSpec, found: VaultFacts) -> list[str]:
    """What of the vault is not as it was asked for; its amount is the sale's affair."""
    pairs: list[tuple[str, object, object]] = [
        ("vault's mint", found.mint, spec.mint),
        ("vault's owner", found.owner, spec.owner),
        ("vault's delegate", found.delegate, None),
        ("vault's close authority", found.close_authority, None),
    ]
    return [f"{name} is {is_}, not {wanted}" for name, is_, wanted in pairs if is_ != wanted]
