"""What sales need after they went well: teams are paid what has vested, empty positions give back their rents."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow

from activities.launchpad.aftercare import AftercareActivities
from domain.launchpad.aftercare import Aftercare, AftercareDone, AftercarePlanned, Forgotten, Refused
from workflows import policies
from workflows.launchpad.cycles import land_each

EACH: Final = timedelta(minutes=15)
WITHIN: Final = timedelta(hours=11)
"""Of the twelve that its schedule leaves it (workflows/schedules.py)."""


@workflow.defn(name="SaleAftercare")
class SaleAftercareWorkflow:
    """One run over every graduated sale; and over trades that nobody signed.

    Waits for: its transactions to be finalized; a schedule starts it.
    Ends when: each of them landed or failed, or its time is over. What failed is due again in the next run.
    Undo:      nothing; the chain pays only what is due, to nobody but those it has stored.
    """

    @workflow.run
    async def run(self, care: Aftercare) -> AftercareDone:
        planned: AftercarePlanned = await workflow.execute_activity_method(
            AftercareActivities.plan_aftercare, care, summary="What has vested, what stands empty", **policies.FOLLOW
        )
        told = await land_each(planned.keys, each=EACH, within=WITHIN)
        forgotten: Forgotten = await workflow.execute_activity_method(
            AftercareActivities.forget_unsigned, summary="Remove what was never signed", **policies.FOLLOW
        )
        done = _done(told, forgotten.transactions)
        workflow.set_current_details(done.summary)
        await workflow.execute_local_activity_method(
            AftercareActivities.record_aftercare, done, summary="Record the run", **policies.LOCAL
        )
        return done


def _done(told: dict[str, str], forgotten: int) -> AftercareDone:
    refused = tuple(Refused(key=key, why=why) for key, why in told.items() if why)
    landed = len(told) - len(refused)
    words = [f"{landed} of {len(told)} transactions landed", *(f"{one.key}: {one.why}" for one in refused)]
    if forgotten:
        words.append(f"{forgotten} never signed and removed")
    return AftercareDone(landed=landed, refused=refused, forgotten=forgotten, summary="; ".join(words))
