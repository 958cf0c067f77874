"""The classic token of a launch: on the real token program, beside Metaplex's metadata by byte vectors."""

from __future__ import annotations

import base64
import struct

import pytest
from solders.pubkey import Pubkey

from domain.launchpad import tokens
from domain.launchpad.tokens import TokenSpec
from gateways.solana import classic_token, token_2022
from gateways.solana.sale_addresses import SPL_TOKEN, associated
from tests.programs.lab import Ledger
from tests.programs.test_launch_token import built

MINT = "8JvTnYxRhYmFzMWw8UoN6tGdYHi1xTqJmVvBz2R1mKAF"


def spec(ledger: Ledger, base: str, platform: str) -> TokenSpec:
    sale = str(ledger.keys().pubkey())
    mint = token_2022.mint_address(base, "seed", SPL_TOKEN)
    return TokenSpec(
        mint=mint, base=base, seed="seed", payer=base, witness=platform, owner=sale, classic=True,
        vault=associated(sale, mint, SPL_TOKEN), name="Lab", symbol="LAB", uri="ipfs://x", decimals=6, supply=10**15,
    )  # fmt: skip


def metadata(asked: TokenSpec, *, mutable: bool = False, creators: int = 0, **change: str) -> bytes:
    """The account as Metaplex writes it: key 4, authorities, strings padded with NUL to their most, 607 bytes."""
    words = {"name": asked.name, "symbol": asked.symbol, "uri": asked.uri, **change}
    padded = [words[name].encode().ljust(most, b"\0") for name, most in (("name", 32), ("symbol", 10), ("uri", 200))]
    strings = b"".join(struct.pack("<I", len(text)) + text for text in padded)
    listed = b"\x01" + struct.pack("<I", creators) + bytes(34 * creators) if creators else b"\x00"
    keys = bytes(Pubkey.from_string(asked.base)) + bytes(Pubkey.from_string(asked.mint))
    return (b"\x04" + keys + strings + bytes(2) + listed + b"\x00" + bytes([mutable])).ljust(607, b"\0")


@pytest.fixture
def made() -> tuple[Ledger, TokenSpec]:
    """Everything but the metadata, which the real node's Metaplex would write in the same transaction."""
    ledger = Ledger()
    creator, platform = ledger.wallet(), ledger.wallet()
    asked = spec(ledger, str(creator.pubkey()), str(platform.pubkey()))
    steps = [s for s in classic_token.create_token(asked) if s.program != classic_token.METAPLEX]
    ledger.send(*map(built, steps), signers=[creator, platform])
    return ledger, asked


def test_mint_and_vault_stand_as_asked(made: tuple[Ledger, TokenSpec]) -> None:
    ledger, asked = made
    mint, vault = (ledger.data(Pubkey.from_string(key)) for key in (asked.mint, asked.vault))
    held, found = token_2022.read_vault(vault), classic_token.read_mint(mint, metadata(asked))
    assert held is not None
    assert found is not None
    assert tokens.mint_differences(asked, found) == []
    assert tokens.vault_differences(asked, held) == []
    assert held.amount == asked.supply


@pytest.mark.parametrize(
    ("said", "account"),
    [
        ("name", {"name": "Other"}),
        ("uri", {"uri": "ipfs://y"}),
        ("metadata authority", {"mutable": True}),
        ("metadata authority", {"mutable": True, "creators": 3}),
    ],
)
def test_other_metadata_is_noticed(made: tuple[Ledger, TokenSpec], said: str, account: dict[str, object]) -> None:
    ledger, asked = made
    found = classic_token.read_mint(ledger.data(Pubkey.from_string(asked.mint)), metadata(asked, **account))  # type: ignore[arg-type]
    assert found is not None
    assert [line.split(" is ")[0] for line in tokens.mint_differences(asked, found)] == [said]


def test_a_mint_without_metadata_is_none(made: tuple[Ledger, TokenSpec]) -> None:
    ledger, asked = made
    mint = ledger.data(Pubkey.from_string(asked.mint))
    assert classic_token.read_mint(mint, b"") is None
    assert classic_token.read_mint(b"", metadata(asked)) is None


def test_the_address_of_the_metadata_is_metaplexs() -> None:
    """USDC's, as every explorer shows it."""
    usdc = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    assert classic_token.metadata_address(usdc) == "5x38Kp4hvdomTCnCrAny4UtMUt5rQBdB6px2K1Ui45Wq"


def test_create_metadata_v3_byte_by_byte() -> None:
    ledger = Ledger()
    asked = spec(ledger, MINT, MINT)
    step = classic_token.create_metadata(asked)
    assert base64.b64decode(step.data).hex() == (
        "21"  # CreateMetadataAccountV3
        "030000004c6162"  # name
        "030000004c4142"  # symbol
        "08000000697066733a2f2f78"  # uri
        "0000"  # seller fee, bps
        "000000"  # creators, collection, uses: none
        "00"  # not mutable
        "00"  # collection details: none
    )
    assert [(m.signer, m.writable) for m in step.accounts] == [
        *((False, True), (False, False), (True, False), (True, True), (True, False), (False, False), (False, False))
    ]
    assert step.accounts[1].address == asked.mint
    assert step.accounts[-1].address == "SysvarRent111111111111111111111111111111111"
