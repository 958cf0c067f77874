"""A sale as the chain has it now (confirmed), beside its row: what quotes and unsigned transactions are made from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from api.deps import Deps
from domain.launchpad.addresses import check_address, on_curve
from domain.launchpad.chain_time import CLOCK, time_of
from domain.launchpad.sale import PositionState, ReferralState, SaleKeys, SaleState
from domain.shared.errors import Rejected, Unavailable
from gateways.protocols import SolanaReads
from storage.reads import sales as reads
from storage.reads.base import Row

if TYPE_CHECKING:
    from gateways.solana.sale_program import SaleProgram


class Live(NamedTuple):
    """`now`: the chain's clock. `own` and `referrers`: of the asking wallet and of the one it names."""

    row: Row
    program: SaleProgram
    sale: SaleState
    now: int
    position: PositionState | None = None
    own: ReferralState | None = None
    referrers: ReferralState | None = None


async def row_of(deps: Deps, sale_id: UUID) -> Row:
    """Raises: Rejected not_found."""
    row = await reads.sale(deps.reads, str(sale_id))
    if row is None:
        raise Rejected("not_found", "no such sale")
    return row


def solana_of(deps: Deps) -> SolanaReads:
    """Raises: Unavailable launchpad_off."""
    if deps.solana is None:
        raise Unavailable("launchpad_off", "SOLANA_RPC_URL is not set")
    return deps.solana


def _program(address: str, pool_program: str) -> SaleProgram:
    from gateways.solana.sale_program import SaleProgram  # fifty megabytes that an API without Solana does not need

    return SaleProgram(address, pool_program)


async def live(deps: Deps, sale_id: UUID, wallet: str | None = None, referrer: str | None = None) -> Live:
    """The sale, and what a wallet has in it, of one slot.

    Raises: Rejected not_found, validation_failed; Unavailable launchpad_off, solana_unavailable.
    """
    row = await row_of(deps, sale_id)
    nodes = solana_of(deps).nodes
    # in a thread: the first one takes a second to load
    program = await asyncio.to_thread(_program, row["program_id"], deps.config.launchpad_pool_program_id)
    addresses = [CLOCK, row["address"]]
    if wallet is not None:
        if not on_curve(check_address(wallet, "/wallet")):
            raise Rejected("validation_failed", "no key signs for this address: it is a program's", pointer="/wallet")
        if wallet == row["platform"]:  # its signature is the signer's to give, and nobody hands it in
            raise Rejected("validation_failed", "the platform does not trade", pointer="/wallet")
        addresses += [program.addresses.position(row["address"], wallet), program.addresses.referral(wallet)]
    if referrer is not None:
        addresses.append(program.addresses.referral(check_address(referrer, "/referrer_wallet")))
    clock, sale, *others = await nodes.accounts(addresses, commitment="confirmed")
    if clock is None or sale is None:
        raise Unavailable("solana_unavailable", "no node knows the sale")
    position, own, referrers = [*others, None, None, None][:3]
    return Live(
        row=row,
        program=program,
        sale=program.read_sale(sale.address, sale.data),
        now=time_of(clock.data),
        position=program.read_position(position.address, position.data) if position else None,
        own=program.read_referral(own.data) if own else None,
        referrers=program.read_referral(referrers.data) if referrers else None,
    )


async def held_by(deps: Deps, keys: SaleKeys, wallet: str) -> int:
    """Base units in the wallet's usual token account. Raises: Unavailable solana_unavailable."""
    from gateways.solana.sale_addresses import associated  # as above
    from gateways.solana.token_2022 import read_vault

    account = await solana_of(deps).nodes.account(associated(wallet, keys.mint, keys.token_program))
    held = read_vault(account.data) if account is not None and account.owner == keys.token_program else None
    return held.amount if held is not None else 0
