"""Upkeep of our own wallets: sweeps one by one, levels and solvency by schedule."""

from __future__ import annotations

from temporalio import workflow

from activities.exchange.custody import CustodyActivities
from activities.exchange.solvency import SolvencyActivities
from domain.exchange.messages import (
    CheckResult,
    FinishSweep,
    Mined,
    Purpose,
    SignTransaction,
    SweepPlanned,
    SweepRef,
    UpkeepDone,
    WatchChain,
)
from domain.shared.processes import Start
from workflows import policies
from workflows.exchange.sending import send_until_proved, sign
from workflows.parking import Parking


@workflow.defn(name="Sweep")
class SweepWorkflow(Parking):
    """Credited USDC of one deposit address goes to the hot wallet; gas is brought first when it lacks.

    Waits for: the gas top-up and the sweep to be mined; an operator's `retry` when something is Broken.
    Ends when: booked between custody accounts, or nothing was moved.
    Undo:      nothing: the money stays ours on either side, no user account is touched.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()

    @workflow.run
    async def run(self, start: Start) -> str:
        return await self.to_the_end(lambda: self._sweep(start), start.operation_id)

    async def _sweep(self, start: Start) -> str:
        sweep = SweepRef(sweep_id=start.subject_id)
        planned: SweepPlanned = await workflow.execute_activity_method(
            CustodyActivities.plan_sweep, sweep, summary="How much gas does it need?", **policies.EFFECT
        )
        workflow.set_current_details(planned.summary)
        if planned.skip:
            return planned.summary
        if planned.top_up:
            await self._send(Purpose.GAS_TOP_UP, start.subject_id)
        finish = await self._send(Purpose.SWEEP, start.subject_id)
        await workflow.execute_local_activity_method(
            CustodyActivities.finish_sweep, finish, summary="Book it", **policies.LOCAL
        )
        return finish.outcome.value

    async def _send(self, purpose: Purpose, sweep_id: str) -> FinishSweep:
        request = SignTransaction(purpose=purpose, ref_id=sweep_id)
        signed = await sign(request)
        if signed.refused is not None:
            return FinishSweep(sweep_id=sweep_id, outcome=Mined.NO_EFFECT)
        proof = await send_until_proved(request, signed)
        return FinishSweep(
            sweep_id=sweep_id, outcome=proof.outcome, tx_hash=proof.tx_hash, block_number=proof.block_number
        )


@workflow.defn(name="CustodyUpkeep")
class CustodyUpkeepWorkflow:
    """One round of upkeep.

    Waits for: nothing; a schedule starts it.
    Ends when: the round is done; sweeps it opened run on their own.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self, watch: WatchChain) -> UpkeepDone:
        done: UpkeepDone = await workflow.execute_activity_method(
            CustodyActivities.upkeep, watch, summary="Sweeps, wallet levels, lost transactions", **policies.EFFECT
        )
        workflow.set_current_details(done.summary)
        return done


@workflow.defn(name="Solvency")
class SolvencyWorkflow:
    """Proves that custody covers what is owed; a breach stops withdrawals.

    Waits for: nothing; a schedule starts it.
    Ends when: the proof is recorded.
    Undo:      nothing; switching withdrawals on again is an operator's act (runbooks/insolvent.md).
    """

    @workflow.run
    async def run(self, watch: WatchChain) -> CheckResult:
        result: CheckResult = await workflow.execute_activity_method(
            SolvencyActivities.check_solvency, watch, summary="Custody against liabilities", **policies.EFFECT
        )
        workflow.set_current_details(result.summary)
        return result
