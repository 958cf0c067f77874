"""The tax cycle: what sales collected is paid out, settled, burned."""

from __future__ import annotations

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from activities.launchpad.tax import TaxActivities
from domain.launchpad.tax_cycle import TaxCycle, TaxDone, TaxPlanned
from domain.launchpad.transactions import Outcome
from workflows import policies
from workflows.failures import STEP_FAILED, code_of
from workflows.launchpad.landing import land

AT_ONCE: Final = 8
"""Transactions on their way at a time."""


@workflow.defn(name="TaxDistribution")
class TaxDistributionWorkflow:
    """One cycle over every sale that reached its soft cap.

    Waits for: its transactions to be finalized; a schedule starts it, and the next tick only when it has ended.
    Ends when: each of them landed or failed. What failed is due again in the next cycle.
    Undo:      nothing; the chain allows no more than what is due, to nobody but the stored recipients.
    """

    @workflow.run
    async def run(self, cycle: TaxCycle) -> TaxDone:
        planned: TaxPlanned = await workflow.execute_activity_method(
            TaxActivities.plan_tax_cycle, cycle, summary="What is due?", **policies.FOLLOW
        )
        told: list[str] = []
        for start in range(0, len(planned.keys), AT_ONCE):
            some = planned.keys[start : start + AT_ONCE]
            told += await asyncio.gather(*(self._land(key) for key in some))
        failed = [one for one in told if one]
        summary = f"{len(told) - len(failed)} of {len(told)} transactions landed" + "".join(
            f"; {one}" for one in failed
        )
        done = TaxDone(landed=len(told) - len(failed), failed=len(failed), summary=summary)
        workflow.set_current_details(summary)
        await workflow.execute_local_activity_method(
            TaxActivities.record_tax_cycle, done, summary="Record the cycle", **policies.LOCAL
        )
        return done

    async def _land(self, key: str) -> str:
        """Empty when it landed; else what became of it, which does not keep the others."""
        try:
            landing = await land(key, finalized=True)
        except STEP_FAILED as error:
            if is_cancelled_exception(error):
                raise
            return f"{key}: {code_of(error)}"
        return "" if landing.outcome is Outcome.LANDED else f"{key}: {landing.code or landing.outcome}"
