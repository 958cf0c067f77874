"""The tax cycle: what sales collected is paid out, settled, burned."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow

from activities.launchpad.tax import TaxActivities
from domain.launchpad.tax_cycle import TaxCycle, TaxDone, TaxPlanned
from workflows import policies
from workflows.launchpad.cycles import land_each

EACH: Final = timedelta(minutes=3)
WITHIN: Final = timedelta(minutes=8)
"""Of the ten minutes that its schedule leaves it, or more (workflows/schedules.py)."""


@workflow.defn(name="TaxDistribution")
class TaxDistributionWorkflow:
    """One cycle over every sale that reached its soft cap.

    Waits for: its transactions to be finalized; a schedule starts it, and the next tick only when it has ended.
    Ends when: each of them landed or failed, or its time is over. What failed is due again in the next cycle.
    Undo:      nothing; the chain allows no more than what is due, to nobody but the stored recipients.
    """

    @workflow.run
    async def run(self, cycle: TaxCycle) -> TaxDone:
        planned: TaxPlanned = await workflow.execute_activity_method(
            TaxActivities.plan_tax_cycle, cycle, summary="What is due?", **policies.FOLLOW
        )
        told = await land_each(planned.keys, each=EACH, within=WITHIN)
        failed = [f"{key}: {why}" for key, why in told.items() if why]
        summary = f"{len(told) - len(failed)} of {len(told)} transactions landed" + "".join(
            f"; {one}" for one in failed
        )
        done = TaxDone(landed=len(told) - len(failed), failed=len(failed), summary=summary)
        workflow.set_current_details(summary)
        await workflow.execute_local_activity_method(
            TaxActivities.record_tax_cycle, done, summary="Record the cycle", **policies.LOCAL
        )
        return done
