"""What a launch costs on the chain: rents from the sizes of its accounts, fees from what its instructions compute.

Sizes are the IDLs', compute units those that `programs/launchpad/compute.json` measured.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Final

import programs
from domain.launchpad.preview import ChainCosts
from domain.launchpad.request import LaunchRequest
from domain.launchpad.tokens import TokenSpec
from gateways.solana.sale_idl import interface
from gateways.solana.token_2022 import creation_lamports, mint_size, rent

BASE_FEE: Final = 5_000
"""Per signature."""
TRANSACTIONS: Final = 2
"""The mint, then the sale."""
MINT_UNITS: Final = 70_000
"""Mint, metadata, vault, supply and authorities: 55,900 with texts of 32, 10 and 200 bytes (measured), and room."""
POOL_FEE: Final = 150_000_000
"""Raydium's price of a pool, configuration 0; the local stand-in's as well."""
_POOL_ACCOUNTS: Final = (637, 4_075, 82, 165, 182, 165, 182, 165)
"""Raydium's: pool, observation, LP mint, two vaults; ours on the way: SOL, tokens, LP tokens."""
_NOBODY: Final = "11111111111111111111111111111111"
_MILLION: Final = 1_000_000


def launch_costs(request: LaunchRequest, uri: str, price_most: int) -> ChainCosts:
    """`uri`: one as long as the metadata's; `price_most`: millionths of a lamport offered per compute unit at most."""
    spec = TokenSpec(
        mint=_NOBODY, base=_NOBODY, seed="", payer=_NOBODY, witness=_NOBODY, owner=_NOBODY, vault=_NOBODY,
        name=request.name, symbol=request.symbol, uri=uri, decimals=request.decimals, supply=request.total_supply,
        fee_bps=request.transfer_fee_bps,
    )  # fmt: skip
    mint, sizes = rent(mint_size(spec)), interface().sizes
    signers = 2 if request.signing == "creator" else 1
    units = MINT_UNITS + _create_sale_units(request.curve_type)
    return ChainCosts(
        mint_rent=mint,
        vault_rent=creation_lamports(spec) - mint,
        sale_rent=rent(sizes["Sale"]),
        base_fees=BASE_FEE * TRANSACTIONS * signers,
        # the limit is set a tenth above what was simulated
        priority=-(-units * 11 // 10 * price_most // _MILLION),
        graduation=POOL_FEE + sum(rent(size) for size in _POOL_ACCOUNTS) + rent(sizes["Vesting"]),
    )


@lru_cache(maxsize=3)
def _create_sale_units(curve_type: str) -> int:
    measured = json.loads((Path(programs.__file__).parent / "launchpad" / "compute.json").read_text())
    return int(measured[curve_type]["createSale"])
