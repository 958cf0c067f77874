"""The committed contracts are what their sources say."""

from __future__ import annotations

import pytest

from contracts import load, names, source_hash


def test_every_source_is_covered() -> None:
    venue = [
        "VenueBatch",
        "VenueCash",
        "VenueExchange",
        "VenueExchangeV1",
        "VenueModule",
        "VenueNegRisk",
        "VenueTokens",
    ]
    assert names() == ["Caller", "HostileToken", "LocalUSDC", *venue]


@pytest.mark.parametrize("name", names())
def test_artefact_belongs_to_its_source(name: str) -> None:
    contract = load(name)
    assert contract.name == name
    assert contract.source_sha256 == source_hash(name), "run: node contracts/compile.mjs"
    assert contract.compiler.startswith("0.8.37+")
    assert bytes.fromhex(contract.bytecode.removeprefix("0x"))


def test_usdc_has_the_functions_others_rely_on() -> None:
    functions = {entry["name"] for entry in load("LocalUSDC").abi if entry["type"] == "function"}
    assert {"mint", "transfer", "transferFrom", "approve", "balanceOf", "allowance", "decimals"} <= functions
