"""A short timer, measured: tells a tuned Temporal server from one whose timers last a second."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from domain.operations.probe import ProbeTimers, TimersProbed


@workflow.defn(name="TimerProbe")
class TimerProbeWorkflow:
    """Sleeps a few times and says how long that took.

    Waits for: its own short timers.
    Ends when: they have fired.
    Undo:      nothing: it touches nothing.
    """

    @workflow.run
    async def run(self, probe: ProbeTimers) -> TimersProbed:
        elapsed = []
        for _ in range(probe.count):
            began = workflow.time_ns()
            await workflow.sleep(timedelta(milliseconds=probe.timer_ms), summary="A timer of ten milliseconds")
            elapsed.append((workflow.time_ns() - began) // 1_000_000)
        return TimersProbed(elapsed_ms=tuple(elapsed))
