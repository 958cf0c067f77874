"""The steps of a launch that stand on the chain: what is there (probe), and the transaction that brings it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.launchpad import steps
from domain.launchpad.chain_time import CLOCK, time_of
from domain.launchpad.explorers import explorer_links
from domain.launchpad.launch_messages import Done, Found, LaunchRef, StepPlanned, StepRef
from domain.launchpad.launching import PARTS, Launch, registered, sale_differences
from domain.launchpad.receiving import check_owner
from domain.launchpad.steps import MINT, VERIFY, Step
from domain.launchpad.tokens import mint_differences, vault_differences
from domain.shared.errors import Broken, Unavailable

if TYPE_CHECKING:
    from domain.launchpad.solana import Commitment
    from gateways.protocols import SolanaNodes
    from gateways.solana.launching import LaunchWire
    from storage.launchpad.launch_plans import LaunchPlans
    from storage.launchpad.launches import LaunchStore


class MintingActivities:
    """The chain is asked first and last: what stands there decides, not what was sent."""

    def __init__(self, nodes: SolanaNodes, wire: LaunchWire, store: LaunchStore, plans: LaunchPlans) -> None:
        self.nodes = nodes
        self.wire = wire
        self.store = store
        self.plans = plans

    @activity.defn
    async def probe_step(self, command: StepRef) -> Found:
        """Does the step's effect stand on the chain, and exactly as asked?

        Effect: none. What stands there otherwise is Broken chain_differs; before a mint is signed, Rejected
                launch_refused for a creator's address that is no wallet, and for a sale that would be over at once.
        Again:  looks again.
        """
        async with beating():
            launch, step = await self.store.launch(command.launch_id), steps.named(command.step)
            level: Commitment = "finalized" if command.finalized else "confirmed"
            if step is not MINT:
                return await self._part(launch, step, level)
            found = await self._mint(launch, level)
            if not found.done and await self.plans.nothing_signed(launch.id):
                await self._last_look(launch)
            return found

    @activity.defn
    async def plan_step(self, command: StepRef) -> StepPlanned:
        """Write down where token and sale will stand, and the transaction of the step.

        Effect: addresses on the launch, a planned transaction: one transaction.
        Again:  the same key with the same plan is the same row.
        """
        launch, step = await self.store.launch(command.launch_id), steps.named(command.step)
        plan = self.wire.plan(launch, step)
        await self.plans.write(self.wire.keys(launch), plan)
        return StepPlanned(key=plan.key)

    @activity.defn
    async def nothing_signed(self, command: LaunchRef) -> Found:
        """Is no transaction of the mint in the world that could still land?

        Effect: none.
        Again:  looks again.
        """
        return Found(done=await self.plans.nothing_signed(command.launch_id))

    @activity.defn
    async def compare_step(self, command: StepRef) -> Done:
        """Read back what the step has put on the chain; for `verify`, everything, once it is final.

        Effect: none. Raises Unavailable until it is there, Broken chain_differs when it differs.
        Again:  looks again.
        """
        async with beating():
            launch, step = await self.store.launch(command.launch_id), steps.named(command.step)
            if step is VERIFY:
                return await self._verify(launch)
            found = await (self._mint(launch) if step is MINT else self._part(launch, step))
            if not found.done:
                raise Unavailable("solana_unavailable", f"{step.name} is not to be seen yet")
            return Done(detail=found.detail, links=await self._links(command))

    async def _verify(self, launch: Launch) -> Done:
        found = [await self._mint(launch, "finalized"), *[await self._part(launch, p, "finalized") for p in PARTS]]
        if not all(part.done for part in found):
            raise Unavailable("solana_unavailable", "token and sale are not final yet")
        return Done(detail=f"{launch.mint}: supply, authorities, metadata, vault, every term of the sale")

    async def _mint(self, launch: Launch, level: Commitment = "confirmed") -> Found:
        token = self.wire.token(launch)
        found = await self.nodes.accounts(self.wire.accounts_of(token), commitment=level)
        if found[0] is None or not found[0].data:
            return Found(done=False)
        read, held = self.wire.read_mint(token, found), self.wire.read_vault(token, found)
        if read is None or held is None:
            raise Broken("chain_differs", f"{token.mint} is no token of ours, or has no vault at {token.vault}")
        _refuse(mint_differences(token, read, sold=True) + vault_differences(token, held), token.mint)
        return Found(done=True, detail=f"{token.supply} base units in {token.vault}, no authority left")

    async def _last_look(self, launch: Launch) -> None:
        """What can still be refused: afterwards the token exists, whether its sale can be created or not."""
        creator, clock = await self.nodes.accounts([launch.creator_wallet, CLOCK])
        if clock is None:
            raise Unavailable("solana_unavailable", "the chain's clock cannot be read")
        check_owner(launch.creator_wallet, creator.owner if creator is not None else None)
        launch.request.check_time_left(time_of(clock.data))

    async def _part(self, launch: Launch, step: Step, level: Commitment = "confirmed") -> Found:
        """One of the steps that share the sale's transaction."""
        wanted = self.wire.wanted(launch)
        address = wanted.keys.address
        account = await self.nodes.account(address, commitment=level)
        if account is None or not account.data:
            return Found(done=False)
        sale = self.wire.read_sale(address, account.owner, account.data)
        if sale is None:
            raise Broken("chain_differs", f"{address} is no sale of {self.wire.policy.program}")
        _refuse(sale_differences(step, wanted, sale), address)
        return Found(done=True, detail=registered(step, wanted))

    async def _links(self, command: StepRef) -> tuple[dict[str, str], ...]:
        signature = await self.plans.signature(command.launch_id, steps.named(command.step))
        found = explorer_links(self.wire.policy.cluster, signature) if signature else {}
        return tuple({"rel": name, "href": address} for name, address in found.items())


def _refuse(differences: list[str], address: str) -> None:
    if differences:
        raise Broken("chain_differs", f"{address}: {'; '.join(differences)}")
