"""What each step of a launch does, and what undoes it. Their order: domain/launchpad/steps.py; the turns: launch.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.launchpad.launches import LaunchActivities
from activities.launchpad.minting import MintingActivities
from activities.launchpad.nonces import NonceActivities
from activities.launchpad.pinning import PinningActivities
from activities.launchpad.promo import PromoActivities
from domain.launchpad import steps
from domain.launchpad.launch_messages import (
    Awaited,
    Done,
    Found,
    LaunchRef,
    LaunchState,
    Lent,
    Message,
    StepPlanned,
    StepRef,
    Undone,
)
from domain.launchpad.steps import NO_RETURN, Step, Undo
from domain.launchpad.transactions import Landing, Outcome
from workflows import policies
from workflows.failures import STEP_FAILED, failure_of
from workflows.launchpad.landing import land
from workflows.parking import Parking

PAYMENT_LOOKS: Final = 30
PAYMENT_EVERY: Final = timedelta(seconds=2)
"""How long a payment may take to become final."""
NONCE_MOST: Final = timedelta(seconds=30)
"""How long the message for a wallet waits for its nonce."""
LOOK_EVERY: Final = timedelta(seconds=2)
REFUSED_LOOKS: Final = 2


class LaunchSteps(Parking):
    """`awaited`: key of the transaction that a wallet is to sign, `signed`: of the one it has signed, `refused`: of the
    one that failed on the chain. Whether a mint may be signed only the books know."""

    def __init__(self, launch_id: str) -> None:
        super().__init__()
        self.ref = LaunchRef(launch_id=launch_id)
        self.signing = "platform"
        self.cancel_asked = False
        self.giving_up: Undone | None = None
        self.state: LaunchState | None = None
        self.awaited = self.signed = self.refused = ""

    async def carry_out(self, step: Step) -> Done:
        """The step itself; it may end the launch (`state`) or learn that it is given up (`giving_up`)."""
        return await self._HOW[step.name](self, step)

    async def take_back(self, undo: Undo) -> None:
        """What undoes steps of this kind; nothing happens when there is nothing to undo."""
        await self._UNDO[undo](self)

    # before the mint

    async def _validate(self, step: Step) -> Done:
        done: Done = await self.books(LaunchActivities.validate_launch, self.ref, step.title)
        return done

    async def _pin_images(self, step: Step) -> Done:
        return await self._pin(PinningActivities.pin_pictures, step)

    async def _pin_metadata(self, step: Step) -> Done:
        return await self._pin(PinningActivities.pin_metadata, step)

    async def _pin(self, how: Any, step: Step) -> Done:
        done: Done = await workflow.execute_activity_method(how, self.ref, summary=step.title, **policies.BOUNDED)
        return done

    async def _payment(self, step: Step) -> Done:
        found = Found(done=False)
        for look in range(PAYMENT_LOOKS):
            if look:
                await self.wait(lambda: self.cancel_asked, PAYMENT_EVERY, "Until the payment is final")
            found = await self._effect(PromoActivities.find_payment, self.ref, step.title)
            if found.done or self.cancel_asked:
                return Done(detail=found.detail)
        raise ApplicationError(found.detail, type="payment_not_found", non_retryable=True)

    # on the chain

    async def _on_chain(self, step: Step) -> Done:
        """Plan, probe, land, and read back: what stands there decides."""
        ref = StepRef(launch_id=self.ref.launch_id, step=step.name)
        planned: StepPlanned = await self.books(MintingActivities.plan_step, ref, f"Plan: {step.title}")
        found = await self._probe(step)
        if found.done:
            return Done(detail=found.detail)
        landing = await self._landed(step, ref, planned.key)
        if landing is None:
            return Done()
        if landing.outcome is Outcome.FAILED:
            found = await self._there_already(step)
            if found.done:
                return Done(detail=found.detail)
            self.refused = planned.key
            raise ApplicationError(f"{landing.code}: {landing.err}", type="transaction_failed", non_retryable=True)
        return await self._compare(step)

    async def _probe(self, step: Step, *, finalized: bool = False) -> Found:
        ref = StepRef(launch_id=self.ref.launch_id, step=step.name, finalized=finalized)
        found: Found = await self._effect(MintingActivities.probe_step, ref, f"Is it there? {step.title}")
        return found

    async def _there_already(self, step: Step) -> Found:
        """It fails too when it stands there, unseen by the first probe: what refused it is confirmed a moment later."""
        found = await self._probe(step)
        for _ in range(REFUSED_LOOKS):
            if not found.done:
                await workflow.sleep(LOOK_EVERY, summary="Until what refused it is confirmed")
                found = await self._probe(step)
        return found

    async def nothing_signed(self) -> bool:
        """Whether no mint can land any more; then the launch can be cancelled again. The books know, not this run."""
        found: Found = await self.books(MintingActivities.nothing_signed, self.ref, "May anything still land?")
        return found.done

    async def stopped(self) -> bool:
        """The same, and from here on none is signed: the launch can be undone, whoever still works on it."""
        found: Found = await self.books(LaunchActivities.begin_undoing, self.ref, "No mint is signed from here on")
        return found.done

    async def _landed(self, step: Step, ref: StepRef, key: str) -> Landing | None:
        """None: given up while a signature was awaited."""
        while True:
            if self.signing == "creator":
                await self._signature(step, ref, key)
            if step is NO_RETURN and self.cancel_asked and await self.nothing_signed():
                self.giving_up = Undone(launch_id=self.ref.launch_id)
                return None
            landing = await land(key, again=self.refused == key)
            self.refused = ""
            if landing.outcome is not Outcome.EXPIRED:
                return landing

    async def _signature(self, step: Step, ref: StepRef, key: str) -> None:
        """Wait until the creator's wallet has signed; whoever reads the launch gets a message that can still land."""
        await self._lend(step, ref, key)
        self.awaited, self.signed = key, ""
        found: Awaited = await self.books(LaunchActivities.await_signature, ref, "Show that a signature is awaited")
        workflow.set_current_details(f"Waits for the creator's signature: {step.title}")
        if not found.signed:
            await self.wait(
                lambda: self.signed == key or self._unwanted(step),
                timedelta(seconds=found.for_s),
                "The creator's signature",
            )
        came = found.signed or self.signed == key
        self.awaited = ""
        if came:
            await self.books(LaunchActivities.signature_came, ref, "Show that it goes on")
        elif not self._unwanted(step):
            await self.books(NonceActivities.return_nonce, ref, "Its nonce is free again")
            detail = f"no signature came within {found.for_s} seconds"
            raise ApplicationError(detail, type="launch_parked", non_retryable=True)

    def _unwanted(self, step: Step) -> bool:
        return step is NO_RETURN and self.cancel_asked

    async def _lend(self, step: Step, ref: StepRef, key: str) -> None:
        """A durable nonce, so that the wallet has time; without one its message is on a blockhash's minute. One that
        comes too late is there for the next message."""
        lent: Lent = await self.books(NonceActivities.lend_nonce, ref, "Lend a durable nonce")
        if lent.makes is None:
            return
        making = asyncio.ensure_future(land(lent.makes, finalized=True, again=True))
        try:
            await self.wait(lambda: making.done() or self._unwanted(step), NONCE_MOST, "A durable nonce is made")
        finally:
            making.cancel()
            [failed] = await asyncio.gather(making, return_exceptions=True)
        if isinstance(failed, STEP_FAILED):
            workflow.logger.warning("%s has no durable nonce: %s", key, failure_of(failed))
        elif isinstance(failed, Exception):
            raise failed

    async def _compare(self, step: Step) -> Done:
        ref = StepRef(launch_id=self.ref.launch_id, step=step.name)
        done: Done = await workflow.execute_activity_method(
            MintingActivities.compare_step, ref, summary=f"Read back: {step.title}", **policies.UNTIL_SEEN
        )
        return done

    async def _verify(self, step: Step) -> Done:
        """Final, both of them, and then all of it compared once more."""
        for made in (steps.MINT, steps.CURVE):
            while not await self._is_final(made):
                await self._on_chain(made)  # a fork has dropped it
                await workflow.sleep(LOOK_EVERY, summary="Until it is final")
        return await self._compare(step)

    async def _is_final(self, made: Step) -> bool:
        """By its transaction, or by what stands there: another attempt may have brought it."""
        landing = await land(steps.plan_key(self.ref.launch_id, made), finalized=True)
        return landing.outcome is Outcome.LANDED or (await self._probe(made, finalized=True)).done

    async def _activate(self, step: Step) -> Done:
        self.state = await self.books(LaunchActivities.activate_launch, self.ref, step.title)
        return Done()

    _HOW: Final[dict[str, Callable[[LaunchSteps, Step], Awaitable[Done]]]] = {
        steps.VALIDATE.name: _validate,
        steps.PIN_IMAGES.name: _pin_images,
        steps.PIN_METADATA.name: _pin_metadata,
        steps.PROMO_PAYMENT.name: _payment,
        steps.MINT.name: _on_chain,
        steps.CURVE.name: _on_chain,
        steps.TAX.name: _compare,
        steps.REFERRAL.name: _compare,
        steps.LIQUIDITY.name: _compare,
        steps.VERIFY.name: _verify,
        steps.ACTIVATE.name: _activate,
    }

    # taking back

    async def _unpin(self) -> None:
        await self._effect(PinningActivities.unpin, self.ref, "Unpin what was pinned")

    async def _owe(self) -> None:
        await self.books(PromoActivities.owe_payment, self.ref, "What was paid is owed back")

    _UNDO: Final[dict[Undo, Callable[[LaunchSteps], Awaitable[None]]]] = {Undo.UNPIN: _unpin, Undo.REFUND: _owe}

    # how

    async def books(self, step: Any, command: Message, summary: str) -> Any:
        return await workflow.execute_local_activity_method(step, command, summary=summary, **policies.LOCAL)

    async def _effect(self, step: Any, command: Message, summary: str) -> Any:
        return await workflow.execute_activity_method(step, command, summary=summary, **policies.SWIFT)

    async def wait(self, until: Callable[[], bool], longest: timedelta, summary: str) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(until, timeout=longest, timeout_summary=summary)
