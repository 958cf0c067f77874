"""How exactly does Temporal keep time? What `holdfast doctor` asks and is told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ProbeTimers(BaseModel):
    """Sleep `count` times for `timer_ms`."""

    model_config = ConfigDict(frozen=True)
    count: int = 5
    timer_ms: int = 10


class TimersProbed(BaseModel):
    """How long each sleep lasted, from the task before it to the task after it."""

    model_config = ConfigDict(frozen=True)
    elapsed_ms: tuple[int, ...] = ()
