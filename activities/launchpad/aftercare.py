"""What graduated sales still need, and what wallets never signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating
from domain.launchpad.aftercare import (
    CLOSED_AT_ONCE,
    CLOSINGS_MOST,
    VESTED,
    Aftercare,
    AftercareDone,
    AftercarePlanned,
    Forgotten,
    is_empty,
    slice_due,
)
from domain.launchpad.chain_time import CLOCK, time_of
from domain.launchpad.sale import OnChain, SaleKeys
from domain.launchpad.signing import SYSTEM
from domain.launchpad.solana import AccountFilter
from domain.launchpad.tax_cycle import Due
from domain.shared import base58
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from domain.launchpad.reconcile import SaleOnChain
    from domain.launchpad.solana import Account
    from gateways.protocols import SolanaNodes
    from gateways.solana.sale_program import SaleProgram
    from gateways.solana.sale_view import SaleViews
    from storage.launchpad.aftercare import AftercareStore, Graduated

_TOKENS_AT: Final = 72
_EARNED_AT: Final = 104
"""Where a position counts what waits for its buyer, and what its uplines earned."""
_ACCOUNTS_MOST: Final = 100
_ODD_MOST: Final = 10_000
"""So many buyers that are no plain wallets are passed over in one look at a sale."""


class AftercareActivities:
    """`platform`: the wallet that pays. `position_tag`: how a position's account begins."""

    def __init__(
        self,
        nodes: SolanaNodes,
        program: SaleProgram,
        views: SaleViews,
        store: AftercareStore,
        *,
        platform: str,
        position_tag: bytes,
    ) -> None:
        self.nodes, self.program, self.views, self.store = nodes, program, views, store
        self.platform, self.position_tag = platform, position_tag

    @activity.defn
    async def plan_aftercare(self, command: Aftercare) -> AftercarePlanned:
        """What has vested and is worth a transaction, and positions that stand empty, as transactions to be landed.

        Effect: plans, in one transaction.
        Again:  what was signed already is the answer, what was not is planned anew; what the chain has done is not due.
        """
        async with beating():
            sales = await self.store.graduated()
            if not sales:
                return AftercarePlanned()
            now = await self._now()
            dues: list[Due] = []
            room = CLOSINGS_MOST
            for sale, seen in zip(sales, await self.views.look([sale.keys for sale in sales]), strict=True):
                if seen.vesting is not None and slice_due(seen.vesting, now, command.slice_s):
                    steps = self.program.claim_vested(sale.keys, self.platform, seen.vesting.beneficiary)
                    dues.append(Due(sale_id=sale.id, act=VESTED, instructions=steps))
                closings = await self._closings(sale, seen, room)
                dues += closings
                room -= len(closings)
            return AftercarePlanned(keys=await self.store.write(dues))

    @activity.defn
    async def forget_unsigned(self) -> Forgotten:
        """Remove trades that were issued long ago, that no wallet handed in, and that can never land any more.

        Effect: rows deleted, so many in each transaction.
        Again:  what is gone stays gone.
        """
        async with beating():
            heights = [one.height for one in await self.nodes.epochs(commitment="finalized")]
            if not heights:
                raise Unavailable("solana_unavailable", "no node tells how far it is")
            gone = 0
            while found := await self.store.forget(min(heights)):
                gone += found
        return Forgotten(transactions=gone)

    @activity.defn
    async def record_aftercare(self, command: AftercareDone) -> None:
        """Note what the run did.

        Effect: a job row, alerts opened and closed: one transaction.
        Again:  one row more; an open alert is counted.
        """
        await self.store.record(command)

    async def _closings(self, sale: Graduated, seen: SaleOnChain, room: int) -> list[Due]:
        """Empty positions of a graduated sale, so many transactions at most."""
        if not sale.open or not room or seen.state is None or seen.state.status is not OnChain.GRADUATED:
            return []
        buyers = await self._empty(sale.keys, room * CLOSED_AT_ONCE)
        return [
            Due(
                sale_id=sale.id,
                act=f"close-{some[0]}",
                instructions=tuple(self.program.close_position(sale.keys, buyer) for buyer in some),
            )
            for some in _some(buyers, CLOSED_AT_ONCE)
        ]

    async def _empty(self, keys: SaleKeys, most: int) -> list[str]:
        """Whose positions stand empty. Only plain wallets: nothing keeps one from receiving its rent, and so none keeps
        the others of its transaction from theirs."""
        filters = (
            AccountFilter(offset=0, base58=base58.encode(self.position_tag + base58.decode(keys.address))),
            AccountFilter(offset=_TOKENS_AT, base58=base58.encode(bytes(8))),
            AccountFilter(offset=_EARNED_AT, base58=base58.encode(bytes(40))),
        )
        found = await self.nodes.program_accounts(self.program.program, filters=filters, commitment="finalized")
        positions = [self.program.read_position(one.address, one.data) for one in found]
        buyers = sorted(one.buyer for one in positions if is_empty(one) and one.sale == keys.address)
        plain: list[str] = []
        for some in _some(buyers[: most + _ODD_MOST], _ACCOUNTS_MOST):
            wallets = await self.nodes.accounts(some, commitment="finalized")
            plain += [buyer for buyer, wallet in zip(some, wallets, strict=True) if _is_plain(wallet)]
            if len(plain) >= most:
                break
        return plain[:most]

    async def _now(self) -> int:
        account = await self.nodes.account(CLOCK, commitment="finalized")
        if account is None:
            raise Unavailable("solana_unavailable", "the node has no clock")
        return time_of(account.data)


def _is_plain(wallet: Account | None) -> bool:
    """One that was emptied does not exist."""
    return wallet is None or (wallet.owner == SYSTEM and not wallet.data)


def _some(buyers: list[str], size: int) -> Iterator[list[str]]:
    return (buyers[start : start + size] for start in range(0, len(buyers), size))
