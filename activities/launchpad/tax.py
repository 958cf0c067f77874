"""The tax cycle: what is due on the chain becomes planned transactions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating
from domain.launchpad.chain_time import CLOCK, time_of
from domain.launchpad.sale import PositionState, Recipients, SaleState
from domain.launchpad.solana import AccountFilter
from domain.launchpad.tax_cycle import (
    SETTLED_AT_ONCE,
    SETTLEMENTS_MOST,
    Due,
    TaxCycle,
    TaxDone,
    TaxPlanned,
    burn_of,
    harvests,
    least_of,
    pays_out,
    settles,
)
from domain.launchpad.transactions import Instruction
from domain.shared import base58
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from gateways.protocols import SolanaNodes
    from gateways.solana.sale_program import SaleProgram
    from gateways.solana.sale_view import SaleViews
    from storage.launchpad.tax import Latched, TaxStore

_SALE_AT: Final = 8


class TaxActivities:
    """`platform`: the wallet that pays, and signs burns. `position_tag`: how a position's account begins."""

    def __init__(
        self,
        nodes: SolanaNodes,
        program: SaleProgram,
        views: SaleViews,
        store: TaxStore,
        *,
        platform: str,
        position_tag: bytes,
    ) -> None:
        self.nodes, self.program, self.views, self.store = nodes, program, views, store
        self.platform, self.position_tag = platform, position_tag

    @activity.defn
    async def plan_tax_cycle(self, command: TaxCycle) -> TaxPlanned:
        """What is due in every sale that reached its soft cap, read from the chain, as transactions to be landed.

        Effect: plans, in one transaction.
        Again:  what was signed already is the answer, what was not is planned anew; what the chain has paid is not due.
        """
        async with beating():
            sales = await self.store.latched()
            if not sales:
                return TaxPlanned()
            now = await self._now()
            acts: list[Due] = []
            room = SETTLEMENTS_MOST
            for sale, seen in zip(sales, await self.views.look([sale.keys for sale in sales]), strict=True):
                if seen.state is not None and seen.state.latched:
                    settled = await self._settlements(sale, seen.state, room)
                    acts += await self._acts(sale, seen.state, now, command.least_lamports, settled)
                    room -= len(settled)
            return TaxPlanned(keys=await self.store.write(acts))

    @activity.defn
    async def record_tax_cycle(self, command: TaxDone) -> None:
        """Note what the cycle did.

        Effect: a job row.
        Again:  one row more.
        """
        await self.store.record(ok=not command.failed, summary=command.summary)

    async def _acts(self, sale: Latched, state: SaleState, now: int, least: int, settled: list[Due]) -> list[Due]:
        dues = []
        if pays_out(state, least):
            recipients = Recipients.model_validate({name: getattr(state, name) for name in Recipients.model_fields})
            step = self.program.distribute(state.keys, recipients)
            dues.append(Due(sale_id=sale.id, act="distribute", instructions=(step,)))
        dues += settled
        harvest = await self._harvest(state, least)
        if harvest:
            dues.append(Due(sale_id=sale.id, act="harvest", instructions=harvest))
        burn = await self._burn(state, now, least) if state.platform == self.platform else None
        if burn is not None:
            dues.append(Due(sale_id=sale.id, act="burn", instructions=(burn,)))
        return dues

    async def _settlements(self, sale: Latched, state: SaleState, room: int) -> list[Due]:
        """What uplines earned, so many transactions at most."""
        if not state.referral_due or not room:
            return []
        dues = []
        positions = [one for one in await self._positions(state) if settles(state, one)]
        for some in _chunks(positions[: room * SETTLED_AT_ONCE]):
            steps = [await self._settlement(state, position) for position in some]
            dues.append(Due(sale_id=sale.id, act=f"settle-{some[0].buyer}", instructions=tuple(steps)))
        return dues

    async def _harvest(self, state: SaleState, least: int) -> tuple[Instruction, ...]:
        found = await self.views.withheld(state.keys)
        if found is None or not harvests(state, found, least):
            return ()
        opened = self.program.open_tokens(self.platform, state.rewards, state.mint, state.token_program)
        last = self.program.harvest(state.keys, state.rewards)
        if not found.sources:
            return (opened, last)
        return (self.views.to_mint(state.keys, found.sources), opened, last)

    async def _burn(self, state: SaleState, now: int, least: int) -> Instruction | None:
        due = state.burn_due >= least_of(state, least)
        pool = await self.views.pool(state.keys) if state.pooled_lamports and due else None
        found = burn_of(state, now, least, pool)
        if found is None:
            return None
        if found.lamports:
            return self.program.burn_from_pool(state.keys, found.lamports, found.tokens)
        return self.program.burn(state.keys, found.tokens)

    async def _positions(self, state: SaleState) -> list[PositionState]:
        """Every position of the sale that is still open."""
        filters = (
            AccountFilter(offset=0, base58=base58.encode(self.position_tag)),
            AccountFilter(offset=_SALE_AT, base58=state.address),
        )
        found = await self.nodes.program_accounts(self.program.program, filters=filters, commitment="finalized")
        return sorted((self.program.read_position(one.address, one.data) for one in found), key=lambda one: one.buyer)

    async def _settlement(self, state: SaleState, position: PositionState) -> Instruction:
        account = await self.nodes.account(self.program.addresses.referral(position.buyer), commitment="finalized")
        if account is None:
            raise Unavailable("solana_unavailable", f"the node shows no uplines of {position.buyer}, who has some")
        chain = self.program.read_referral(account.data).upline
        return self.program.settle_referral(state.keys, position.buyer, chain)

    async def _now(self) -> int:
        account = await self.nodes.account(CLOCK, commitment="finalized")
        if account is None:
            raise Unavailable("solana_unavailable", "the node has no clock")
        return time_of(account.data)


def _chunks(positions: list[PositionState]) -> Iterator[list[PositionState]]:
    for start in range(0, len(positions), SETTLED_AT_ONCE):
        yield positions[start : start + SETTLED_AT_ONCE]
