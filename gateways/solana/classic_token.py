"""The classic token program with Metaplex's metadata, for installations that choose it (LAUNCHPAD_TOKEN_STANDARD=spl).

No transfer fee, and wallets that do not read Token-2022 show the name. The metadata is created immutable, so its
update authority has nothing to update. The local node has no Metaplex: its bytes are proven by vectors alone.
"""

from __future__ import annotations

import struct
from typing import Final

from solders.pubkey import Pubkey

from domain.launchpad.tokens import MintFacts, TokenSpec
from domain.launchpad.transactions import Instruction, Meta
from gateways.solana.sale_addresses import RENT_SYSVAR, SPL_TOKEN, SYSTEM, derived
from gateways.solana.token_2022 import open_mint, rent, step, supply_into_vault

METAPLEX: Final = "metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s"
METAPLEX_FEE: Final = 10_000_000
"""What Metaplex takes for a metadata account on public clusters, at most."""

_MINT_SIZE, _VAULT_SIZE, _METADATA_SIZE = 82, 165, 607
_CREATE_METADATA_V3: Final = b"\x21"
_IS_METADATA: Final = 4


def metadata_address(mint: str) -> str:
    return derived(METAPLEX, b"metadata", METAPLEX, mint)


def creation_lamports(spec: TokenSpec) -> int:
    """Rents of mint, vault and metadata, and Metaplex's fee."""
    del spec  # all sizes are fixed
    return sum(rent(size) for size in (_MINT_SIZE, _VAULT_SIZE, _METADATA_SIZE)) + METAPLEX_FEE


def create_token(spec: TokenSpec) -> tuple[Instruction, ...]:
    """One atomic transaction: mint, immutable metadata, the whole supply in the vault, no authority."""
    base = bytes(Pubkey.from_string(spec.base))
    initialize = b"\x14" + bytes([spec.decimals]) + base + b"\x00"
    return (
        *open_mint(spec, rent(_MINT_SIZE), _MINT_SIZE, SPL_TOKEN),
        step(SPL_TOKEN, initialize, Meta(address=spec.mint, writable=True)),
        create_metadata(spec),
        *supply_into_vault(spec, SPL_TOKEN),
    )


def create_metadata(spec: TokenSpec) -> Instruction:
    """CreateMetadataAccountV3: no creators, collection or uses; immutable."""
    strings = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in (spec.name, spec.symbol, spec.uri))
    royalty, creators, collection, uses = bytes(2), b"\x00", b"\x00", b"\x00"
    mutable, collection_details = b"\x00", b"\x00"
    data = _CREATE_METADATA_V3 + strings + royalty + creators + collection + uses + mutable + collection_details
    return step(
        METAPLEX,
        data,
        Meta(address=metadata_address(spec.mint), writable=True),
        Meta(address=spec.mint),
        Meta(address=spec.base, signer=True),
        Meta(address=spec.payer, signer=True, writable=True),
        Meta(address=spec.base, signer=True),
        Meta(address=SYSTEM),
        Meta(address=RENT_SYSVAR),
    )


def read_mint(mint: bytes, metadata: bytes) -> MintFacts | None:
    """A mint of the classic program with its metadata account; None when either is none."""
    if len(mint) != _MINT_SIZE or mint[45] != 1 or len(metadata) < 70 or metadata[0] != _IS_METADATA:
        return None
    strings, at = [], 65
    for _ in range(3):
        size = int.from_bytes(metadata[at : at + 4], "little")
        strings.append(metadata[at + 4 : at + 4 + size].decode("utf-8", "replace").rstrip("\0"))
        at += 4 + size
    at += 2  # royalty
    count = int.from_bytes(metadata[at + 1 : at + 5], "little") if metadata[at] else 0
    at += 1 + (4 + 34 * count if metadata[at] else 0)
    mutable = metadata[at + 1] != 0  # after primary_sale_happened
    return MintFacts(
        supply=int.from_bytes(mint[36:44], "little"),
        decimals=mint[44],
        mint_authority=_option(mint[:36]),
        freeze_authority=_option(mint[46:82]),
        name=strings[0],
        symbol=strings[1],
        uri=strings[2],
        metadata_authority=str(Pubkey(metadata[1:33])) if mutable else None,
        pointer_authority=None,
        metadata_address=str(Pubkey(metadata[33:65])),
        fee=None,
        extensions=(),
    )


def _option(data: bytes) -> str | None:
    return str(Pubkey(data[4:36])) if data[:4] != bytes(4) else None
