"""A sale's process: what the chain says of it, and the transactions that end it, which anybody may send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from temporalio import activity

from activities.beating import beating
from domain.launchpad.chain_time import CLOCK, time_of
from domain.launchpad.refund_rounds import groups, stuck
from domain.launchpad.sale import PositionState, SaleState
from domain.launchpad.sale_life import Phase, due_in, phase, status
from domain.launchpad.sale_messages import Planned, PlanRefunds, RefundRound, SaleLook, SaleRef
from domain.launchpad.solana import Account, AccountFilter
from domain.launchpad.transactions import Instruction, Plan
from domain.shared import base58
from domain.shared.errors import Broken, Failure, Unavailable

if TYPE_CHECKING:
    from gateways.protocols import SolanaNodes
    from gateways.solana.sale_program import SaleProgram
    from storage.launchpad.refunds import RefundStore
    from storage.launchpad.sales import SaleStore

BEAT_S: Final = 0.3
LOOK_S: Final = 600
"""A sale is looked at so often when nothing is due; the feed says when the chain is further."""
FEES_MOST: Final = 2_000_000
"""Lamports of the platform's wallet for one transaction without rents."""
RENTS_MOST: Final = 3_000_000
GRADUATION_MOST: Final = 300_000_000
"""Pool fee and rents; what is not needed returns within the transaction."""
HIDDEN_TRIES: Final = 30
"""So often the positions are looked for that no node shows, before an operator is asked."""
_ACCOUNTS_MOST: Final = 100
_SALE_AT: Final = 8


class _Seen(NamedTuple):
    state: SaleState
    now: int


class SaleActivities:
    """`platform`: the wallet that pays. `position_tag`: how a position's account begins. `everywhere`: the accounts of
    the program that any node shows (gateways/solana/everywhere.py)."""

    def __init__(
        self,
        nodes: SolanaNodes,
        program: SaleProgram,
        sales: SaleStore,
        refunds: RefundStore,
        *,
        platform: str,
        position_tag: bytes,
        everywhere: Callable[..., Awaitable[list[Account]]],
    ) -> None:
        self.nodes, self.program, self.sales, self.refunds = nodes, program, sales, refunds
        self.platform, self.position_tag, self.everywhere = platform, position_tag, everywhere

    @activity.defn
    async def look_at_sale(self, command: SaleRef) -> SaleLook:
        """What the chain has made final about the sale, by its own clock.

        Effect: status of sale, project and operation: one transaction.
        Again:  the chain's state decides; the same status is written once.
        """
        async with beating(BEAT_S):
            return await self._look(command)

    async def _look(self, command: SaleRef) -> SaleLook:
        seen = await self._seen(command.sale_id)
        found = phase(seen.state, seen.now)
        now = status(found, seen.state.held)
        detail = _detail(found, seen.state)
        pool = self.program.addresses.pool(seen.state.address) if seen.state.pooled_lamports else None
        await self.sales.stands(command.sale_id, now, pool, detail)
        wait = due_in(seen.state, found, seen.now)
        return SaleLook(phase=found, status=now, wait_s=max(2, min(wait, LOOK_S)), detail=detail)

    @activity.defn
    async def plan_settlement(self, command: SaleRef) -> Planned:
        """What is left to do about a sale that is over, refunds aside: graduate it, release what waited for that, or
        destroy the supply of one that came to nothing.

        Effect: plans of transactions.
        Again:  the same plan under the same key; what the chain has done already is not planned.
        """
        async with beating(BEAT_S):
            plans = self._settlement(command.sale_id, await self._seen(command.sale_id))
            await self.refunds.write(plans)
        return Planned(keys=tuple(one.key for one in plans))

    def _settlement(self, sale_id: str, seen: _Seen) -> list[Plan]:
        state, keys, platform = seen.state, seen.state.keys, self.platform
        found = phase(state, seen.now)
        if found is Phase.GRADUATING:
            graduate = self.program.graduate(keys, platform, GRADUATION_MOST)
            return [self._plan(sale_id, "graduate", (graduate,), GRADUATION_MOST)]
        if found is Phase.GRADUATED and state.other_due:
            release = self.program.release_other(keys, platform, state.other_owner)
            return [self._plan(sale_id, "release", release, RENTS_MOST)]
        if found in (Phase.REFUNDING, Phase.CANCELLED) and not state.reclaimed:
            return [self._plan(sale_id, "reclaim", (self.program.reclaim(keys),), 0)]
        return []

    def _plan(self, sale_id: str, act: str, instructions: tuple[Instruction, ...], rents: int) -> Plan:
        return Plan(
            key=f"sale:{sale_id}:{act}",
            subject_kind="sale",
            subject_id=sale_id,
            payer=self.platform,
            instructions=instructions,
            most_lamports=rents + FEES_MOST,
        )

    @activity.defn
    async def finish_sale(self, command: SaleRef) -> SaleLook:
        """Nothing is left to do about the sale.

        Effect: as `look_at_sale`, and the operation's end.
        Again:  an operation that has ended stays so.
        """
        async with beating(BEAT_S):
            look = await self._look(command)
            await self.sales.finished(command.sale_id, f"{look.status}: {look.detail}")
        return look

    @activity.defn
    async def plan_refunds(self, command: PlanRefunds) -> RefundRound:
        """Every buyer that has not got his money back, some in each transaction; alone after one of them failed.

        Effect: a round of plans in one transaction; those that would have failed are given up.
        Again:  a round that has not ended is the answer, and the chain says who is left.
        """
        async with beating(BEAT_S):
            return await self._plan_refunds(command)

    async def _plan_refunds(self, command: PlanRefunds) -> RefundRound:
        await self.refunds.give_up(command.failed)
        last = await self.refunds.last(command.sale_id)
        if last is not None and last.open:
            return RefundRound(number=last.number, keys=last.open)
        seen = await self._seen(command.sale_id)
        left = await self._positions(seen.state)
        if not left and seen.state.held:
            raise _hidden(seen.state.held)
        if not left:
            return RefundRound(number=last.number if last else 0, keys=())
        alone = stuck(left, last)
        if alone and not command.again:
            return RefundRound(number=last.number if last else 0, keys=(), stuck=alone)
        plans = self._round(command.sale_id, seen.state, groups(left, last), last.number + 1 if last else 1)
        await self.refunds.write(plans)
        return RefundRound(number=last.number + 1 if last else 1, keys=tuple(one.key for one in plans))

    def _round(self, sale_id: str, state: SaleState, shared: list[list[PositionState]], number: int) -> list[Plan]:
        return [
            Plan(
                key=f"sale:{sale_id}:refunds:{number}:{place}",
                subject_kind="sale_refund",
                subject_id=sale_id,
                payer=self.platform,
                instructions=tuple(self.program.refund(state.keys, one.buyer) for one in group),
                most_lamports=FEES_MOST,
            )
            for place, group in enumerate(shared)
        ]

    async def _seen(self, sale_id: str) -> _Seen:
        keys = await self.sales.keys(sale_id)
        clock, account = await self.nodes.accounts([CLOCK, keys.address], commitment="finalized")
        if clock is None or account is None:
            raise Unavailable("solana_unavailable", f"no node knows the sale {keys.address} yet")
        return _Seen(self.program.read_sale(keys.address, account.data), time_of(clock.data))

    async def _positions(self, state: SaleState) -> list[PositionState]:
        """Everybody who has a position, by wallet. A node without a whole index shows fewer than the sale holds for."""
        filters = [
            AccountFilter(offset=0, base58=base58.encode(self.position_tag)),
            AccountFilter(offset=_SALE_AT, base58=state.address),
        ]
        found = await self.nodes.program_accounts(self.program.program, filters=filters, commitment="finalized")
        left = [self.program.read_position(one.address, one.data) for one in found]
        if sum(one.tokens for one in left) != state.held:
            shown = await self.everywhere(self.program.program, filters=filters, commitment="finalized")
            left = await self._read([one.address for one in shown])
        return sorted(left, key=lambda one: one.buyer)

    async def _read(self, addresses: list[str]) -> list[PositionState]:
        """Those positions that still stand."""
        left: list[PositionState] = []
        for start in range(0, len(addresses), _ACCOUNTS_MOST):
            some = await self.nodes.accounts(addresses[start : start + _ACCOUNTS_MOST], commitment="finalized")
            left += [self.program.read_position(one.address, one.data) for one in some if one is not None]
        return left


def _hidden(held: int) -> Failure:
    detail = f"no node shows a position of the sale, but it holds {held} base units for buyers"
    if activity.info().attempt >= HIDDEN_TRIES:
        return Broken("refund_stuck", detail)
    return Unavailable("solana_unavailable", detail)


def _detail(found: Phase, state: SaleState) -> str:
    if found is Phase.REFUNDING:
        return f"ended below the soft cap; {state.raised + state.tax_held} lamports go back"
    if found is Phase.GRADUATING:
        return f"{state.raised} lamports raised; goes to its pool"
    return f"{state.raised or state.pooled_lamports} lamports"
