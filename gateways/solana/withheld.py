"""What a Token-2022 mint with a transfer fee has withheld, in its token accounts and in itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from domain.launchpad.tax_cycle import Withheld
from domain.launchpad.transactions import Instruction, Meta
from gateways.solana.token_2022 import extensions

if TYPE_CHECKING:
    from domain.launchpad.solana import Account

_FEE_CONFIG, _FEE_AMOUNT = 1, 2
_WITHHELD_IN_CONFIG: Final = 64
"""Behind two authorities."""
_TO_MINT: Final = base64.b64encode(bytes((26, 4))).decode()
"""TransferFeeExtension: HarvestWithheldTokensToMint."""


def withheld(mint: Account, holders: Sequence[Account]) -> Withheld:
    """The holders that have withheld most first."""
    found = sorted(((_amount(one.data), one.address) for one in holders), reverse=True)
    return Withheld(_in_mint(mint.data), tuple((address, amount) for amount, address in found if amount))


def harvest_to_mint(mint: str, token_program: str, sources: Sequence[str]) -> Instruction:
    """What these accounts withheld goes to the mint. Anybody may."""
    metas = (Meta(address=address, writable=True) for address in (mint, *sources))
    return Instruction(program=token_program, accounts=tuple(metas), data=_TO_MINT)


def _amount(account: bytes) -> int:
    for kind, value in extensions(account):
        if kind == _FEE_AMOUNT and len(value) == 8:
            return int.from_bytes(value, "little")
    return 0


def _in_mint(mint: bytes) -> int:
    for kind, value in extensions(mint):
        if kind == _FEE_CONFIG:
            return int.from_bytes(value[_WITHHELD_IN_CONFIG : _WITHHELD_IN_CONFIG + 8], "little")
    return 0
