"""The chain's side of a signed transaction: the stored bytes to every node, until it is clear what came of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.launchpad.signing import BEAT_S, Explain
from domain.launchpad.judging import Reached, Seen, by_height, by_nonce, never, seen, too_late
from domain.launchpad.nonces import address_of
from domain.launchpad.solana import Commitment, Level, View
from domain.launchpad.transactions import Attempt, Landing, LandingRecorded, Outcome, Planned, SendAttempt
from domain.shared.errors import Broken

if TYPE_CHECKING:
    from gateways.protocols import SolanaNodes
    from storage.launchpad.transactions import TransactionStore

LOOK_EVERY_S: Final = 0.4
SEND_EVERY_S: Final = 2.0
MEASURE_EVERY_S: Final = 2.0
"""How often is looked how far the nodes are."""


class SolanaSendingActivities:
    """Same bytes on every retry; a verdict only on proof. `patience_s`: how long the nodes may say nothing clear before
    an operator is asked; longer than any blockhash lives. `platform`: whose wallet and nonces these are."""

    def __init__(
        self, nodes: SolanaNodes, store: TransactionStore, explain: Explain, *, platform: str, patience_s: float
    ) -> None:
        self.nodes = nodes
        self.store = store
        self.explain = explain
        self.platform = platform
        self.patience_s = patience_s

    @activity.defn
    async def send_solana(self, command: SendAttempt) -> Landing:
        """Hand the stored bytes to every node, again and again, until it has landed, failed for good, or never will.
        On a durable nonce, which never runs out: or is STUCK, for as long known to no node.

        Effect: the transaction on the chain, once: the network knows it by its signature.
        Again:  the same bytes are the same transaction; starts looking from scratch.
        """
        attempt = (await self.store.get(command.key)).newest
        if attempt is None or attempt.number != command.number or attempt.raw is None or attempt.signature is None:
            raise Broken("internal_error", f"{command.key} has no complete attempt {command.number}")
        async with beating(BEAT_S):
            return await self._until_proved(command, attempt, attempt.raw, attempt.signature)

    async def _until_proved(self, command: SendAttempt, attempt: Attempt, raw: bytes, signature: str) -> Landing:
        now = asyncio.get_running_loop().time
        give_up, send_at, measure_at = now() + self.patience_s, now(), now()
        reached, search = list[Reached](), True
        while True:
            leave_if_stopping()
            views = await self.nodes.statuses(signature, search=search)
            landing = await self._verdict(command, attempt, signature, reached, views)
            if landing is not None:
                return landing
            if now() >= give_up and attempt.nonce_id is not None and all(view.status is None for view in views):
                return Landing(key=command.key, outcome=Outcome.STUCK, number=command.number, signature=signature)
            if now() >= give_up:
                raise Broken("transaction_not_landing", _undecided(command.key, signature, views))
            if now() >= send_at and any(view.status is None for view in views):
                await self._send(signature, raw)
                send_at = now() + SEND_EVERY_S
            if now() >= measure_at:
                reached, measure_at = await self._reached(attempt), now() + MEASURE_EVERY_S
            search = too_late(reached)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _reached(self, attempt: Attempt) -> list[Reached]:
        """How far the nodes are: whether it can still land at all."""
        if attempt.nonce_id is None:
            return by_height(attempt.last_valid_height, await self.nodes.epochs())
        if attempt.nonce_slot is None:
            raise Broken(
                "internal_error", f"attempt {attempt.number} on nonce {attempt.nonce_id} does not say since when"
            )
        states = await self.nodes.nonces(address_of(self.platform, attempt.nonce_id))
        return by_nonce(attempt.blockhash, attempt.nonce_slot, states)

    async def _verdict(
        self, command: SendAttempt, attempt: Attempt, signature: str, reached: list[Reached], views: list[View]
    ) -> Landing | None:
        """What is proven now. The nodes were measured before they were asked: in this order a null is a proof."""
        found = seen(views)
        if found is not None:
            return await self._landed(command, signature, found)
        if never(reached, views, configured=self.nodes.size):
            return Landing(key=command.key, outcome=Outcome.EXPIRED, number=command.number, signature=signature)
        return None

    async def look_again(self, planned: Planned) -> Landing | None:
        """One look at what landed before: final now, or gone for good; None: not decided, and sent again if unknown."""
        attempt = planned.newest
        if attempt is None or attempt.raw is None or attempt.signature is None:
            raise Broken("internal_error", f"{planned.plan.key} landed without an attempt")
        command = SendAttempt(key=planned.plan.key, number=attempt.number, finalized=True)
        reached = await self._reached(attempt)
        views = await self.nodes.statuses(attempt.signature, search=True)
        landing = await self._verdict(command, attempt, attempt.signature, reached, views)
        if landing is None and all(view.status is None for view in views):
            await self._send(attempt.signature, attempt.raw)
        return landing

    async def _send(self, signature: str, raw: bytes) -> None:
        for refusal in await self.nodes.send(raw):
            activity.logger.info("%s was not taken: %s", signature, refusal)

    async def _landed(self, command: SendAttempt, signature: str, found: Seen) -> Landing | None:
        """What a transaction that nodes know of proves now; None: nothing yet.

        A failure counts when it is final: on another fork the same bytes may succeed. What is final for us, success or
        failure, is told by two hosts alike.
        """
        failed = found.err is not None
        wanted = Level.FINALIZED if command.finalized or failed else Level.CONFIRMED
        if found.disputed or found.level < wanted:
            return None
        depth: Commitment = "finalized" if found.level is Level.FINALIZED else "confirmed"
        proof = await self.nodes.transaction(signature, commitment=depth, agreed=depth == "finalized")
        if proof is None or proof.err != found.err:
            return None
        return Landing(
            key=command.key,
            outcome=Outcome.FAILED if failed else Outcome.LANDED,
            number=command.number,
            signature=signature,
            slot=proof.slot,
            finalized=found.level is Level.FINALIZED,
            err=found.err,
            code=self.explain(found.err) if failed else None,
            fee_lamports=proof.fee_lamports,
            lost_lamports=proof.lost_lamports(self.platform),
        )

    @activity.defn
    async def record_landing(self, command: Landing) -> LandingRecorded:
        """Note what became of an attempt, and say whether the next one may be signed.

        Effect: attempt, plan and what its launch has spent: one transaction.
        Again:  sets the same values; what is final stays.
        """
        return await self.store.record(command)


def _undecided(key: str, signature: str, views: list[View]) -> str:
    """What each node says, for the operator."""
    told = ", ".join(
        f"{view.node} at slot {view.slot}: "
        + (f"{view.status.level.name.lower()} in {view.status.slot}, {view.status.err}" if view.status else "unknown")
        for view in views
    )
    return f"{key} ({signature}) neither lands nor expires: {told}"
