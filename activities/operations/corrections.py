"""Corrections of the ledger, as their process carries them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.operations.corrections import CorrectionRef, CorrectionState, DecideCorrection, ExpireCorrection

if TYPE_CHECKING:
    from storage.corrections import CorrectionStore


class CorrectionActivities:
    def __init__(self, store: CorrectionStore) -> None:
        self.store = store

    @activity.defn
    async def read_correction(self, command: CorrectionRef) -> CorrectionState:
        """How it stands, and until when it waits.

        Effect: none; reads only.
        Again:  reads are repeatable.
        """
        return await self.store.read(command.correction_id)

    @activity.defn
    async def decide_correction(self, command: DecideCorrection) -> CorrectionState:
        """Record another person's verdict.

        Effect: status, audit entry, step, events: one transaction.
        Again:  the same verdict of the same person answers what stands.
        """
        return await self.store.decide(command.correction_id, command.verdict)

    @activity.defn
    async def expire_correction(self, command: ExpireCorrection) -> CorrectionState:
        """End what nobody has decided in time.

        Effect: status, audit entry, events: one transaction.
        Again:  an ended one answers its status; so does one that was decided meanwhile.
        """
        return await self.store.expire(command.correction_id, command.at)

    @activity.defn
    async def book_correction(self, command: CorrectionRef) -> CorrectionState:
        """Book what was approved, or end it when the books refuse.

        Effect: transfer `correction:{id}`, status, audit entry, events: one transaction; refused: status and alert.
        Again:  the status says that it was done, and the transfer's key makes it happen once.
        """
        return await self.store.carry_out(command.correction_id)
